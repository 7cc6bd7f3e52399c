# frozen_string_literal: true

require_relative '../spec_helper'
require_relative 'command'

# What of the contract the host app can be asked for.
PROPERTY_OPERATIONS = Property::Generator::OPERATIONS

# Made-up conversations with the host app and the Rust core, held against the model of the contract. The
# same against a real RMT: rake rmt:compare, or run.rb.
RSpec.describe 'made-up conversations' do
  # The same each time, so that what once passed is known to pass.
  fixed_seeds = (1..80)
  # Others each time, for as long.
  some_seed = Random.new_seed % 1_000_000
  seconds = 6

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

  def forget(database)
    database.with_client do |sql|
      sql.query('CREATE TRIGGER forget BEFORE UPDATE ON systems FOR EACH ROW SET NEW.last_seen_at = OLD.last_seen_at')
    end
  end

  def remember(database)
    database.with_client { |sql| sql.query('DROP TRIGGER forget') }
  end

  describe 'with a database that forgets' do
    before { forget(@database) }
    after { remember(@database) }

    it 'disagree, and as few steps as can be show it' do
      conversation = (1..).lazy.map { |seed| made_up(seed) }.find { |made| made.steps.size > 5 && check.run(made) }
      smallest = Property::Shrinker.new(check).shrink(conversation, check.run(conversation))
      expect(smallest.steps.size).to eq(2)
      expect(smallest.steps.first.dig('request', 'path')).to eq('/connect/subscriptions/systems')
      replayed = Property::Conversations.read(Property::Conversations.write(smallest))
      expect(check.run(replayed).kind).to eq('table systems: last_seen_at')
    end

    it 'are printed by the command' do
      arguments = ['--url', @host.url, '--database', @database.url, '--seed', '1', '--count', '20']
      status = nil
      expect { expect { status = Property::Command.new(arguments).run }.to output(/last_seen_at/).to_stdout }
        .to output(/seed \d+ differs; making it smaller/).to_stderr
      expect(status).to eq(1)
    end
  end

  describe 'with two servers' do
    before(:context) do
      @other_database = SuiteDatabase.fresh('property_other')
      @other_host = Host.new(database_url: @other_database.url, door: 'rack').start
      @other_player = Property::Player.new(url: @other_host.url, database: @other_database.url).prepare
    end

    after(:context) do
      @other_player&.close
      @other_host&.stop
    end

    def compare(seed)
      Property::Comparison.new(@player, @other_player).run(made_up(seed))
    end

    it 'agree with each other, in all but what was made up' do
      expect((1..15).filter_map { |seed| compare(seed) }).to eq([])
    end

    it 'differ when one of them forgets' do
      forget(@other_database)
      expect((1..15).filter_map { |seed| compare(seed) }.map(&:kind)).to include('table systems: last_seen_at')
    ensure
      remember(@other_database)
    end
  end

  it 'are the same for the same seed' do
    expect(made_up(7)).to eq(made_up(7))
    expect(made_up(7)).not_to eq(made_up(8))
  end

  it 'are refused where nothing can be played' do
    { [] => /name either --rmt/, %w[--rmt /nowhere] => /not a checkout of RMT/, %w[--url http://h] => /go together/,
      %w[--url h --database mysql://h/d] => %r{begin with http://}, %w[--url http://h --database h] => %r{begin with mysql://},
      %w[--replay /nowhere --rmt /nowhere] => /not a checkout/, %w[--seed x] => /invalid argument/ }.each do |arguments, reason|
      status = nil
      expect { status = Property::Command.new(arguments).run }.to output(reason).to_stderr
      expect(status).to eq(2)
    end
  end
end
