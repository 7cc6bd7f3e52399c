# frozen_string_literal: true

require 'logger'
require 'stringio'
require 'rmt_rs'

RSpec.describe RmtRs::Doorkeeper do
  let(:time) { [0.0] }
  let(:log) { StringIO.new }
  let(:doorkeeper) { described_class.new(clock: -> { time.first }) }

  around do |example|
    before = RmtRs.logger
    RmtRs.logger = Logger.new(log)
    example.run
  ensure
    RmtRs.logger = before
  end

  def settle(outcome, times = 1, operation: :announce)
    Array.new(times) { doorkeeper.admit(operation).tap { |it| it.settle(outcome) }.answerer }
  end

  def answerer(operation = :announce)
    doorkeeper.admit(operation).answerer
  end

  def lines
    log.string.lines(chomp: true).map { |line| line[/rmt_rs: .*/] }
  end

  def counted(operation, *outcomes)
    outcomes.map { |outcome| RmtRs.counters.fetch([operation, outcome], 0) }
  end

  it 'sends requests to Rust' do
    expect(answerer).to eq(:rust)
    expect(doorkeeper.states).to eq(announce: { core: :closed, database: :closed })
  end

  it 'leaves an operation to Ruby that breaks again and again, tries it again, and says so once each time' do
    before = counted(:announce, :left_to_ruby, :core_broke, :core_works)
    settle(:broke, 5)
    expect([answerer, answerer(:activate)]).to eq(%i[ruby rust])
    time[0] = 10
    trial = doorkeeper.admit(:announce)
    expect([trial.answerer, answerer]).to eq(%i[rust ruby])
    expect(doorkeeper.states[:announce]).to eq(core: :half_open, database: :closed)
    trial.settle(:broke)
    expect(answerer).to eq(:ruby)
    time[0] = 20
    settle(:worked)
    expect(Array.new(3) { answerer }).to all(eq(:rust))
    expect(lines).to eq(['rmt_rs: announce has failed 5 times in a row: Ruby answers it for now',
                         'rmt_rs: announce is answered by Rust again'])
    after = counted(:announce, :left_to_ruby, :core_broke, :core_works)
    expect(after.zip(before).map { |now, then_| now - then_ }).to eq([3, 1, 1])
  end

  it 'counts only failures in a row that are not the request\'s' do
    10.times { settle(:broke, 4) && settle(:worked) }
    settle(:undecided, 20)
    settle(:unavailable, 20)
    settle(:broke, 4)
    expect([answerer, lines]).to eq([:rust, []])
  end

  it 'refuses at once while the database is silent, and has one request at a time wait for it' do
    settle(:silent, 3)
    settle(:silent, 3, operation: :update)
    expect([answerer, answerer(:update), answerer(:installer)]).to eq(%i[nobody nobody rust])
    time[0] = 1
    waiting = doorkeeper.admit(:announce)
    expect([waiting.answerer, answerer, answerer(:update)]).to eq(%i[rust nobody nobody])
    waiting.settle(:silent)
    other = doorkeeper.admit(:update)
    expect([other.answerer, answerer]).to eq(%i[rust nobody])
    other.settle(:worked)
    expect([answerer(:update), answerer]).to eq(%i[rust nobody])
    time[0] = 2
    settle(:unavailable)
    expect(answerer).to eq(:rust)
    expect(lines.grep(/announce/)).to eq(
      ['rmt_rs: announce had no answer from the database 3 times in a row: it is refused with 503 at once for now',
       'rmt_rs: announce has an answer from the database again']
    )
  end

  it 'does not leave to Ruby what the database is silent for' do
    settle(:broke, 4)
    settle(:silent, 2)
    broken = doorkeeper.admit(:announce)
    silent = doorkeeper.admit(:announce)
    broken.settle(:broke)
    silent.settle(:silent)
    time[0] = 5
    expect(answerer).to eq(:nobody)
    time[0] = 10
    expect(settle(:worked)).to eq([:rust])
    expect(doorkeeper.states[:announce].values).to all(eq(:closed))
  end

  describe 'a request' do
    let(:admission) { doorkeeper.admit(:announce) }

    def breaks?
      time[0] = 0
      settle(:broke, 4)
      yield
      doorkeeper.states[:announce][:core] == :open
    end

    it 'is settled once' do
      expect(breaks? { %i[undecided broke].each { |outcome| admission.settle(outcome) } }).to be(false)
    end

    it 'counts as a failure when Ruby could do what Rust could not' do
      refused = RmtRs::Refused.new('no connection')
      admission.leave_to_ruby(refused)
      expect([admission.answerer, breaks? { admission.finish }]).to eq([:ruby, true])
    end

    it 'does not when Ruby had no database either' do
      expect(breaks? { admission.leave_to_ruby(RmtRs::Refused.new) && admission.finish(reached: false) }).to be(false)
    end

    it 'does not when only Ruby understands it' do
      admission.leave_to_ruby(RmtRs::Declined.new)
      expect([admission.answerer, breaks? { admission.finish }]).to eq([:rust, false])
    end

    it 'is judged by how it failed' do
      { RmtRs::InternalError => true, RmtRs::Silent => false, RmtRs::Unavailable => false,
        RmtRs::Abandoned => false }.each do |kind, expected|
        doorkeeper = described_class.new(clock: -> { 0.0 })
        4.times { doorkeeper.admit(:announce).settle(:broke) }
        doorkeeper.admit(:announce).failed(kind.new('x', true))
        expect(doorkeeper.states[:announce][:core] == :open).to be(expected), kind.name
      end
    end
  end
end
