# frozen_string_literal: true

require 'json'
require_relative 'chapter'
require_relative 'document'
require_relative 'doubts'
require_relative 'figures'
require_relative 'pictures'
require_relative 'scenario'
require_relative 'scorecard'
require_relative 'verdict'

module Comparison
  # Tells what was measured: report.html, report.md, results.json and the pictures.
  class Report
    # @param results [Hash] what {Run} has gathered
    # @param directory [String] that exists
    def initialize(results, directory)
      @results = results
      @directory = directory
      @figures = Figures.new(results.fetch(:trials))
      @verdict = Verdict.new(results, @figures).to_s
      @scorecard = Scorecard.new(results, @figures)
      @doubts = Doubts.new(results, @figures).to_a
    end

    # @return [String] the verdict
    # @raise [Pictures::Error]
    def write
      store('results.json', JSON.pretty_generate(@results.merge(verdict: @verdict, doubts: @doubts, targets: targets,
                                                                summary: @figures.to_h, not_measured: Doubts::NOT_MEASURED)))
      document = build
      store('report.md', document.to_markdown)
      store('report.html', document.to_html)
      @verdict
    end

    private

    def store(name, content)
      File.write(File.join(@directory, name), content)
    end

    def targets
      @scorecard.any? ? @scorecard.to_a : []
    end

    def build
      document = Document.new("rmt_rs: #{@results[:settings][:doors].join(', ')} compared, #{@results[:started_at]}")
      write_targets(document) if @scorecard.any?
      document.paragraph(@verdict, :verdict)
      document.heading('Doubts').list(@doubts) if @doubts.any?
      pictures = Pictures.new(@directory)
      @figures.scenarios.each { |name| Chapter.new(SCENARIOS.fetch(name), @figures, @results).write(document, pictures) }
      document.heading('Measured on').table(['', ''], surroundings)
              .heading('Not measured').list(Doubts::NOT_MEASURED)
              .heading('Again').paragraph("After bin/setup: #{@results[:command]}. How to read this is said in " \
                                          'docs/benchmarks/README.md.')
    end

    def write_targets(document)
      document.heading('Targets').table(*@scorecard.table)
      @scorecard.notes.each { |note| document.paragraph(note) }
    end

    def surroundings
      versions, settings = @results.values_at(:versions, :settings)
      [
        *hardware(@results[:machine]),
        *versions.map { |name, version| [name.to_s, revision(version)] },
        ['application', "#{settings[:application]}, #{settings[:workers]} workers × #{settings[:threads]} threads, log level " \
                        "#{settings[:log_level]}"],
        *settings[:catalogs].map { |name, rows| ["catalog #{name}", rows.map { |table, count| "#{count} #{table}" }.join(', ')] },
        ['settings', pairs(settings[:numbers].transform_values { |value| format('%g', value) }.merge(settings[:rmt_rs]))],
        ['MariaDB', pairs(settings[:mariadb])],
        ['limits', "#{settings[:open_files]} open files, listen backlog #{settings[:listen_backlog]}"]
      ]
    end

    def hardware(machine)
      [['machine', "#{machine[:processor]}, #{machine[:processors]} processors, #{machine[:memory] / 1_073_741_824} GB"],
       ['system', "#{machine[:system]}, Linux #{machine[:kernel]}, load #{machine[:load].join(' ')} at the beginning"]]
    end

    def pairs(settings)
      settings.map { |name, value| "#{name}=#{value}" }.join(' ')
    end

    def revision(version)
      version.is_a?(Hash) ? "#{version[:commit][0, 12]}#{', changed since' if version[:dirty]}" : version.to_s
    end
  end
end
