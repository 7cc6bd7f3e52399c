# frozen_string_literal: true

require 'active_support'
require 'active_support/notifications'

module RmtRs
  # A request for an operation, told when it has ended to those who listen: an event of ActiveSupport::Notifications.
  # Where nobody listens there is none, and nothing is measured for it.
  #
  # Its payload:
  #
  # * `operation` [Symbol] `:announce`, `:activate` …
  # * `door` [Symbol] `:rack`, `:controller`, or `:rails` where it was left to Ruby from the start
  # * `outcome` [Symbol] `:rust`; `:ruby` (RMT's own code answered, or another engine's); `:refused` (4xx), `:fallback` (Ruby
  #   answered, for Rust could not), `:unavailable` (503), `:left` (the client did), `:passed` (the rack door has left it to
  #   Rails after all, and it is told of again there), `:failed` (an exception, or another 5xx)
  # * `status` [Integer, nil] of the answer
  # * `request_id` [String, nil]
  # * `queue`, `database`, `render` [Float] milliseconds until there was a connection, with one, and to make the body
  # * `retries`, `fallbacks` [Integer]
  # * `hits`, `misses` [Integer] products that were remembered, and those that had to be read
  # * `together` [Integer] announces that one statement has stored
  # * `gauges` [Hash] numbers by their names, see {RmtRs.gauges}
  # * `breakers` [Hash] states by operation, see {RmtRs.breakers}
  #
  # Its duration is the time at the door.
  #
  # @example
  #   ActiveSupport::Notifications.subscribe('operation.rmt_rs') do |event|
  #     puts "#{event.payload[:operation]}: #{event.payload[:outcome]} in #{event.duration} ms"
  #   end
  class Occurrence
    EVENT = 'operation.rmt_rs'
    # Told of each request that the rack door leaves to Rails: `reason` [String], a few words that no client chooses.
    PASS = 'pass.rmt_rs'

    # What {Native.take_timings} tells.
    TIMINGS = %i[queue database render retries hits misses together].freeze
    # Where it is while it lasts.
    CURRENT = :rmt_rs_occurrence
    # What the counters know of how it ended; they know of more besides.
    COUNTED = %i[rust refused fallback unavailable left].freeze
    private_constant :TIMINGS, :CURRENT, :COUNTED

    class << self
      # Tells of what happens in the block, if anybody listens.
      #
      # @param operation [Symbol]
      # @param door [Symbol]
      # @param request_id [String, nil]
      # @yieldparam occurrence [Occurrence, nil] nil when nobody does
      # @return [Object] what the block gave
      def of(operation, door, request_id, &)
        return yield unless ActiveSupport::Notifications.notifier.listening?(EVENT)

        new(operation, door, request_id).around(&)
      end

      # @return [Occurrence, nil] the one that this thread is in
      def current
        Thread.current[CURRENT]
      end

      # @param reason [String] why the rack door leaves a request to Rails
      # @return [void]
      def pass(reason)
        ActiveSupport::Notifications.instrument(PASS, reason: reason)
      end
    end

    # See {Occurrence.of}.
    def initialize(operation, door, request_id)
      @operation = operation
      @payload = { operation: operation, door: door, outcome: nil, status: nil, request_id: request_id, fallbacks: 0 }
    end

    # See {Occurrence.of}.
    def around
      before = Occurrence.current
      Thread.current[CURRENT] = self
      # What was measured before belongs to nobody.
      take_timings
      ActiveSupport::Notifications.instrument(EVENT, @payload) do
        yield self
      ensure
        complete
      end
    ensure
      Thread.current[CURRENT] = before
    end

    # @param operation [Symbol]
    # @param outcome [Symbol] of that part of it, see {Counters#count}
    # @return [void]
    def counted(operation, outcome)
      outcome = :unavailable if outcome == :silent
      return unless COUNTED.include?(outcome)

      @payload[:fallbacks] += 1 if outcome == :fallback
      # That the system was recognised is not yet the end.
      @payload[:outcome] = outcome if operation == @operation || outcome != :rust
    end

    # @param status [Integer] of the answer
    # @return [void]
    def answered(status)
      @payload[:status] = status
      @payload[:outcome] ||= case status
                             when ...400 then :ruby
                             when ...500 then :refused
                             when 503 then :unavailable
                             else :failed
                             end
    end

    # The rack door has left it to Rails.
    #
    # @return [void]
    def passed
      @payload[:outcome] = :passed
    end

    private

    def complete
      @payload[:outcome] ||= :failed
      @payload.merge!(TIMINGS.zip(take_timings).to_h)
      @payload.merge!(gauges: RmtRs.gauges, breakers: RmtRs.breakers)
    end

    # There is no library where it could not be loaded.
    def take_timings
      Native.respond_to?(:take_timings) ? Native.take_timings : Array.new(TIMINGS.size, 0)
    end
  end
end
