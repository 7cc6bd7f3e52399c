# frozen_string_literal: true

module RmtRs
  # Lets nobody pass for a while once something has failed several times in a row, then one, to try it. All of its threads
  # share it; a forked process goes on with a copy of its own.
  #
  # @example
  #   breaker = Breaker.new(threshold: 5, pause: 10)
  #   5.times { breaker.failed(:passes) }
  #   breaker.pass # => nil
  class Breaker
    # The right to try, which one at a time has. Several breakers may share one.
    class Trial
      # Seconds after which somebody who had it is not coming back: killed, or lost in a fork.
      LONGEST = 120
      private_constant :LONGEST

      # @param clock [#call]
      def initialize(clock)
        @clock = clock
        @mutex = Mutex.new
      end

      # @return [Boolean] whether it was free, and is taken now
      def take
        @mutex.synchronize do
          now = @clock.call
          next false if @taken && now - @taken < LONGEST

          @taken = now
          true
        end
      end

      # @return [void]
      def give_back
        @taken = nil
      end

      # @return [Boolean]
      def taken?
        !@taken.nil?
      end
    end

    # The time in seconds, of a clock that only grows.
    CLOCK = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }

    # @param threshold [Integer] failures in a row that open it
    # @param pause [Numeric] seconds between two trials
    # @param clock [#call] the time in seconds
    # @param trial [Trial]
    def initialize(threshold:, pause:, clock: CLOCK, trial: Trial.new(clock))
      @threshold = threshold
      @pause = pause
      @clock = clock
      @trial = trial
      @mutex = Mutex.new
      @failures = 0
    end

    # @return [Symbol] `closed`: all may pass; `open`: nobody; `half_open`: somebody tries
    def state
      return :closed unless @opened

      @trying ? :half_open : :open
    end

    # @return [Boolean] whether it is open and nobody may try by now
    def shut?
      !@opened.nil? && (@clock.call - @opened < @pause || @trial.taken?)
    end

    # Asks to pass. Whoever may has to say what came of it: {#succeeded}, {#failed} or {#undecided}.
    #
    # @return [Symbol, nil] `passes`; `tries` when it has the trial; nil when it may not
    def pass
      return :passes unless @opened

      @mutex.synchronize do
        next :passes unless @opened
        next if @clock.call - @opened < @pause || !@trial.take

        @trying = true
        :tries
      end
    end

    # @param pass [Symbol] what {#pass} said
    # @return [Boolean] whether it was open
    def succeeded(pass)
      return false if @failures.zero? && pass == :passes

      @mutex.synchronize do
        end_trial(pass)
        @failures = 0
        was_open = !@opened.nil?
        @opened = nil
        was_open
      end
    end

    # @param pass [Symbol] what {#pass} said
    # @return [Boolean] whether it has opened with that
    def failed(pass)
      @mutex.synchronize do
        end_trial(pass)
        if @opened
          @opened = @clock.call if pass == :tries
          next false
        end
        next false if (@failures += 1) < @threshold

        @opened = @clock.call
        true
      end
    end

    # It was no trial after all.
    #
    # @param pass [Symbol] what {#pass} said
    # @return [Boolean] false
    def undecided(pass)
      @mutex.synchronize { end_trial(pass) } if pass == :tries
      false
    end

    private

    def end_trial(pass)
      return unless pass == :tries

      @trying = false
      @trial.give_back
    end
  end
end
