# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'tmpdir'
require_relative '../spec/support/processes'

# The load generator: a program of its own, so that its work is not counted as the server's.
module K6
  PROJECT = File.expand_path('..', __dir__)
  SCRIPTS = File.join(PROJECT, 'bench/k6')
  # Where bin/setup puts it when the machine has none.
  OWN = File.join(PROJECT, 'tmp/k6/bin/k6')
  # k6's exit status when a threshold does not hold.
  THRESHOLD = 99

  # Memory is cheap and processors are what is measured: rather more of the one than garbage collected at once.
  LAZY = { 'GOGC' => '400' }.freeze
  private_constant :LAZY

  # It is missing, or did not do what it should.
  class Error < StandardError; end

  # What a run came to. `summary`: k6's figures, "metrics" => { "latency" => { "values" => … } … };
  # `journal`: a line for each registration or failure, see bench/k6/instance.js; `log`: what it said.
  Run = Struct.new(:summary, :journal, :passed, :log, keyword_init: true) do
    # @param metric [String] such as "latency{endpoint:announce}"
    # @return [Hash{String => Numeric}] its figures, empty when there are none
    def values(metric)
      summary.dig('metrics', metric, 'values') || {}
    end

    # @return [Float] from the first request to the last
    def seconds
      summary.dig('state', 'testRunDurationMs') / 1000.0
    end
  end

  class << self
    # @return [String] the program
    # @raise [Error] when there is none
    def program
      paths = ENV.fetch('PATH', '').split(':').map { |directory| File.join(directory, 'k6') }
      [*paths, OWN].find { |path| File.executable?(path) && File.file?(path) } ||
        raise(Error, 'k6 was not found: run bin/setup, which installs it')
    end

    # Runs a script of bench/k6 whose checks must hold.
    #
    # @param script [String] its file name, without directory
    # @param environment [Hash{String => Object}] what it finds in __ENV
    # @return [Run]
    # @raise [Error] when a check failed
    def run(script, environment)
      Dir.mktmpdir do |directory|
        run = try(script, environment, directory)
        raise Error, "k6: #{script} did not get the answers it should:\n#{run.log}" unless run.passed

        run
      end
    end

    # Runs a script, whatever comes of it.
    #
    # @param directory [String] gets summary.json, journal.jsonl and log.txt
    # @return [Run]
    # @raise [Error] when it ended before its time
    def try(script, environment, directory)
      FileUtils.mkdir_p(directory)
      summary, journal, log = %w[summary.json journal.jsonl log.txt].map { |name| File.join(directory, name) }
      FileUtils.rm_f([summary, journal])
      status = Processes.status(*command(script, environment.merge('SUMMARY' => summary), journal), log: log, env: LAZY)
      unless File.file?(summary) && (status.success? || status.exitstatus == THRESHOLD)
        raise Error, "k6 could not run #{script}. The end of #{log}:\n#{Processes.last_lines(log)}"
      end

      Run.new(summary: JSON.parse(File.read(summary)), journal: read_journal(journal), passed: status.success?,
              log: Processes.last_lines(log, 40))
    end

    private

    # Its own server for remote control is left out, and so is what this process was told for other scripts.
    def command(script, environment, journal)
      [program, 'run', '--quiet', '--no-usage-report', '--address=', '--include-system-env-vars=false', '--log-format=raw',
       "--console-output=#{journal}",
       *environment.flat_map { |key, value| ['--env', "#{key}=#{value}"] }, File.join(SCRIPTS, script)]
    end

    def read_journal(path)
      return [] unless File.file?(path)

      File.foreach(path, encoding: 'UTF-8').map { |line| JSON.parse(line) }
    end
  end
end
