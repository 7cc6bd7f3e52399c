# frozen_string_literal: true

require 'tmpdir'
require_relative '../../bench/catalog'
require_relative '../../bench/k6'

# That the load scripts notice what is wrong; that they pass where all is right is in comparison_spec.
RSpec.describe K6 do
  around do |example|
    Dir.mktmpdir do |directory|
      @directory = directory
      example.run
    end
  end

  def register(url)
    described_class.try('herd.js', { 'URL' => url, 'INSTANCES' => 3, 'WITHIN' => 0.1 }, @directory)
  end

  it 'notices answers that are not as they should be' do
    # The host app's own activation, in Ruby, answers with hardly anything.
    database = SuiteDatabase.fresh('k6')
    Catalog.new('realistic').load(database)
    host = Host.new(database_url: database.url, workers: 1).start
    run = register(host.url)
    expect(run.passed).to be(false)
    expect(run.journal.map { |entry| entry['failed'] })
      .to eq([{ 'endpoint' => 'activate', 'cause' => 'unexpected body' }] * 3)
    expect(run.values('latency{endpoint:announce}')).to include('count' => 3)
    expect { described_class.run('steady.js', { 'URL' => host.url, 'DURATION' => 1, 'USERS' => 1 }) }
      .to raise_error(K6::Error, /steady.js did not get the answers it should/)
  ensure
    host&.stop
  end

  it 'says why nothing was answered' do
    run = register("http://127.0.0.1:#{Processes.free_port}")
    expect(run.passed).to be(false)
    expect(run.journal.map { |entry| entry['failed'] })
      .to eq([{ 'endpoint' => 'announce', 'cause' => 'connection refused' }] * 3)
  end

  it 'fails when a script cannot run' do
    expect { described_class.try('steady.js', {}, @directory) }
      .to raise_error(K6::Error, /could not run steady.js.*URL is missing/m)
  end
end
