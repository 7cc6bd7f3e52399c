# frozen_string_literal: true

require_relative 'occurrence'

module RmtRs
  # The events of {Occurrence} as metrics, where RMT shows its own: it has Yabeda for that, and a switch
  # (`scc.metrics.enabled`). No label is chosen by a client.
  #
  # @example
  #   RmtRs::Metrics.names # => ["rmt_rs_operations_total", "rmt_rs_operation_duration_seconds", …]
  module Metrics
    # A metric: its type, its unit, its labels, what it means, and where histograms are cut.
    Metric = Struct.new(:type, :unit, :labels, :meaning, :buckets) do
      # @return [Hash{Symbol => Object}] as Yabeda takes it
      def options
        { comment: meaning, tags: labels, unit: unit, buckets: buckets }.compact
      end
    end

    GROUP = :rmt_rs
    # Seconds: from half a millisecond, which a good answer takes, to a minute, which no client waits.
    SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60].freeze
    TOGETHER = [1, 2, 4, 8, 16, 32, 64].freeze

    ALL = {
      operations_total: Metric.new(:counter, nil, %i[operation door outcome], 'Requests that were answered'),
      operation_duration: Metric.new(:histogram, :seconds, %i[operation door], 'Time at the door', SECONDS),
      queue_duration: Metric.new(:histogram, :seconds, %i[operation], 'Time until there was a database connection', SECONDS),
      database_duration: Metric.new(:histogram, :seconds, %i[operation], 'Time with a database connection', SECONDS),
      render_duration: Metric.new(:histogram, :seconds, %i[operation], 'Time to make the body of the answer', SECONDS),
      retries_total: Metric.new(:counter, nil, %i[operation], 'Transactions done again after the database had undone them'),
      fallbacks_total: Metric.new(:counter, nil, %i[operation], 'Requests left to Ruby because Rust could not answer'),
      passes_total: Metric.new(:counter, nil, %i[reason], 'Requests that the rack door has left to Rails'),
      catalog_hits_total: Metric.new(:counter, nil, [], 'Products that were remembered when they were asked for'),
      catalog_misses_total: Metric.new(:counter, nil, [], 'Products that had to be read from the database'),
      announces_together: Metric.new(:histogram, nil, [], 'Announces that one statement has stored', TOGETHER),
      pool_size: Metric.new(:gauge, nil, [], 'Database connections that this process may open'),
      pool_open: Metric.new(:gauge, nil, [], 'Database connections that are open'),
      pool_busy: Metric.new(:gauge, nil, [], 'Database connections that operations have'),
      pool_waiting: Metric.new(:gauge, nil, [], 'Operations that wait for a database connection'),
      catalog_bytes: Metric.new(:gauge, nil, [], 'Memory taken by products and answers that are remembered'),
      breaker_open: Metric.new(:gauge, nil, %i[operation breaker], '1 while Rust (core) or the database is not asked')
    }.freeze
    # Seconds between two looks at the gauges.
    PAUSE = 1
    private_constant :PAUSE

    class << self
      # @return [Boolean] whether RMT shows metrics
      def asked_for?
        !defined?(::Settings) || ::Settings.dig(:scc, :metrics, :enabled) ? true : false
      end

      # @return [Array<String>] what Prometheus calls them
      def names
        ALL.map { |name, metric| [GROUP, name, metric.unit].compact.join('_') }
      end

      # Shows them by Yabeda, where that is and RMT asks for it. To be called before Rails has booted.
      #
      # @return [Boolean] whether it was done
      def install
        return false unless defined?(::Yabeda) && asked_for?

        define
        ActiveSupport::Notifications.subscribe(Occurrence::EVENT) { |event| harmlessly { note(event) } }
        ActiveSupport::Notifications.subscribe(Occurrence::PASS) do |event|
          harmlessly { group.passes_total.increment({ reason: event.payload[:reason] }) }
        end
        # What a process that has ended had in its hands would be shown for ever.
        at_exit { harmlessly { gauges.each { |name| group.public_send(name).set({}, 0) } if @gauged == Process.pid } }
        true
      end

      private

      def define
        all = ALL
        look = -> { harmlessly { show(RmtRs.gauges, RmtRs.breakers) } }
        ::Yabeda.configure do
          group(GROUP) do
            all.each { |name, metric| public_send(metric.type, name, **metric.options) }
          end
          # For a server of one process; of several, it is the master who is asked.
          collect(&look)
        end
      end

      def group
        ::Yabeda.public_send(GROUP)
      end

      def gauges
        ALL.select { |_, metric| metric.type == :gauge && metric.labels.empty? }.keys
      end

      # An answer must not be lost over its metrics.
      def harmlessly
        yield
      rescue StandardError => e
        RmtRs.logger&.error("rmt_rs: metrics: #{e.class}: #{e.message}") unless @complained
        @complained = true
      end

      def note(event)
        payload = event.payload
        operation = { operation: payload[:operation] }
        unless payload[:outcome] == :passed
          group.operations_total.increment(payload.slice(:operation, :door, :outcome))
          group.operation_duration.measure(payload.slice(:operation, :door), event.duration / 1000)
        end
        measure(operation, payload)
        count(operation, payload)
        look_now_and_then(payload)
      end

      def measure(operation, payload)
        %i[queue database render].each do |part|
          time = payload[part]
          group.public_send("#{part}_duration").measure(operation, time / 1000) if time.positive?
        end
        group.announces_together.measure({}, payload[:together]) if payload[:together].positive?
      end

      def count(operation, payload)
        { retries_total: :retries, fallbacks_total: :fallbacks }.each do |name, part|
          group.public_send(name).increment(operation, by: payload[part]) if payload[part].positive?
        end
        { catalog_hits_total: :hits, catalog_misses_total: :misses }.each do |name, part|
          group.public_send(name).increment({}, by: payload[part]) if payload[part].positive?
        end
      end

      def look_now_and_then(payload)
        now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        return if @looked && now - @looked < PAUSE

        @looked = now
        show(payload[:gauges], payload[:breakers])
      end

      def show(values, breakers)
        breakers.each do |operation, states|
          states.each { |name, state| group.breaker_open.set({ operation: operation, breaker: name }, state == :closed ? 0 : 1) }
        end
        return unless values

        @gauged = Process.pid
        gauges.each { |name| group.public_send(name).set({}, values.fetch(name)) }
      end
    end
  end
end
