# frozen_string_literal: true

module Torture
  # What a trial does, has done, and has found.
  #
  # @example
  #   report.say('10 of 50 kills')
  #   report.figure('kills', 50)
  #   report.violation('system 17 was acknowledged and is gone')
  #   report.verdict # => "broken: 1 violation"
  class Report
    # Of more of them no more is printed.
    VIOLATIONS_PRINTED = 20

    # @return [String]
    attr_reader :name
    # @return [String]
    attr_reader :guarantee
    # @return [Hash{String => Object}] what was done, in numbers
    attr_reader :figures
    # @return [Array<String>] what should not have happened
    attr_reader :violations
    # @return [Float, nil] seconds; nil when it did not end
    attr_reader :seconds

    # @param name [String] of the trial
    # @param guarantee [String]
    # @param out [IO]
    def initialize(name, guarantee, out)
      @name = name
      @guarantee = guarantee
      @out = out
      @figures = {}
      @violations = []
      @mutex = Mutex.new
      @begun = now
    end

    # Prints a line; for what a trial does and how far it is.
    #
    # @param text [String]
    # @return [void]
    def say(text)
      @mutex.synchronize do
        @out.puts(format('%-12s %6.1f s  %s', @name, now - @begun, text))
        @out.flush
      end
    end

    # Notes a figure for the summary; one with the same name replaces it.
    #
    # @param name [String] what was counted, such as `kills`
    # @param value [Object]
    # @return [void]
    def figure(name, value)
      @mutex.synchronize { @figures[name] = value }
      say("#{name}: #{value}")
    end

    # Notes that a promise was broken.
    #
    # @param text [String] what happened, with what it takes to understand it
    # @return [void]
    def violation(text)
      count = @mutex.synchronize { @violations.push(text).size }
      say("VIOLATION: #{text}") if count <= VIOLATIONS_PRINTED
    end

    # Notes that the trial itself could not be run.
    #
    # @param error [Exception]
    # @return [void]
    def failure(error)
      @failure = error
      say("COULD NOT BE RUN: #{error.class}: #{error.message}\n  #{error.backtrace.first(8).join("\n  ")}")
    end

    # @yield the trial
    # @return [void]
    def taking_time
      yield
    ensure
      @seconds = now - @begun
    end

    # A trial without a figure has done nothing.
    #
    # @return [Boolean]
    def kept?
      !@failure && @violations.empty? && @figures.any?
    end

    # @return [String]
    def verdict
      return "could not be run: #{@failure.class}: #{@failure.message.lines.first&.strip}" if @failure
      return "broken: #{@violations.size} violation#{'s' if @violations.size > 1}" if @violations.any?

      @figures.any? ? 'kept' : 'nothing was done'
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
