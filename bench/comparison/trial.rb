# frozen_string_literal: true

require_relative '../measurement'

module Comparison
  # One scenario through one door in one round: what came of it, as plain data.
  class Trial
    PERCENTILES = { 'p50' => 'med', 'p95' => 'p(95)', 'p99' => 'p(99)', 'max' => 'max' }.freeze
    # A step of the ramp is held when no more than this share of its registrations, or this number, is left for
    # later …
    LEFT = 0.1
    LEFT_AT_LEAST = 3
    # … and as few fail.
    FAILED = 0.01
    # Seconds between two points of the herd's timeline.
    TICK = 1.0

    # @param scenario [Scenario]
    # @param door [String]
    # @param round [Integer]
    # @param settings [Hash{String => Numeric}] of the scenario
    # @param spent [Measurement::Spent] its result is a {K6::Run}
    # @param memory [WorkerMemory, nil] where that is measured
    # @param rows [Hash] {Stage#rows} after it
    # @param log [Array<String>] what the application logged of the gem
    def initialize(scenario:, door:, round:, settings:, spent:, rows:, log:, memory: nil)
      @scenario = scenario
      @door = door
      @round = round
      @settings = settings
      @spent = spent
      @run = spent.result
      @interrupted, @journal = @run.journal.partition { |entry| entry['interrupted'] }
      @memory = memory
      @rows = rows
      @log = log
    end

    # @return [Hash{Symbol => Object}] for results.json
    def to_h
      { scenario: @scenario.name, door: @door, round: @round, passed: @run.passed, seconds: @run.seconds.round(3),
        at_work: at_work.round(3), requests: requests, units: units, **failed,
        checks: @run.values('checks').slice('passes', 'fails'), latency: latency, duration: stats('registration'),
        cpu: cpu, memory: @spent.memory, database: @spent.counters, rows: @rows, gem: gem,
        samples: @spent.samples.map { |sample| sample.to_h.transform_values { |value| value.round(3) } } }
        .merge(extra)
    end

    private

    def requests
      @run.values('latency').fetch('count', 0)
    end

    # What succeeded: of single requests k6 counts all, and the journal has those that failed.
    def units
      @scenario.registers? ? @run.values('registered').fetch('passes', 0) : requests - failures.size
    end

    # Seconds in which all users were at work. At the end they leave one by one: a time in which less is done, and that is
    # the longer the slower the door.
    def at_work
      turns = @run.values('iteration_duration')
      return @run.seconds unless @scenario.constant? && turns['count'].to_i.positive?

      turns['count'] * turns['avg'] / 1000.0 / @settings['USERS']
    end

    def failed
      { failed: failures.size, attempts: units + failures.size, interrupted: @interrupted.size, failures: causes }
    end

    def failures
      @failures ||= @journal.filter_map { |entry| entry['failed'] }
    end

    def causes
      failures.tally.map { |failed, count| { endpoint: failed['endpoint'], cause: failed['cause'], count: count } }
              .sort_by { |cause| -cause[:count] }
    end

    def latency
      { all: stats('latency'), distribution: distribution,
        endpoints: @scenario.endpoints.to_h { |endpoint| [endpoint, stats("latency{endpoint:#{endpoint}}")] }.compact }
    end

    # Milliseconds.
    def stats(metric)
      values = @run.values(metric)
      return nil unless values['count'].to_i.positive?

      PERCENTILES.to_h { |name, stat| [name.to_sym, values.fetch(stat).round(3)] }.merge(count: values['count'])
    end

    def distribution
      percentiles = @run.values('latency').select { |stat, _| stat.start_with?('p(') }
      percentiles.to_h { |stat, value| [stat[/[\d.]+/].to_f, value.round(3)] }.sort.to_h
    end

    # Seconds of processor time.
    def cpu
      application, database, generator, machine = @spent.to_h.values_at(:cpu, :database_cpu, :children_cpu, :machine_cpu)
      { application: application, database: database, load_generator: generator,
        others: [machine - application - database - generator, 0].max, seconds: @spent.seconds }
        .transform_values { |value| value.round(3) }
    end

    # A fallback is logged at each request, and so is an answer 503.
    def gem
      { boot: @log.grep(/rmt_rs \d/).last&.slice(/rmt_rs \d.*/), left_to_ruby: @log.grep(/rmt_rs: \w+ left to Ruby/).size,
        failed: @log.grep(/rmt_rs: \w+ failed/).size }
    end

    def extra
      case @scenario.name
      when 'ramp' then { ramp: ramp }
      when 'herd' then { herd: herd }
      when 'memory' then { workers: @memory.to_h(units: units) }
      else {}
      end
    end

    # Only steps that were not cut short. The first registration begins when its share of time has passed.
    def ramp
      length = @settings['RAMP_STEP']
      start = @journal.map { |entry| entry['begun'] }.min.to_i - (1000 / @settings['RAMP_FROM'])
      over = ((@run.seconds + 0.5) / length).floor
      steps = rates.first(over).each_with_index.map { |rate, index| step(rate, index, start, length) }
      { steps: steps, held: steps.take_while { |it| it[:held] }.map { |it| it[:offered] }.max || 0,
        most: steps.map { |it| it[:completed] }.max || 0 }
    end

    def rates
      rate, last, factor = @settings.values_at('RAMP_FROM', 'RAMP_TO', 'RAMP_FACTOR')
      Enumerator.produce(rate) { |it| it * factor }.take_while { |it| it <= last * 1.000001 }
    end

    def step(rate, index, start, length)
      from = start + (index * length * 1000)
      within = from...(from + (length * 1000))
      ended = @journal.select { |entry| within.cover?(entry['ended']) }
      failed = ended.count { |entry| entry['failed'] }
      completed = (ended.size - failed) / length.to_f
      p95 = @run.values("latency{step:#{index}}")['p(95)']
      { offered: rate.round(3), completed: completed.round(3), failed: failed, p95: p95&.round(3),
        held: in_time?(rate * length, ended.size) && failed <= ended.size * FAILED && p95.to_f < @settings['RAMP_LIMIT'] }
    end

    def in_time?(arrived, ended)
      arrived - ended <= [arrived * LEFT, LEFT_AT_LEAST].max
    end

    def herd
      times = { arrived: seconds_of(@journal, 'begun'), registered: seconds_of(succeeded, 'ended'),
                failed: seconds_of(@journal - succeeded, 'ended') }
      last = times.values.flatten.max.to_f
      registered = times[:registered]
      { last: registered.last, median: registered[registered.size / 2] }
        .merge(times.transform_values { |all| curve(all, last) })
    end

    def succeeded
      @succeeded ||= @journal.reject { |entry| entry['failed'] }
    end

    # Since the first arrival, in order.
    def seconds_of(entries, key)
      start = @journal.map { |entry| entry['begun'] }.min.to_i
      entries.map { |entry| (entry[key] - start) / 1000.0 }.sort
    end

    # How many until then.
    def curve(times, last)
      return [] if times.empty?

      ticks = (0..(last / TICK).ceil).map { |tick| (tick * TICK).round(1) }
      ticks.map { |tick| [tick, times.bsearch_index { |time| time > tick } || times.size] }
    end
  end
end
