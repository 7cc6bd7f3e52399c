# frozen_string_literal: true

require 'open3'
require 'tmpdir'
require_relative '../spec_helper'
require_relative 'recorder'
require_relative 'runner'

# The host app stands in for RMT: where it announces systems itself, it answers as RMT does.
RSpec.describe Conformance::Recorder do
  attr_reader :database, :host

  before(:context) do
    @database = SuiteDatabase.fresh('conformance_recorder')
    @host = Host.new(database_url: @database.url).start
  end

  after(:context) { @host&.stop }

  def recorder(**options)
    described_class.new(url: host.url, database: database.url, **options)
  end

  let(:announce) { Conformance.cases('announce-minimal').first }

  it 'writes a recording as the one there is' do
    Dir.mktmpdir do |out|
      expect(recorder(out: out).record(announce)).to eq([:same, []])
      expect(File.read(File.join(out, announce.file))).to eq(File.read(File.join(Conformance::DIRECTORY, announce.file)))
    end
  end

  it 'says what has changed, and writes nothing unless told to' do
    announce.expected['steps'].first['status'] = 418
    state, differences = recorder.record(announce)
    expect(state).to eq(:changed)
    expect(differences).to eq(["step 1: status\n    recorded: 418\n    answered: 201"])
    expect(recorder.target(announce)).to be_nil
  end

  it 'records what has not been recorded yet, which until then cannot be replayed' do
    announce.expected = nil
    expect(recorder.record(announce)).to eq([:new, []])
    runner = Conformance::Runner.new(url: host.url, database: database.url)
    expect { runner.run(announce) }.to raise_error(ArgumentError, /not been recorded yet: rake conformance:record/)
  end

  it 'writes its own conversations where they are' do
    announce.file = 'own/announce-x.json'
    expect(recorder.target(announce)).to eq(File.join(Conformance::DIRECTORY, 'own/announce-x.json'))
  end

  it 'takes back what a conversation adds to the catalog' do
    products = -> { database.with_client { |sql| sql.query('SELECT * FROM products ORDER BY id').to_a } }
    records = recorder
    before = products.call
    announce.given.push("UPDATE products SET name='Changed' WHERE id=1",
                        "INSERT INTO products (id, name, product_type, identifier) VALUES (50, 'New', 'base', 'n')")
    expect(records.record(announce)).to eq([:same, []])
    expect(products.call).to eq(before)
  end

  it 'finds every recording written as it would write it' do
    all = %w[cases/* own/* pubcloud/*].flat_map { |pattern| Conformance.cases(pattern) }
    other = all.reject { |one| one.text(one.expected) == File.read(File.join(Conformance::DIRECTORY, one.file)) }
    expect(other.map(&:file)).to be_empty
  end

  it 'finds every own conversation named after its file, and no name twice' do
    own, cases = %w[own/* cases/*].map { |pattern| Conformance.cases(pattern) }
    expect(own.reject { |file| file.file == "own/#{file.name}.json" }).to be_empty
    expect(own.map(&:name) & cases.map(&:name)).to be_empty
  end

  it 'refuses what it does not understand before it empties anything' do
    [[], %w[--url http://127.0.0.1:1], ['--url', host.url, '--database', database.url, '--cases', 'nope'],
     ['--url', host.url, '--database', database.url, 'more'], ['--url', host.url, '--database', 'nonsense']].each do |wrong|
      command = File.join(Conformance::DIRECTORY, 'record.rb')
      output, error, status = Open3.capture3(RbConfig.ruby, command, *wrong)
      expect([output, status.exitstatus]).to eq(['', 2]), wrong.join(' ')
      expect(error).not_to be_empty
    end
  end
end
