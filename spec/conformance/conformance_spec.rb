# frozen_string_literal: true

require_relative '../spec_helper'
require_relative 'runner'

# What of the contract is implemented so far: names of recorded conversations.
SUPPORTED_CASES = %w[announce-* health].freeze

# CASES=glob runs other conversations than the supported ones.
# CONFORMANCE_URL, with DATABASE_URL, runs them against a server that is up already, which may be
# a real RMT (CONFORMANCE_REFERENCE=1); the content of its tables is lost.
RSpec.describe 'recorded conversations' do
  cases = (ENV.key?('CASES') ? [ENV['CASES']] : SUPPORTED_CASES).flat_map { |pattern| Conformance.cases(pattern) }

  define_method(:replay) do |conversation|
    differences = @runner.run(conversation)
    expect(differences).to be_empty, "#{conversation.why}\n#{differences.join("\n")}"
  end

  if ENV.key?('CONFORMANCE_URL')
    describe "at #{ENV['CONFORMANCE_URL']}" do
      before(:context) do
        @runner = Conformance::Runner.new(url: ENV.fetch('CONFORMANCE_URL'), database: ENV.fetch('DATABASE_URL'),
                                          reference: ENV['CONFORMANCE_REFERENCE'] == '1').prepare
      end

      after(:context) { @runner&.close }

      cases.each { |conversation| it(conversation.name) { replay(conversation) } }
    end
  else
    %w[off controller].each do |door|
      describe "with the door #{door}" do
        before(:context) do
          if door != 'off' && !Host.native_library
            raise 'the Rust core is not compiled, so this door would prove nothing; run rake compile first'
          end

          database = SuiteDatabase.fresh("conformance_#{door}")
          @host = Host.new(database_url: database.url, door: door).start
          @runner = Conformance::Runner.new(url: @host.url, database: database.url).prepare
        end

        # Ruby gives the same answers, so they alone do not tell who gave them.
        after do
          log = File.read(@host.log)
          expect(log).to match(/rmt_rs .*in Rust: .*announce/) if door == 'controller'
          expect(log).not_to match(/rmt_rs: .* (left to|failed in) Ruby/)
        end

        after(:context) do
          @runner&.close
          @host&.stop
        end

        cases.each { |conversation| it(conversation.name) { replay(conversation) } }
      end
    end
  end
end
