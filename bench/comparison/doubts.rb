# frozen_string_literal: true

require_relative 'figures'

module Comparison
  # What makes figures doubtful, each with the trials that it is about.
  class Doubts
    # k6 takes this share of all processors while nothing is left of them: then it is what is measured.
    GENERATOR = 0.25
    BUSY = 0.9
    # For programs that have nothing to do with it.
    OTHERS = 0.1

    NOT_MEASURED = [
      'TLS and nginx before RMT, and a network: clients, server and database are on one machine',
      'the download of metadata and packages, which nginx serves',
      'rmt-cli (sync, mirror, purge, scc-sync) at work at the same time',
      'system profiles, and updates that bring days of uptime from before yesterday',
      'the engines of public clouds, and the health check their clients make before they register',
      'more than one RMT on one database, and a database on another machine',
      'hours and days: memory that grows, caches that age, tables with millions of systems'
    ].freeze

    # @param results [Hash] machine, versions, settings, trials
    # @param figures [Figures]
    def initialize(results, figures)
      @machine, @versions, @settings, @trials = results.values_at(:machine, :versions, :settings, :trials)
      @other_engine = results[:other_engine]
      @figures = figures
    end

    # @return [Array<String>]
    def to_a
      [*of_the_whole, *of_trials]
    end

    private

    def of_the_whole
      rounds = @settings.dig(:numbers, 'ROUNDS') || 1
      alone = @figures.scenarios.select { |name| @figures.doors(name).one? }
      [
        ("Only one door was measured, so there is nothing to compare it with: #{alone.join(', ')}." if alone.any?),
        ('Fewer than three rounds: their spread says little.' if rounds < 3),
        (debug if @settings[:application] == 'RMT' && @settings[:log_level] == 'debug'),
        ('The checkout of rmt_rs differs from its commit.' if @versions.dig(:rmt_rs_revision, :dirty)),
        @other_engine
      ].compact
    end

    def debug
      "RMT logs at level debug, which slows its Ruby down: set log_level.rails to info, as RMT's packages do."
    end

    def of_trials
      { **of_the_machine, **of_the_gem, **of_the_ramp }.filter_map do |text, holds|
        trials = @trials.select(&holds)
        "#{text} (#{trials.map { |trial| "#{trial[:scenario]} #{trial[:door]} #{trial[:round]}" }.join(', ')})" if trials.any?
      end
    end

    def of_the_machine
      {
        "k6 was the bottleneck, or near it: it took more than #{percent(GENERATOR)} of a machine that was busy. On a machine " \
        'of its own the server could do more.' => ->(it) { share(it, :load_generator) > GENERATOR && busy(it) > BUSY },
        "Other programs took more than #{percent(OTHERS)} of the machine. Measure on a quiet one." =>
          ->(it) { share(it, :others) > OTHERS }
      }
    end

    def of_the_gem
      {
        'The gem left requests to Ruby; the log of the application says why.' => ->(it) { it[:gem][:left_to_ruby].positive? },
        'Requests failed in Rust; the log of the application says why.' => ->(it) { it[:gem][:failed].positive? },
        'The log does not say that the door was open.' => ->(it) { it[:door] != Figures::BASELINE && !it[:gem][:boot] }
      }
    end

    def of_the_ramp
      last, factor = @settings[:numbers].values_at('RAMP_TO', 'RAMP_FACTOR')
      {
        'It never gave way: raise RAMP_TO.' => ->(it) { it[:ramp] && it[:ramp][:held] > last / factor },
        'Not even the first rate was held: lower RAMP_FROM.' => ->(it) { it[:ramp] && it[:ramp][:held].zero? }
      }
    end

    # Of all processors.
    def share(trial, kind)
      trial[:cpu][kind] / (trial[:cpu][:seconds] * @machine[:processors])
    end

    def busy(trial)
      %i[application database load_generator others].sum { |kind| share(trial, kind) }
    end

    def percent(share)
      "#{(share * 100).round} %"
    end
  end
end
