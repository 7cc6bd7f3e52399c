# frozen_string_literal: true

require_relative 'document'
require_relative 'figures'
require_relative 'pictures'

module Comparison
  # What the report says of one scenario.
  class Chapter
    COUNTERS = { 'statements' => 'questions', 'SELECT' => 'com_select', 'INSERT' => 'com_insert', 'UPDATE' => 'com_update',
                 'DELETE' => 'com_delete', 'commits that wrote' => 'trx_rw_commits' }.freeze
    ROWS = { 'systems' => :systems, 'of them complete' => :complete, 'activations' => :activations }.freeze
    PROCESSORS = { 'application' => :application, 'database' => :database, 'k6' => :load_generator,
                   'other programs' => :others }.freeze
    COSTS = %w[cpu database_cpu statements p99].freeze
    private_constant :COUNTERS, :ROWS, :PROCESSORS, :COSTS

    # @param scenario [Scenario]
    # @param figures [Figures]
    # @param results [Hash] machine, settings
    def initialize(scenario, figures, results)
      @scenario = scenario
      @figures = figures
      @numbers = results[:settings][:numbers]
      @processors = results[:machine][:processors]
      @doors = figures.doors(scenario.name)
      @trials = @doors.to_h { |door| [door, figures.trials(scenario.name, door)] }
    end

    # @param document [Document] gets the chapter
    # @param pictures [Pictures]
    # @return [void]
    # @raise [Pictures::Error]
    def write(document, pictures)
      document.heading(@scenario.name.capitalize)
              .paragraph(format(@scenario.about, @numbers.transform_keys(&:to_sym)))
      draw(document, pictures)
      write_figures(document)
      document.heading('Latency by endpoint, ms', 3).table(*endpoints)
      document.heading('Failures by cause', 3)
      failures.empty? ? document.paragraph('None.') : document.table(%w[door endpoint cause times share], failures)
      document.heading('Processors and database', 3).table(*usage)
              .paragraph("How many of the #{@processors} processors were busy with what, on average; what the database " \
                         'server counted; what is in the tables afterwards. A system is complete when it has all that clients ' \
                         'activate.')
    end

    private

    def write_figures(document)
      document.table(*main)
      rounds = @trials.values.map(&:size).max
      document.paragraph('The median of the rounds, and in brackets the least and the most.') if rounds > 1
      document.heading('Against the small catalog', 3).table(*against_small) if against_small.last.any?
    end

    def draw(document, pictures)
      latency = pictures.latency("latency-#{@scenario.name}", each_trial { |trial| trial[:latency][:distribution] })
      document.picture(latency, "#{@scenario.name.capitalize}: the share of the requests that is answered within a time")
      case @scenario.name
      when 'ramp'
        file = pictures.capacity('ramp', each_trial { |trial| trial[:ramp][:steps] }, @numbers['RAMP_LIMIT'])
        document.picture(file, 'Ramp: registrations completed, and their latency, by how many arrive')
      when 'herd'
        arrived = @trials.values.flatten.first[:herd][:arrived]
        file = pictures.herd('herd', each_trial { |trial| trial[:herd] }, arrived)
        document.picture(file, 'Herd: instances registered over time')
      when 'memory'
        document.picture(pictures.memory('memory', each_trial { |trial| curve_of_memory(trial) }),
                         'Memory: what the largest worker has, by registrations')
      end
    end

    # Registrations, and megabytes of the worker that has most.
    def curve_of_memory(trial)
      seconds, workers = trial[:workers].values_at(:seconds, :workers)
      sizes = workers.map { |worker| worker[:rss] }.transpose.map(&:max)
      seconds.zip(sizes).map { |at, size| [at / seconds.last * trial[:units], size / 1_048_576.0] }
    end

    def each_trial(&)
      @trials.transform_values { |trials| trials.map(&) }
    end

    # All figures of all doors, and how they compare.
    def main
      compared = @doors.include?(Figures::BASELINE) ? @doors - [Figures::BASELINE] : []
      rows = Figures::ALL.filter_map do |figure|
        spreads = @doors.map { |door| @figures.figure(@scenario.name, door, figure.key) }
        next if spreads.none?

        ratios = compared.map { |door| @figures.ratio(@scenario.name, door, figure.key) }
        [format(figure.name, @scenario.unit), *spreads.map { |spread| text(spread, figure.digits) },
         *ratios.map { |ratio| compared_text(ratio) }]
      end
      [['', *names, *compared.map { |door| "#{door} against off" }], rows]
    end

    # How many times as much a registration costs as it does on the catalog of scenario registration.
    def against_small
      small = SCENARIOS.fetch('registration')
      return [[], []] unless @scenario.catalog && @figures.scenarios.include?(small.name)

      rows = Figures::ALL.select { |figure| COSTS.include?(figure.key) }.filter_map do |figure|
        ratios = @doors.map do |door|
          @figures.compare([@scenario.name, door], [small.name, door], figure.key) { |large, own| large / own }
        end
        [format(figure.name, @scenario.unit), *ratios.map { |ratio| "#{text(ratio, 2)} ×" }] if ratios.any?
      end
      [['', *names], rows]
    end

    def names
      @doors.map { |door| Pictures.name_of(door) }
    end

    def text(spread, digits)
      return '–' unless spread

      value, least, most = spread.values_at(:value, :least, :most).map { |it| format("%.#{digits}f", it) }
      least == most ? value : "#{value} (#{least}–#{most})"
    end

    # Always as something from 1 up.
    def compared_text(ratio)
      return '–' unless ratio

      less = ratio[:value] < 1
      value, *range = ratio.values_at(:value, :least, :most).map { |it| less ? 1 / it : it }
      least, most = range.minmax.map { |it| format('%.1f', it) }
      return 'the same' if least == '1.0' && most == '1.0'

      "#{format('%.1f', value)} times #{less ? 'less' : 'more'}#{" (#{least}–#{most})" unless least == most}"
    end

    def endpoints
      rows = @scenario.endpoints.product(@doors).filter_map do |endpoint, door|
        stats = @trials[door].filter_map { |trial| trial[:latency][:endpoints][endpoint] }
        next if stats.empty?

        [endpoint, Pictures.name_of(door), stats.sum { |it| it[:count] }.to_s,
         *%i[p50 p95 p99 max].map { |share| text(@figures.spread(stats.map { |it| it[share] }), 1) }]
      end
      [%w[endpoint door requests p50 p95 p99 max], rows]
    end

    def failures
      @trials.flat_map do |door, trials|
        attempts = trials.sum { |trial| trial[:attempts] }
        causes = trials.flat_map { |trial| trial[:failures] }.group_by { |it| it.values_at(:endpoint, :cause) }
        causes.map do |(endpoint, cause), all|
          count = all.sum { |it| it[:count] }
          [Pictures.name_of(door), endpoint, cause, count.to_s, format('%.2f %%', count * 100.0 / attempts)]
        end
      end
    end

    def usage
      rows = @trials.values.flatten.map do |trial|
        cpu = trial[:cpu]
        busy = PROCESSORS.values.map { |kind| format('%.2f', cpu[kind] / cpu[:seconds]) }
        [Pictures.name_of(trial[:door]), trial[:round], *busy,
         *trial[:database].values_at(*COUNTERS.values), *trial[:rows].values_at(*ROWS.values)].map(&:to_s)
      end
      [['door', 'round', *PROCESSORS.keys, *COUNTERS.keys, *ROWS.keys], rows]
    end
  end
end
