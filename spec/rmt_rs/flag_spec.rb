# frozen_string_literal: true

require 'tmpdir'
require 'rmt_rs'

RSpec.describe RmtRs::Flag do
  def configuration(**settings)
    RmtRs::Configuration.new({ door: 'controller', **settings }, {})
  end

  def flag(**settings)
    described_class.new(configuration(**settings))
  end

  def rust?(flag, endpoint = :show, machine: 'SCC_0815', override: nil)
    flag.rust?(endpoint, machine: -> { machine }, override: override)
  end

  it 'leaves everything to Rust that is not said to be otherwise, and asks nobody for names' do
    unasked = -> { raise 'not to be asked' }
    expect(flag.rust?(:announce, machine: unasked)).to be(true)
    expect(flag(percentage: 0).rust?(:announce, machine: unasked)).to be(false)
  end

  it 'leaves single endpoints to Ruby' do
    flag = flag(endpoints: { show: false, activate: true })
    expect(rust?(flag, :show)).to be(false)
    expect([rust?(flag, :activate), rust?(flag, :upgrade)]).to all(be(true))
  end

  it 'takes a percentage of the machines, and of a larger one all of them again' do
    logins = (1..4000).map { |number| format('SCC_%032x', number * 7919) }
    taken = [1, 10, 50].to_h { |share| [share, logins.select { |it| rust?(flag(percentage: share), machine: it) }] }
    taken.each { |share, machines| expect(machines.size).to be_within(40 + (share * 4)).of(40 * share) }
    expect(taken[10] - taken[50]).to be_empty
    expect(taken[1] - taken[10]).to be_empty
  end

  it 'takes a machine for the same in whatever case it names itself' do
    expect(described_class.place_of("Web01\t")).to eq(described_class.place_of('web01'))
    expect(described_class.place_of("\xFF")).to be_between(0, 100)
  end

  it 'leaves to Ruby who names no machine, until all are taken' do
    expect(rust?(flag(percentage: 99.99), machine: nil)).to be(false)
    expect(rust?(flag(percentage: 100), machine: nil)).to be(true)
  end

  describe 'the header' do
    let(:secret) { 'sixteen-or-more-characters' }

    it 'decides when it has the secret' do
      none = flag(percentage: 0, endpoints: { show: false }, override_secret: secret)
      expect(rust?(none, override: "rust #{secret}")).to be(true)
      expect(rust?(flag(override_secret: secret), override: "ruby #{secret}")).to be(false)
    end

    it 'decides nothing with another one, or when there is none' do
      all = flag(override_secret: secret)
      ["ruby #{secret}x", 'ruby', 'ruby ', "perl #{secret}", secret, "\xFF \xFE"].each do |header|
        expect(rust?(all, override: header)).to be(true)
      end
      expect(rust?(flag, override: 'ruby ')).to be(true)
    end

    it 'opens no door that is shut' do
      flag = flag(override_secret: secret)
      flag.change(RmtRs::Configuration.new({ door: 'off' }, {}))
      expect(rust?(flag, override: "rust #{secret}")).to be(false)
    end
  end

  it 'is changed while RMT runs, says how, and what takes a restart' do
    flag = flag(percentage: 10)
    expect(flag.change(configuration(percentage: 25, endpoints: { show: false }, override_secret: 'x' * 16, pool: 3)))
      .to eq(['endpoints: all on is now show off', 'percentage: 10.0 is now 25.0',
              'override_secret: nothing is now a secret', 'pool takes a restart'])
    expect(flag.configuration.percentage).to eq(25)
    expect(flag.change(RmtRs::Configuration.new({ door: 'off' }, {}))).to eq(['door: controller is now off'])
    expect(rust?(flag)).to be(false)
    expect(flag.change(configuration)).to include('door: off is now controller')
    expect(rust?(flag)).to be(true)
  end

  { { endpoints: { shwo: false } } => /endpoints: .* is not allowed: give on or off for each of announce, update/,
    { endpoints: { show: 'perhaps' } } => /endpoints/,
    { endpoints: 'show' } => /endpoints/,
    { percentage: 101 } => /percentage: 101 is not allowed: give a number from 0 to 100/,
    { override_secret: 'short' } => /override_secret: is not allowed: give at least 16 characters without spaces/ }
    .each do |wrong, complaint|
      it "refuses #{wrong}" do
        expect { configuration(**wrong) }.to raise_error(RmtRs::ConfigurationError, complaint)
      end
    end

  it "reads endpoints from the environment as YAML's braces would have them" do
    flag = described_class.new(RmtRs::Configuration.new({}, { 'RMT_RS_DOOR' => 'rack', 'RMT_RS_ENDPOINTS' => 'show: off' }))
    expect(rust?(flag, :show)).to be(false)
    expect(rust?(flag, :activate)).to be(true)
  end
end

RSpec.describe RmtRs::Watch do
  around do |example|
    Dir.mktmpdir do |directory|
      @file = File.join(directory, 'rmt.conf')
      example.run
    end
  end

  let(:time) { [0.0] }
  let(:watch) { described_class.new([@file], clock: -> { time[0] }) }

  def due_after(seconds)
    time[0] += seconds
    watch.due?
  end

  it 'notices a file that comes, is touched, changes or goes, once each, when a second has passed' do
    expect(due_after(1)).to be(false)
    File.write(@file, 'a')
    expect(due_after(0.5)).to be(false)
    expect(due_after(1)).to be(true)
    expect(due_after(2)).to be(false)
    FileUtils.touch(@file, mtime: Time.now + 5)
    expect(due_after(2)).to be(true)
    File.delete(@file)
    expect([due_after(2), due_after(2)]).to eq([true, false])
  end

  it 'notices SIGHUP at once, which ends the process no more' do
    reader, writer = IO.pipe
    pid = fork do
      watch.due?
      Process.kill('HUP', Process.pid)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
      Thread.pass until (due = watch.due?) || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      writer.write([due, watch.due?].inspect)
      exit!(0)
    end
    Process.wait(pid)
    writer.close
    expect(reader.read).to eq('[true, false]')
  end
end
