# frozen_string_literal: true

require_relative '../spec_helper'
require_relative 'runner'
require 'rack/utils'
require 'rails/version'
require 'rmt_rs'
require 'rmt_rs/survey'

# What is implemented so far, by the host app in Ruby and by the core: names of recorded conversations.
SUPPORTED_CASES = {
  'off' => %w[announce-* own/announce-* health],
  'controller' => %w[* own/*],
  'rack' => %w[* own/*]
}.freeze
# What the core leaves to RMT, and the host app is too small for: run.rb shows it with a real RMT.
BEYOND_HOST_APP = %w[service-id-spellings service-zypper-unknown service-xml-unknown].freeze

# What newer ones say otherwise than the Rails and Rack of the recordings; so does RMT on them.
OTHER_WORDS = { 'Unprocessable Entity' => Rack::Utils::HTTP_STATUS_CODES[422] }.freeze
# Later versions of Rails keep arrays within arrays; spec/compat has an example of that.
ONLY_OLD_RAILS = (Rails::VERSION::MAJOR > 6 ? %w[announce-hwinfo-nested] : []).freeze

# CASES=glob runs other conversations than the supported ones; run.rb runs them against a server that
# is up already, such as a real RMT.
RSpec.describe 'recorded conversations' do
  [*SUPPORTED_CASES.map { |door, supported| [door, supported, 'plaintext'] },
   # What is stored as a password is all that differs there.
   ['rack', SUPPORTED_CASES['rack'], 'argon2id']].each do |door, supported, credentials|
    cases = (ENV.key?('CASES') ? [ENV['CASES']] : supported).flat_map { |pattern| Conformance.cases(pattern) }
    cases.reject! { |conversation| (BEYOND_HOST_APP + ONLY_OLD_RAILS).include?(conversation.name) } unless ENV.key?('CASES')
    cases.map! { |conversation| conversation.in_words(OTHER_WORDS) }

    hashed = credentials == 'argon2id'

    describe "with the door #{door}#{', and passwords as hashes' if hashed}" do
      before(:context) do
        if door != 'off' && !Host.native_library
          raise 'the Rust core is not compiled, so this door would prove nothing; run rake compile first'
        end

        database = SuiteDatabase.fresh("conformance_#{door}_#{credentials}")
        @host = Host.new(database_url: database.url, door: door, env: hashed ? { 'RMT_RS_CREDENTIALS' => credentials } : {}).start
        @runner = Conformance::Runner.new(url: @host.url, database: database.url, except: hashed ? %w[password] : []).prepare
      end

      # Ruby gives the same answers, so they alone do not tell who gave them.
      around do |example|
        written = File.size(@host.log)
        example.run
        log = File.read(@host.log)
        operations = RmtRs::Operations::ALL.keys.join(', ')
        expect(log).to match(/rmt_rs .*in Rust: #{operations}$/) if door != 'off'
        expect(log.byteslice(written..).lines.grep(/rmt_rs: .* (left to|failed in) R/)).to be_empty
      end

      after(:context) do
        @runner&.close
        @host&.stop
      end

      cases.each do |conversation|
        it(conversation.name) do
          differences = @runner.run(conversation)
          expect(differences).to be_empty, "#{conversation.why}\n#{differences.join("\n")}"
        end
      end
    end
  end
end
