# frozen_string_literal: true

module RmtRs
  module Credentials
    # Leaves something alone for a while that has failed: replacing what is stored would fail at each authentication, each
    # time for the price of a hash, as long as nobody mends the database. The core does the same for its own.
    #
    # @example
    #   pause = Pause.new
    #   pause.try { row.update!(password: hash) }
    class Pause
      # How long, in seconds.
      SECONDS = 60
      private_constant :SECONDS

      # @param clock [Proc] seconds
      def initialize(clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @clock = clock
        @mutex = Mutex.new
      end

      # Runs the block, unless it is left alone. After a pause one may, and the others wait for what comes of that.
      #
      # @return [void]
      # @yieldreturn [Object]
      # @raise [StandardError] what the block raised the first time; later ones are silent until it has succeeded again
      def try
        return unless admitted?

        yield
        @mutex.synchronize { @until = nil }
      rescue StandardError
        raise if failed?
      end

      private

      def admitted?
        @mutex.synchronize do
          next false if @until && @clock.call < @until

          @until &&= @clock.call + SECONDS
          true
        end
      end

      # @return [Boolean] whether it is the first time
      def failed?
        @mutex.synchronize do
          first = @until.nil?
          @until = @clock.call + SECONDS
          first
        end
      end
    end
  end
end
