# frozen_string_literal: true

module Comparison
  # What all rounds together say: for each scenario and door the median of each figure and its spread, and
  # how doors compare with the one that RMT has without the gem.
  class Figures
    BASELINE = 'off'

    # `key`: in results.json; `name`: for people, %s is the scenario's unit; `digits` after the point; `better`: :more or
    # :less; `of`: a trial's figure, nil when it has none.
    Figure = Struct.new(:key, :name, :digits, :better, :of, keyword_init: true)

    # Per registration that succeeded, or whatever the scenario does. At the end of a ramp many are cut off.
    EACH = ->(trial, amount) { amount.fdiv(trial[:units]) if trial[:units].positive? && !trial[:ramp] }
    MEGABYTES = ->(bytes) { bytes && (bytes / 1_048_576.0) }
    # Of the worker that has most.
    WORKER = ->(trial, &of) { MEGABYTES.call(trial[:workers][:workers].filter_map(&of).max) if trial[:workers] }
    # Rates and latencies of a ramp are those of its steps.
    UNLESS_RAMP = ->(trial, value) { trial[:ramp] ? nil : value }
    REQUESTS = %i[p50 p95 p99 max].map do |share|
      [share.to_s, "requests, #{share}, ms", 1, :less, ->(it) { UNLESS_RAMP.call(it, it.dig(:latency, :all, share)) }]
    end
    WHOLE = %i[p50 p95].map do |share|
      ["unit_#{share}", "whole %ss, #{share}, ms", 0, :less, ->(it) { UNLESS_RAMP.call(it, it.dig(:duration, share)) }]
    end
    private_constant :EACH, :MEGABYTES, :WORKER, :UNLESS_RAMP, :REQUESTS, :WHOLE

    ALL = [
      ['held', 'rate that is held, %ss/s', 1, :more, ->(it) { it.dig(:ramp, :held) }],
      ['most', 'most completed in a step, %ss/s', 1, :more, ->(it) { it.dig(:ramp, :most) }],
      ['succeeded', '%ss that succeeded', 0, :more, ->(it) { it[:units] if it[:herd] || it[:workers] }],
      ['failed', '%ss that failed', 0, :less, ->(it) { it[:failed] }],
      ['last', 'the last one after, s', 1, :less, ->(it) { it.dig(:herd, :last) }],
      ['half', 'half of those that succeeded after, s', 1, :less, ->(it) { it.dig(:herd, :median) }],
      ['rate', '%ss/s', 1, :more, ->(it) { UNLESS_RAMP.call(it, it[:units] / it[:at_work]) }],
      ['request_rate', 'requests/s', 1, :more, ->(it) { it[:requests] / it[:at_work] if it[:duration] && !it[:ramp] }],
      ['success', 'success, %%', 1, :more, ->(it) { it[:units] * 100.0 / it[:attempts] if it[:attempts].positive? }],
      *REQUESTS,
      *WHOLE,
      ['cpu', 'CPU of the application per %s, ms', 2, :less, ->(it) { EACH.call(it, it[:cpu][:application] * 1000) }],
      ['database_cpu', 'CPU of the database per %s, ms', 2, :less, ->(it) { EACH.call(it, it[:cpu][:database] * 1000) }],
      ['load_cpu', 'CPU of k6 per %s, ms', 2, :less, ->(it) { EACH.call(it, it[:cpu][:load_generator] * 1000) }],
      ['statements', 'statements per %s', 1, :less, ->(it) { EACH.call(it, it[:database]['questions']) }],
      ['commits', 'commits that wrote, per %s', 1, :less, ->(it) { EACH.call(it, it[:database]['trx_rw_commits']) }],
      ['memory', 'memory of the application, MB (most, RSS)', 0, :less, ->(it) { MEGABYTES.call(it[:memory][:application]) }],
      ['memory_shared_once', 'memory of the application, MB (at the end, PSS)', 0, :less,
       ->(it) { MEGABYTES.call(it[:memory][:application_proportional]) }],
      ['database_memory', 'memory of the database, MB (most, RSS)', 0, :less, ->(it) { MEGABYTES.call(it[:memory][:database]) }],
      ['worker_start', 'memory of a worker after the warm-up, MB (RSS)', 1, :less,
       ->(it) { WORKER.call(it) { |worker| worker[:rss].first } }],
      ['worker', 'memory of a worker at the end, MB (RSS)', 1, :less, ->(it) { WORKER.call(it) { |worker| worker[:rss].last } }],
      ['worker_shared_once', 'memory of a worker at the end, MB (PSS)', 1, :less,
       ->(it) { WORKER.call(it) { |worker| worker[:pss].last } }],
      ['worker_growth', 'growth of a worker in the last half, MB per 100,000 %ss', 1, :less,
       ->(it) { WORKER.call(it) { |worker| worker[:growth] } }]
    ].map { |key, name, digits, better, of| Figure.new(key: key, name: name, digits: digits, better: better, of: of) }.freeze

    # @param trials [Array<Hash>] {Trial#to_h} of all rounds, scenarios and doors
    def initialize(trials)
      @trials = trials
    end

    # @return [Hash{String => Hash}] for results.json: scenario => door => figure => {value, least, most}, and for doors
    #   other than the baseline `ratios` => figure => likewise
    def to_h
      scenarios.to_h do |scenario|
        [scenario, doors(scenario).to_h { |door| [door, { figures: figures(scenario, door), ratios: ratios(scenario, door) }] }]
      end
    end

    # @return [Array<String>]
    def scenarios
      @trials.map { |trial| trial[:scenario] }.uniq
    end

    # @return [Array<String>] the baseline first
    def doors(scenario)
      doors = @trials.filter_map { |trial| trial[:door] if trial[:scenario] == scenario }.uniq
      (doors & [BASELINE]) + (doors - [BASELINE])
    end

    # @return [Array<Hash>] by round
    def trials(scenario, door)
      @trials.select { |trial| trial[:scenario] == scenario && trial[:door] == door }.sort_by { |trial| trial[:round] }
    end

    # @return [Hash{Symbol => Float}, nil] value (the median of the rounds), least, most
    def figure(scenario, door, key)
      spread(values(scenario, door, key))
    end

    # How many times as much as the baseline, round by round.
    #
    # @return [Hash{Symbol => Float}, nil] value (the median), least, most
    def ratio(scenario, door, key)
      return nil if door == BASELINE

      compare([scenario, door], [scenario, BASELINE], key) { |own, base| own / base }
    end

    # What comes of the values of two, round by round.
    #
    # @param own [Array(String, String)] scenario and door
    # @param other [Array(String, String)] likewise
    # @param positive [Boolean] whether all values have to be above 0
    # @yieldparam own [Float]
    # @yieldparam other [Float]
    # @return [Hash{Symbol => Float}, nil] value (the median), least, most; nil when a value is missing
    def compare(own, other, key, positive: true)
      pairs = values(*own, key).zip(values(*other, key))
      return nil if pairs.empty? || !pairs.flatten.all? { |value| positive ? value&.positive? : value }

      spread(pairs.map { |value, base| yield value.to_f, base.to_f })
    end

    # @param values [Array<Numeric, nil>]
    # @return [Hash{Symbol => Numeric}, nil]
    def spread(values)
      sorted = values.compact.sort
      { value: median(sorted), least: sorted.first, most: sorted.last } if sorted.any?
    end

    private

    def median(sorted)
      middle = sorted.size / 2
      sorted.size.odd? ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0
    end

    def values(scenario, door, key)
      figure = ALL.find { |it| it.key == key }
      trials(scenario, door).map { |trial| figure.of.call(trial) }
    end

    def figures(scenario, door)
      ALL.to_h { |it| [it.key, figure(scenario, door, it.key)] }.compact
    end

    def ratios(scenario, door)
      ALL.to_h { |it| [it.key, ratio(scenario, door, it.key)] }.compact
    end
  end
end
