# frozen_string_literal: true

require_relative '../spec_helper'
require_relative 'check'
require_relative 'conversations'
require_relative 'generator'
require_relative 'shrinker'

# What of the contract the host app can be asked for.
PROPERTY_OPERATIONS = Property::Generator::OPERATIONS

# Made-up conversations with the host app and the Rust core, held against the model of the contract. The
# same against a real RMT: rake rmt:compare, or run.rb.
RSpec.describe 'made-up conversations' do
  # The same each time, so that what once passed is known to pass.
  fixed_seeds = (1..120)
  # Others each time, for as long.
  some_seed = Random.new_seed % 1_000_000
  seconds = 8

  before(:context) do
    raise 'the Rust core is not compiled, so this would prove nothing; run rake compile first' unless Host.native_library

    @database = SuiteDatabase.fresh('property')
    @host = Host.new(database_url: @database.url, door: 'controller').start
    @player = Property::Player.new(url: @host.url, database: @database.url).prepare
  end

  after(:context) do
    @player&.close
    @host&.stop
  end

  def made_up(seed)
    Property::Generator.new(seed, operations: PROPERTY_OPERATIONS).conversation
  end

  def check
    Property::Check.new(@player)
  end

  def expect_agreement(seed)
    conversation = made_up(seed)
    failure = check.run(conversation)
    return unless failure

    smallest = Property::Shrinker.new(check, budget: 60).shrink(conversation, failure)
    raise RSpec::Expectations::ExpectationNotMetError,
          "#{Property::Conversations.dump(smallest)}#{check.run(smallest) || 'played once more, it agrees'}"
  end

  it "agree with the contract (seeds #{fixed_seeds})" do
    fixed_seeds.each { |seed| expect_agreement(seed) }
  end

  it "agree with the contract (seeds from #{some_seed})" do
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    some_seed.step { |seed| Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline ? expect_agreement(seed) : break }
    expect(File.read(@host.log)).to match(/rmt_rs .*in Rust: announce, authenticate, update/)
  end

  describe 'with a database that forgets' do
    before do
      @database.with_client do |sql|
        sql.query('CREATE TRIGGER forget BEFORE UPDATE ON systems FOR EACH ROW SET NEW.last_seen_at = OLD.last_seen_at')
      end
    end

    after { @database.with_client { |sql| sql.query('DROP TRIGGER forget') } }

    it 'disagree, and as few steps as can be show it' do
      conversation = (1..).lazy.map { |seed| made_up(seed) }.find { |made| made.steps.size > 5 && check.run(made) }
      smallest = Property::Shrinker.new(check).shrink(conversation, check.run(conversation))
      expect(smallest.steps.map { |step| step.dig('request', 'method') }.first).to eq('POST')
      expect(smallest.steps.size).to eq(2)
      replayed = Property::Conversations.read(Property::Conversations.write(smallest))
      expect(check.run(replayed).kind).to eq('table systems, row 1: last_seen_at')
    end
  end

  it 'are the same for the same seed' do
    expect(made_up(7)).to eq(made_up(7))
    expect(made_up(7)).not_to eq(made_up(8))
  end
end
