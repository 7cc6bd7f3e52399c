# frozen_string_literal: true

require_relative 'figures'
require_relative 'pictures'
require_relative 'scenario'

module Comparison
  # What the figures come to, in one paragraph.
  class Verdict
    HOST_APP = 'This was the small host app of the tests and not RMT: its Ruby does less than RMT does, and is no yardstick.'
    # For more and for less of it.
    WORDS = { 'rate' => ['as many', 'fewer'], 'held' => ['as many', 'fewer'],
              'succeeded' => ['as many', 'fewer'], 'last' => %w[later sooner],
              'cpu' => ['more CPU of the application for each', 'less CPU of the application for each'] }.freeze
    private_constant :HOST_APP, :WORDS

    # @param results [Hash] settings, trials
    # @param figures [Figures]
    def initialize(results, figures)
      @figures = figures
      @trials = results.fetch(:trials)
      @host_app = results.dig(:settings, :application) != 'RMT'
    end

    # @return [String]
    def to_s
      [(HOST_APP if @host_app), *@figures.scenarios.map { |name| sentence(SCENARIOS.fetch(name)) }, checks].compact.join(' ')
    end

    private

    # Steady: 21.0 registrations a second through Rust (door controller), 4.9 through Ruby (door off); Rust (door
    # controller) means 4.3 times as many and 4.5 times less CPU of the application for each.
    def sentence(scenario)
      doors = @figures.doors(scenario.name).reverse
      achieved = doors.map { |door| "#{achievement(scenario, door)} through #{Pictures.name_of(door)}" }.join(', ')
      "#{scenario.name.capitalize}: #{[achieved, *doors.filter_map { |door| advantage(scenario, door) }].join('; ')}."
    end

    def achievement(scenario, door)
      case scenario.name
      when 'ramp' then "#{value(scenario, door, 'held', 1)} registrations a second were held"
      when 'herd' then "#{value(scenario, door, 'succeeded', 0)} instances were registered#{last(scenario, door)}"
      when 'memory' then "a worker had #{value(scenario, door, 'worker', 0)} MB after " \
                         "#{value(scenario, door, 'succeeded', 0)} registrations"
      else
        "#{value(scenario, door, 'rate', 1)} #{scenario.unit}s a second (99 of 100 requests within " \
        "#{value(scenario, door, 'p99', 0)} ms)"
      end
    end

    def last(scenario, door)
      seconds = value(scenario, door, 'last', 0)
      " (the last after #{seconds} s)" if seconds
    end

    def value(scenario, door, key, digits)
      spread = @figures.figure(scenario.name, door, key)
      format("%.#{digits}f", spread[:value]) if spread
    end

    # Against the baseline.
    def advantage(scenario, door)
      return if scenario.name == 'memory'

      said = [main_figure(scenario, door), 'cpu'].filter_map { |key| times(scenario, door, key) }
      "Rust (door #{door}) means #{said.join(' and ')}" if said.any?
    end

    # When the last one is registered says something only where as many are.
    def main_figure(scenario, door)
      as_many = @figures.ratio(scenario.name, door, 'succeeded')&.values&.all?(1)
      { 'ramp' => 'held', 'herd' => as_many ? 'last' : 'succeeded' }.fetch(scenario.name, 'rate')
    end

    # Always something from 1 up.
    def times(scenario, door, key)
      ratio = @figures.ratio(scenario.name, door, key) or return
      less = ratio[:value] < 1
      value, *range = ratio.values_at(:value, :least, :most).map { |it| less ? 1 / it : it }
      least, most = range.minmax.map { |it| format('%.1f', it) }
      "#{format('%.1f', value)} times#{" (#{least} to #{most})" unless least == most} #{WORDS.fetch(key)[less ? 1 : 0]}"
    end

    def checks
      failed = @trials.select { |trial| trial[:failed].positive? }
      return 'Every answer was checked, and was as it should be.' if failed.empty?

      where = failed.map { |trial| "#{trial[:scenario]} through #{Pictures.name_of(trial[:door])}" }.uniq
      "Not everything succeeded: #{where.join(', ')}; the causes are below."
    end
  end
end
