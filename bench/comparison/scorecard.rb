# frozen_string_literal: true

require_relative 'figures'
require_relative 'targets'

module Comparison
  # Holds what was measured against {TARGETS}. Values are compared as they are, and shown rounded to the gem's disadvantage.
  class Scorecard
    AT_LEAST = %i[times_less times_more at_least].freeze
    SMALL = 'registration'
    private_constant :AT_LEAST, :SMALL

    # @param results [Hash] settings
    # @param figures [Figures]
    def initialize(results, figures)
      @figures = figures
      @host_app = results.dig(:settings, :application) != 'RMT'
    end

    # @return [Boolean] whether any target was measured
    def any?
      TARGETS.any? { |target| @figures.scenarios.include?(target.scenario) }
    end

    # @return [Array(Array<String>, Array<Array<String>>)] head and rows of a table
    def table
      doors = TARGETS.flat_map { |target| target.wanted.keys }.uniq
      rows = to_a.group_by { |entry| entry[:target] }.map do |name, entries|
        [name, *doors.flat_map { |door| entries.find { |it| it[:door] == door }.values_at(:asked, :measured, :met) }]
      end
      [['', *doors.flat_map { |door| ["#{door}: asked", 'measured', 'met'] }], rows]
    end

    # @return [Array<Hash{Symbol => String}>] for results.json
    def to_a
      @to_a ||= TARGETS.flat_map do |target|
        target.wanted.map { |door, wanted| { target: target.name, door: door, **judge(target, door, wanted) } }
      end
    end

    # @return [Array<String>] what is to be known of the table
    def notes
      rounds = TARGETS.map(&:scenario).uniq.map { |name| "#{name} #{rounds_of(name)}" }.join(', ')
      ["The median of the rounds, and in brackets the least and the most, rounded to the gem's disadvantage; rounds: #{rounds}.",
       herd, memory].compact
    end

    private

    def judge(target, door, wanted)
      spreads = target.conditions.map { |condition| measure(target.scenario, door, condition) }
      limits = target.conditions.zip(wanted)
      { asked: limits.map { |condition, limit| asked(condition, limit) }.join(' / '),
        measured: limits.zip(spreads).map { |(condition, _), spread| shown(condition, spread) }.join(' / '),
        met: met(target, door, limits, spreads) }
    end

    # @return [Hash{Symbol => Float}, nil] {Figures#spread}
    def measure(scenario, door, condition)
      key = condition.key
      case condition.way
      when :times_more then @figures.ratio(scenario, door, key)
      when :times_less then @figures.compare([scenario, Figures::BASELINE], [scenario, door], key) { |ruby, own| ruby / own }
      when :more_than_ruby
        @figures.compare([scenario, door], [scenario, Figures::BASELINE], key, positive: false) { |own, ruby| own - ruby }
      when :times_small then @figures.compare([scenario, door], [SMALL, door], key) { |large, small| large / small }
      else @figures.figure(scenario, door, key)
      end
    end

    def met(target, door, limits, spreads)
      trials = @figures.trials(target.scenario, door)
      return 'not measured' if spreads.none?
      return 'not RMT' if @host_app

      failed = trials.sum { |trial| trial[:failed] }
      return "no: #{failed} failed" if failed.positive?
      return 'no' unless limits.zip(spreads).all? { |(condition, limit), spread| spread.nil? || holds?(condition, limit, spread) }
      return 'not measured' unless spreads.all?

      trials.size < target.rounds ? "yes, but in #{trials.size} of #{target.rounds} rounds" : 'yes'
    end

    def holds?(condition, limit, spread)
      value = spread[:value]
      at_least?(condition) ? value >= limit : value <= limit
    end

    def at_least?(condition)
      AT_LEAST.include?(condition.way)
    end

    def asked(condition, limit)
      format(condition.text, "#{at_least?(condition) ? '≥' : '≤'} #{limit}")
    end

    def shown(condition, spread)
      return '–' unless spread

      value, least, most = spread.values_at(:value, :least, :most).map { |it| rounded(condition, it) }
      format(condition.text, least == most ? value : "#{value} (#{least}–#{most})")
    end

    def rounded(condition, value)
      digits = condition.way == :times_small ? 2 : 1
      rounded = at_least?(condition) ? value.to_f.floor(digits) : value.to_f.ceil(digits)
      rounded == rounded.to_i ? rounded.to_i.to_s : rounded.to_s
    end

    def rounds_of(scenario)
      @figures.doors(scenario).map { |door| @figures.trials(scenario, door).size }.min || 'none'
    end

    # A fleet that Ruby does not register as a whole has no last one to be compared with.
    def herd
      trials = @figures.trials('herd', Figures::BASELINE)
      return if trials.empty? || trials.all? { |trial| trial[:failed].zero? }

      done = trials.map { |trial| "#{trial[:units]} of #{trial[:attempts]} after #{trial[:herd][:last].to_f.round} s" }
      "Ruby did not register the whole herd, but #{done.join(', ')}: the last one of these is what the others are compared with."
    end

    def memory
      done = @figures.trials('memory', Figures::BASELINE).map { |trial| trial[:units] }
      "Ruby's worker had the memory that it is compared with after #{done.join(', ')} registrations." if done.any?
    end
  end
end
