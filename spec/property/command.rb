# frozen_string_literal: true

require 'optparse'
require_relative 'comparison'
require_relative 'conversations'
require_relative 'generator'
require_relative 'server'
require_relative 'shrinker'

module Property
  # What run.rb does: plays made-up conversations to servers that must agree with each other or with
  # the contract.
  #
  # @example
  #   Property::Command.new(%w[--rmt /srv/rmt --count 50]).run # => exit status
  class Command
    # The command line is wrong; nothing was started.
    class Refused < StandardError; end

    BANNER = <<~TEXT
      Usage: run.rb --rmt DIR [options]
             run.rb --url URL --database mysql://user:password@host:port/name [options]

      Plays made-up conversations: to the RMT checkout in DIR, without and with the Rust core, and compares
      the two; or to a running server, and compares it with the contract. All content of RMT's tables in the
      latter's database is lost.

    TEXT
    # How many conversations are played between two lines that say so.
    STRIDE = 25

    # @param arguments [Array<String>] of the command line
    def initialize(arguments)
      @arguments = arguments
      @options = { seed: rand(1_000_000), count: 300, differences: 1, door: 'controller', operations: Generator::OPERATIONS }
      @servers = []
    end

    # @return [Integer] exit status: 0 when all agree, 1 when not, 2 when the command line is wrong
    def run
      check!
      stopping_at_signals { play(subject) ? 0 : 1 }
    rescue Refused, OptionParser::ParseError => e
      warn("#{e.message}\n\n#{parser}")
      2
    rescue Mysql2::Error, SystemCallError, Host::Error => e
      warn("#{e.message}; #{@options[:rmt] ? 'tmp/log has the servers\' logs' : 'is the server running, are both URLs right?'}")
      2
    rescue Interrupt
      130
    end

    private

    # The first signal ends the play; more of them do not keep the servers from being stopped.
    def stopping_at_signals
      ending = false
      before = %w[INT TERM].to_h { |signal| [signal, trap(signal) { ending || (ending = true and raise(Interrupt)) }] }
      yield
    ensure
      ending = true
      @servers.each(&:stop)
      before&.each { |signal, handler| trap(signal, handler) }
    end

    def parser
      OptionParser.new(BANNER) do |flags|
        flags.on('--rmt DIR', 'a checkout of RMT; its bundle must be installed')
        flags.on('--door DOOR', %w[controller rack], "of that RMT with the Rust core; #{@options[:door]} by default")
        flags.on('--url URL', 'base URL of a running server')
        flags.on('--database URL', 'its database')
        flags.on('--reference', 'that server is RMT without the Rust core: it may crash where it does')
        flags.on('--seed N', Integer, 'of the first conversation; the next ones have the next ones')
        flags.on('--count N', Integer, "of conversations; #{@options[:count]} by default")
        flags.on('--operations LIST', Array, "some of #{Generator::OPERATIONS.join(',')}")
        flags.on('--replay FILE', 'plays the conversation in it instead')
        flags.on('--differences N', Integer, 'how many to find before giving up; 1 by default')
      end
    end

    def check!
      rest = parser.parse(@arguments, into: @options)
      raise Refused, "do not know what to do with #{rest.join(' ')}" if rest.any?
      raise Refused, 'name either --rmt, or --url and --database' unless @options.key?(:rmt) ^ server_named?

      @options[:operations] = @options[:operations].map(&:to_sym)
      unknown = @options[:operations] - Generator::OPERATIONS
      raise Refused, "there is no operation #{unknown.join(', ')}" if unknown.any?
      raise Refused, '--count and --differences are at least 1' unless @options.values_at(:count, :differences).min.positive?

      check_rmt if @options[:rmt]
      @conversations = conversations
    rescue ArgumentError => e
      raise Refused, e.message
    end

    def server_named?
      named = @options.values_at(:url, :database)
      raise Refused, '--url and --database go together' if named.one?

      named.compact.zip(%w[http mysql]) { |url, scheme| check_url(url, scheme) }
      named.all?
    end

    def check_url(url, scheme)
      return if url.match?(%r{\A#{scheme}s?://[^/]}) && URI(url).host

      raise Refused, "#{url} does not begin with #{scheme}://host"
    rescue URI::InvalidURIError => e
      raise Refused, e.message
    end

    def check_rmt
      raise Refused, 'the Rust core is not compiled; run rake compile' unless Host.native_library
      return if File.file?(File.join(@options[:rmt], 'lib/rmt.rb'))

      named = @options[:rmt].empty? ? 'no directory is named' : "#{@options[:rmt]} is not a checkout of RMT"
      raise Refused, "#{named}; name the one that holds RMT's config.ru: --rmt DIR, or rake rmt:compare RMT_HOME=DIR"
    end

    def conversations
      return [Conversations.read(@options[:replay])] if @options[:replay]

      Array.new(@options[:count]) do |index|
        Generator.new(@options[:seed] + index, operations: @options[:operations]).conversation
      end
    end

    # @return [#run] what tells whether a conversation goes wrong
    def subject
      return Check.new(player(@options), reference: @options.key?(:reference)) unless @options[:rmt]

      @servers = ['off', @options[:door]].map { |door| Server.new(@options[:rmt], door) }
      @servers.each(&:start)
      players = @servers.map { |server| player(url: server.url, database: server.database) }
      candidate = @servers.last
      Comparison.new(*players, in_rust: candidate.in_rust, left: -> { candidate.left.size })
    end

    def player(urls)
      Player.new(**urls.slice(:url, :database)).prepare
    end

    # @return [Boolean] whether nothing went wrong
    def play(subject)
      warn("#{@conversations.size} conversations#{", from seed #{@options[:seed]}" unless @options[:replay]}")
      failed = 0
      @conversations.each.with_index(1) do |conversation, number|
        failed += 1 if fails?(subject, conversation)
        report(number, subject, failed) if (number % STRIDE).zero?
        break if failed == @options[:differences]
      end
      sum_up(subject, failed)
      failed.zero?
    end

    def report(number, subject, failed)
      warn("#{number} of #{@conversations.size} conversations, #{subject.steps} steps, #{failed} differ")
    end

    def fails?(subject, conversation)
      failure = subject.run(conversation)
      return false unless failure

      warn("#{conversation.name} differs; making it smaller")
      smallest = Shrinker.new(subject).shrink(conversation, failure)
      failure = subject.run(smallest)
      puts Conversations.dump(smallest)
      puts failure || 'played once more it did not differ: it depends on something else, too'
      puts "to play it again, add --replay #{Conversations.write(smallest)}", ''
      true
    end

    def sum_up(subject, failed)
      sum_up_comparison(subject) if @options[:rmt]
      puts "#{failed} conversations differ, #{subject.steps} steps played"
    end

    def sum_up_comparison(subject)
      puts "in Rust: #{@servers.last.in_rust.join(', ')}"
      @servers.last.left.tally.each { |line, times| puts "#{times} times: #{line}" }
      puts "#{subject.crashes} conversations ended at a crash of RMT's own, #{subject.choices} where there is a choice"
    end
  end
end
