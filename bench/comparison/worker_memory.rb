# frozen_string_literal: true

require_relative '../usage'

module Comparison
  # The memory of each of Puma's workers while something is measured.
  #
  # @example
  #   memory = WorkerMemory.new(host.worker_pids)
  #   memory.sample(0)
  #   memory.to_h(units: 5000) # => { seconds: [0.0], workers: [{ rss: [157286400], pss: [99614720] …
  class WorkerMemory
    # What the growth is said for.
    UNITS = 100_000

    # @param pids [Array<Integer>]
    # @param interval [Numeric] seconds between two samples: to ask for PSS takes the kernel milliseconds
    def initialize(pids, interval: 5)
      @pids = pids
      @interval = interval
      @samples = []
    end

    # @param seconds [Numeric] since the beginning
    # @param now [Boolean] even when the interval is not over
    # @return [void]
    # @raise [SystemCallError] when a worker has ended
    def sample(seconds, now: true)
      return unless now || @samples.empty? || seconds - @samples.last.first >= @interval

      @samples << [seconds.round(1), @pids.map { |pid| [Usage.resident([pid]), Usage.proportional([pid])] }]
    end

    # @param units [Integer] done from the first to the last sample
    # @return [Hash{Symbol => Object}] for results.json: bytes
    def to_h(units:)
      seconds = @samples.map(&:first)
      workers = @pids.each_index.map do |index|
        rss, pss = @samples.map { |_, sizes| sizes[index] }.transpose
        { rss: rss, pss: pss, growth: self.class.growth(seconds, rss, units) }
      end
      { seconds: seconds, workers: workers }
    end

    # The slope of the straight line through the samples of the last half.
    #
    # @param seconds [Array<Numeric>]
    # @param bytes [Array<Integer>]
    # @param units [Integer] done meanwhile, at a constant rate
    # @return [Float, nil] bytes per {UNITS}; nil of fewer than three samples
    def self.growth(seconds, bytes, units)
      half = (seconds.first + seconds.last) / 2.0
      points = seconds.zip(bytes).select { |at, _| at >= half }
      return if points.size < 3 || units.zero?

      x, y = points.transpose.map { |values| values.sum.fdiv(values.size) }
      slope = points.sum { |at, size| (at - x) * (size - y) } / points.sum { |at, _| (at - x)**2 }
      slope * (seconds.last - seconds.first) / units * UNITS
    end
  end
end
