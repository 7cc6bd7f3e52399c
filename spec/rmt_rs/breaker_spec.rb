# frozen_string_literal: true

require 'English'
require 'rmt_rs'

RSpec.describe RmtRs::Breaker do
  let(:time) { [0.0] }
  let(:clock) { -> { time.first } }
  let(:breaker) { described_class.new(threshold: 3, pause: 10, clock: clock) }

  def open_it(which = breaker)
    3.times { which.failed(which.pass) }
  end

  it 'opens after so many failures in a row, and says so once' do
    expect(Array.new(2) { breaker.failed(breaker.pass) }).to all(be(false))
    breaker.succeeded(breaker.pass)
    expect(Array.new(3) { breaker.failed(:passes) }).to eq([false, false, true])
    expect([breaker.state, breaker.pass, breaker.failed(:passes)]).to eq([:open, nil, false])
  end

  it 'has one try after a pause, and closes when that succeeds' do
    open_it
    time[0] = 9.9
    expect([breaker.pass, breaker.shut?]).to eq([nil, true])
    time[0] = 10
    expect([breaker.shut?, breaker.pass, breaker.pass, breaker.state]).to eq([false, :tries, nil, :half_open])
    expect([breaker.succeeded(:tries), breaker.state, breaker.pass, breaker.succeeded(:passes)])
      .to eq([true, :closed, :passes, false])
  end

  it 'waits anew when that fails' do
    open_it
    time[0] = 10
    breaker.failed(breaker.pass)
    expect([breaker.state, breaker.pass]).to eq([:open, nil])
    time[0] = 20
    expect(breaker.pass).to eq(:tries)
  end

  it 'has the next one try at once when that was no trial' do
    open_it
    time[0] = 10
    breaker.undecided(breaker.pass)
    expect(breaker.pass).to eq(:tries)
  end

  it 'is not kept open by those who passed before, and closed by them' do
    open_it
    time[0] = 9
    breaker.failed(:passes)
    time[0] = 10
    expect(breaker.pass).to eq(:tries)
    breaker.failed(:passes)
    expect([breaker.pass, breaker.succeeded(:passes), breaker.pass]).to eq([nil, true, :passes])
  end

  it 'gives the trial to somebody else when who had it does not come back' do
    open_it
    time[0] = 10
    expect(breaker.pass).to eq(:tries)
    time[0] = 129
    expect(breaker.pass).to be_nil
    time[0] = 131
    expect(breaker.pass).to eq(:tries)
  end

  it 'shares a trial with others' do
    trial = described_class::Trial.new(clock)
    pair = Array.new(2) { described_class.new(threshold: 3, pause: 10, clock: clock, trial: trial) }
    pair.each { |it| open_it(it) }
    time[0] = 10
    expect(pair.map(&:pass)).to eq([:tries, nil])
    pair.first.failed(:tries)
    expect(pair.map(&:pass)).to eq([nil, :tries])
  end

  it 'lets one of many threads try' do
    open_it
    time[0] = 10
    passes = Array.new(20) { Thread.new { breaker.pass } }.map(&:value)
    expect(passes.compact).to eq([:tries])
  end

  it 'goes on in a forked process' do
    open_it
    time[0] = 10
    expect(breaker.pass).to eq(:tries)
    time[0] = 200
    child = fork { exit!(breaker.pass == :tries && breaker.succeeded(:tries) && breaker.state == :closed) }
    Process.wait(child)
    expect($CHILD_STATUS).to be_success
    expect(breaker.state).to eq(:half_open)
  end
end
