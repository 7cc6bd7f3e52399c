# frozen_string_literal: true

module RmtRs
  class Shadow
    # A {Ledger::Report} for an operator to read.
    class Summary
      # @param report [Ledger::Report]
      def initialize(report)
        @report = report
      end

      # @return [String]
      def to_s
        return <<~TEXT if @report.compared.empty? && @report.skipped.empty?
          Nothing was compared yet. Set `shadow: 5` (of a hundred requests) in RMT's settings, and a door that is not off.
        TEXT

        [verdict, table, list('What differed, and how often', @report.differences),
         list('Not compared, and why', @report.skipped), examples].compact.join("\n")
      end

      private

      def verdict
        all = @report.compared.values.sum
        same = @report.same.values.sum
        "#{all} requests were compared: #{same == all ? 'all the same' : "#{all - same} differed"}.\n"
      end

      def table
        lines = @report.compared.sort.map do |operation, count|
          format('  %-24s %10d %10d', operation, count, @report.same.fetch(operation, 0))
        end
        [format('  %-24s %10s %10s', 'operation', 'compared', 'the same'), *lines, ''].join("\n")
      end

      def list(title, counts)
        return if counts.empty?

        ["#{title}:", *counts.sort_by { |_, count| -count }.map { |what, count| format('  %8d  %s', count, what) }, ''].join("\n")
      end

      def examples
        return if @report.examples.empty?

        lines = @report.examples.last(10).map do |it|
          "  #{Time.at(it['at']).utc.strftime('%F %T')} #{it['operation']}: #{it['differences'].join('; ')}"
        end
        ['The latest:', *lines, ''].join("\n")
      end
    end
  end
end
