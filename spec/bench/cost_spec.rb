# frozen_string_literal: true

require 'open3'
require_relative '../../bench/k6'
require_relative '../../bench/measurement'

RSpec.describe 'The cost of an announce' do
  before(:context) do
    @database = SuiteDatabase.fresh('cost')
    @host = Host.new(database_url: @database.url, door: 'controller').start
    announce(200)
  end

  after(:context) { @host&.stop }

  def announce(systems, environment = {})
    Measurement.of(@host, @database) do
      K6.run('announce.js', { 'URL' => @host.url, 'USERS' => 4, 'SYSTEMS' => systems }.merge(environment))
    end
  end

  it 'is one statement' do
    # Opening a connection takes two more, and there are ten at most.
    # Some share theirs.
    expect(announce(400).statements).to be_between(200, 420)
  end

  # Processor time, both in one run: what else the machine does can only add to it.
  it 'is at most 1.6 times the CPU of a Rails action that touches no database' do
    ratios = Array.new(3) do
      announce(400).cpu / announce(400, 'PATH_ONLY' => '/api/health/status').cpu
    end
    expect(ratios.min).to be <= 1.6
  end
end

RSpec.describe 'bin/demo' do
  it 'announces through Ruby and through Rust, checks the database and prints what both cost' do
    output, status = Open3.capture2e({ 'SYSTEMS' => '60' }, File.join(Host::PROJECT, 'bin/demo'))
    expect(status).to be_success, output
    expect(output).to match(/^Ruby +\d+ +\d+\.\d +\d+\.\d +\d+\.\d+ +5\.0$/)
    # Announces that meet share a statement.
    expect(output).to match(/^Rust +\d+ +\d+\.\d +\d+\.\d +\d+\.\d+ +(0\.\d|1\.0)$/)
    expect(output.scan('the database has each of them once').size).to eq(2)
    expect(output).to match(/An announce through Rust costs \d\.\d\d times the CPU/)
  end
end
