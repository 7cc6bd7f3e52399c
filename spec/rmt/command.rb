# frozen_string_literal: true

require 'yaml'
require_relative 'checkout'
require_relative 'comparison'

module RmtSpec
  # What rake rmt:spec does: RMT's own request examples, gem off and gem on, and what differs. Results and logs stay
  # in tmp/rmt-spec.
  #
  # @example
  #   RmtSpec::Command.new('/usr/src/rmt').run # => exit status
  class Command
    EXCEPTIONS = File.join(__dir__, 'exceptions.yml')
    MESSAGE_LINES = 6
    private_constant :EXCEPTIONS, :MESSAGE_LINES

    # @param directory [String, nil] of an installed RMT
    # @param door [String] to be compared with the gem being off
    def initialize(directory, door = 'controller')
      @directory = directory
      @door = door
    end

    # @return [Integer] exit status: 0, 1 when something differs that nobody has explained, 2 when refused
    def run
      raise Refused, 'the Rust core is not compiled; run rake compile' unless Host.native_library

      checkout = Checkout.new(@directory)
      say("all rows of #{checkout.database} are deleted, before and after each example")
      compared = checkout.suites.map { |suite| compare(checkout, suite) }
      compared.each { |parts| report(*parts) }
      verdict(compared)
    rescue Refused => e
      warn("rmt:spec: #{e.message}")
      2
    end

    private

    def compare(checkout, suite)
      off, on = ['off', @door].map do |door|
        say("#{suite.name}, #{door == 'off' ? 'gem off' : "gem on, door #{door}"}")
        checkout.run(suite, door)
      end
      raise Refused, 'RMT has not loaded the gem; log/test.log there says why' unless on['account']

      [suite, off, on, Comparison.new(off, on, YAML.safe_load_file(EXCEPTIONS))]
    end

    def report(suite, off, on, comparison)
      puts '', suite.name, "  gem off: #{off['summary_line']}", "  gem on:  #{on['summary_line']}"
      account(on['account'])
      list('fail either way', comparison.failing_alike.map { |example, outcome| "#{example}: #{outcome}" })
      list('differ, with a reason', comparison.explained.map { |one| "#{told(one)}\n#{one.reason}" })
      list('do not differ any more, so exceptions.yml should forget them', comparison.outdated)
      list('DIFFER', comparison.unexplained.map { |one| "#{told(one)}\n#{first_lines(one.message)}" })
    end

    def account(account)
      puts "  in Rust: #{account['taken'].empty? ? 'nothing' : account['taken'].join(', ')}"
      account['left'].each { |operation, reasons| puts "  left to Ruby: #{[operation, *reasons.first].join(': ')}" }
      answered = account['answered'].map { |operation, outcome, count| "#{operation} #{outcome} #{count}" }
      puts "  answered: #{answered.join(', ')}" if answered.any?
    end

    def list(title, entries)
      return if entries.empty?

      puts "  #{entries.size} #{title}:"
      entries.each { |entry| puts entry.gsub(/^/, '      ').sub(/\A {6}/, '    - ') }
    end

    def told(difference)
      "#{difference.example}\ngem off: #{difference.off}; gem on: #{difference.on}"
    end

    def first_lines(message)
      message.to_s.lines.map(&:chomp).reject(&:empty?).first(MESSAGE_LINES).join("\n")
    end

    def verdict(compared)
      differing = compared.sum { |*, comparison| comparison.unexplained.size }
      puts ''
      say(differing.zero? ? 'the gem makes no difference that is not explained' : "#{differing} examples differ")
      asked = compared.any? { |_, _, on, _| on['account']['answered'].any? { |_, outcome, _| outcome == 'rust' } }
      say('Rust answered nothing, so this proves nothing; log/test.log of that RMT says why') unless asked
      differing.zero? && asked ? 0 : 1
    end

    # What rspec prints goes to the same place, by itself.
    def say(text)
      puts "rmt:spec: #{text}"
      $stdout.flush
    end
  end
end

exit(RmtSpec::Command.new(ENV.fetch('RMT_HOME', nil), ENV.fetch('DOOR', 'controller')).run) if $PROGRAM_NAME == __FILE__
