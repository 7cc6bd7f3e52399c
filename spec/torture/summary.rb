# frozen_string_literal: true

require 'fileutils'

module Torture
  # What came of all trials, as a table in Markdown.
  class Summary
    HEADS = ['trial', 'what was done', 'verdict', 'seconds'].freeze

    # @param reports [Array<Report>]
    def initialize(reports)
      @reports = reports
    end

    # @return [String]
    def to_s
      rows = [HEADS, *@reports.map { |report| row(report) }].map { |cells| cells.map { |cell| cell.gsub('|', '\\|') } }
      widths = rows.transpose.map { |column| column.map(&:length).max }
      lines = rows.map { |cells| line(cells.zip(widths).map { |cell, width| cell.ljust(width) }) }
      lines.insert(1, line(widths.map { |width| '-' * width }))
      [*lines, *violations].join("\n")
    end

    # @param out [IO]
    # @param file [String]
    # @return [void]
    def write(out, file)
      FileUtils.mkdir_p(File.dirname(file))
      File.write(file, "#{self}\n")
      out.puts('', self)
    end

    private

    def row(report)
      done = report.figures.map { |name, value| "#{name}: #{value}" }.join(', ')
      [report.name, done, report.verdict, report.seconds&.round.to_s]
    end

    def line(cells)
      "| #{cells.join(' | ')} |"
    end

    def violations
      @reports.flat_map do |report|
        next [] if report.violations.empty?

        ['', "#{report.name}: #{report.guarantee}", *report.violations.map { |text| "- #{text}" }]
      end
    end
  end
end
