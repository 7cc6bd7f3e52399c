# frozen_string_literal: true

module Torture
  # What all trials are. A subclass in trials/NAME.rb is called as its file, and is found there.
  #
  # @example
  #   class Kills < Torture::Trial
  #     guarantee 'what was acknowledged is there after any crash'
  #
  #     def run(report)
  #       kills = scale.of('KILLS', small: 4, full: 50)
  #       kills.times { … report.violation("system #{id} is gone") … }
  #       report.figure('kills', kills)
  #     end
  #   end
  class Trial
    class << self
      # @param words [String, nil] what is tried, said once
      # @return [String]
      def guarantee(words = nil)
        words ? @guarantee = words : @guarantee
      end

      # Says that `bin/test` need not run it, for what it wraps runs there anyway.
      #
      # @return [void]
      def full_only
        @full_only = true
      end

      # @return [Boolean] whether `bin/test` runs it
      def small?
        !@full_only
      end
    end

    # @param scale [Scale]
    def initialize(scale)
      @scale = scale
    end

    # Tries it. What it raises is a trial that could not be run, not a promise kept.
    #
    # @param report [Report]
    # @return [void]
    def run(report)
      raise NotImplementedError, "#{self.class} does not run (#{report.name})"
    end

    private

    # @return [Scale]
    attr_reader :scale
  end
end
