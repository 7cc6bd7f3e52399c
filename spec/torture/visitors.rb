# frozen_string_literal: true

require 'json'
require_relative 'ledger'
require_relative 'machine'
require_relative 'until_stopped'

module Torture
  # Machines that register through several hosts at once, one after the other on each of some threads, until they are told
  # to end; and a tally of what they were answered. One that is refused is given up, as its client gives up.
  #
  # @example
  #   visitors = Visitors.new(ledger, { 'rack' => [host.url] }, stage.bases).start
  #   visitors.complete(10, seconds: 60) # => true
  #   visitors.stop
  #   visitors.oddities # => []
  class Visitors
    include UntilStopped

    # A machine that goes to any of some hosts with each request, and tells what it is answered.
    class Visitor < Machine
      # Bytes that it says more of its hardware than others do.
      PADDING = 'x' * 20_000

      # @param urls [Array<String>]
      # @param tell [Proc] called with each answer
      # @see Machine
      def initialize(urls, *rest, tell:, **options)
        super(urls.first, *rest, **options)
        @uris = urls.map { |url| URI(url) }
        @tell = tell
      end

      # @see Machine
      def hwinfo(revision)
        super.merge(padding: PADDING)
      end

      private

      def send_request(*)
        @uri = @uris.sample
        super.tap(&@tell)
      end
    end

    KINDS = 7
    LEAVES = 5 # one in so many
    PAUSE = 0.02
    private_constant :KINDS, :LEAVES, :PAUSE

    # @return [Array<String>] answers that are neither a success nor a clean refusal
    attr_reader :oddities

    # @param ledger [Ledger]
    # @param ways [Hash{String => Array<String>}] base URLs by a name; a machine uses all of one way
    # @param bases [Array<Catalog::Product>]
    # @param name [String] what host names begin with; nobody else's
    # @param threads [Integer] for each way
    # @param allowed [Array<Integer>] statuses besides success and 503 that are right
    def initialize(ledger, ways, bases, name:, threads: 2, allowed: [])
      @ledger = ledger
      @ways = ways
      @bases = bases
      @name = name
      @size = threads
      @allowed = allowed
      @oddities = []
      @counts = Hash.new(0)
      @mutex = Mutex.new
    end

    # @param what [Object] a status, `:requests`, or the name of a way for its whole registrations
    # @return [Integer]
    def count(what)
      @mutex.synchronize { @counts[what] }
    end

    # @return [Integer] whole registrations
    def completed
      @ways.keys.sum { |way| count(way) }
    end

    # @param number [Integer] further registrations, for each way
    # @param seconds [Numeric] at most
    # @return [Boolean] whether so many were completed by then
    def complete(number, seconds:)
      goals = @ways.keys.to_h { |way| [way, count(way) + number] }
      Processes.wait_until(seconds, pause: 0.05) { goals.all? { |way, goal| count(way) >= goal } } || false
    end

    # One machine from its first request to its last, or to the first that is refused.
    #
    # @param way [String]
    # @return [Boolean] whether all of it succeeded
    def register(way)
      number = tally(:machines)
      machine = @ledger.add(Visitor.new(@ways.fetch(way), "#{@name}-#{number}", @bases[number % @bases.size],
                                        profiles: profiles(number), tell: method(:note)))
      machine.register
      machine.deregister if (number % LEAVES).zero?
      tally(way)
      true
    rescue Machine::Failed => e
      odd(e.message) unless e.status == 503 || @allowed.include?(e.status)
      false
    end

    private

    def threads
      @ways.keys.product([*1..@size]).map { |way, _| Thread.new { register(way) || sleep(PAUSE) while @running } }
    end

    # Half of them have none: those are stored together with others.
    def profiles(number)
      return {} if number.odd?

      %w[pci_data mod_list].to_h { |type| [type, { identifier: "kind-#{number / 2 % KINDS}", data: "what #{type} there is" }] }
    end

    def note(answer)
      tally(:requests)
      tally(answer.code.to_i)
      odd("#{answer.code} #{answer.body}") if answer.code.to_i >= 400 && !worded?(answer)
    end

    # Whether it is a refusal as RMT words them.
    def worded?(answer)
      body = JSON.parse(answer.body)
      body.keys == %w[type error localized_error] && body['type'] == 'error' && body['error'] == body['localized_error']
    rescue JSON::ParserError
      false
    end

    def tally(what)
      @mutex.synchronize { @counts[what] += 1 }
    end

    def odd(text)
      @mutex.synchronize { @oddities << text }
    end
  end
end
