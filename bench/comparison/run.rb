# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'time'
require_relative '../k6'
require_relative '../measurement'
require_relative 'machine'
require_relative 'plan'
require_relative 'report'
require_relative 'stage'
require_relative 'trial'
require_relative 'worker_memory'

module Comparison
  # Measures what a plan asks for and writes the report.
  #
  # @example
  #   Comparison::Run.new(Comparison::Plan.new(%w[steady], ENV).check!).call # => "tmp/bench/20261120-120000"
  class Run
    # Seconds between two lines of progress while something is measured.
    PROGRESS = 10
    # What may go wrong, with a message that says what to do.
    ERRORS = [PrivateMariadb::Error, Host::Error, K6::Error, Machine::Error, Pictures::Error, RmtCheckout::Error].freeze

    # @param plan [Plan] checked
    # @param output [IO] for progress
    # @param directory [String] where the directory with the report is made
    def initialize(plan, output: $stderr, directory: File.join(Host::PROJECT, 'tmp/bench'))
      @plan = plan
      @output = output
      @started = Time.now
      @directory = File.join(directory, @started.strftime('%Y%m%d-%H%M%S'))
    end

    # @return [String] the directory with report.html, report.md, results.json and the pictures
    # @raise one of {ERRORS}; there is a report nevertheless of what was measured before
    def call
      FileUtils.mkdir_p(@directory)
      announce
      raise_file_limit
      on_stage { |stage| gather(stage) }
      report
      @directory
    rescue *ERRORS
      report if @results && @results[:trials].any?
      raise
    end

    private

    def say(text)
      @output.puts "bench: #{text}"
    end

    def announce
      rounds = @plan.scenarios.map { |scenario| "#{scenario.name} (#{@plan.rounds(scenario)})" }.join(', ')
      say("scenarios (and rounds of each): #{rounds}; doors: #{@plan.doors.join(', ')}")
      return if @plan.rmt

      say('*** RMT_HOME is not set: this is the small host app of the tests, not RMT. Its Ruby does less than RMT ***')
      say('*** does, so it is no yardstick, and whole registrations are not measured through it (door off).      ***')
    end

    # For k6 and Puma, which inherit it.
    def raise_file_limit
      soft, hard = Process.getrlimit(:NOFILE)
      needed = @plan.files_needed
      Process.setrlimit(:NOFILE, needed, hard) if soft < needed
    end

    def on_stage
      stage = Stage.new(@plan, method(:say))
      yield stage.open
    ensure
      stage&.close
    end

    def gather(stage)
      say('asking the application what it runs on')
      @results = { started_at: @started.iso8601, command: command, **Machine.new(@plan, stage).to_h, other_engine: other_engine,
                   trials: [] }
      @plan.scenarios.each { |scenario| measure(scenario, stage) }
    end

    def report
      say(Report.new(@results, @directory).write)
      say("the report is #{File.join(@directory, 'report.html')}")
    end

    def command
      given = [*Plan::NUMBERS.keys, 'DOORS', 'CATALOG'].filter_map { |name| "#{name}=#{ENV.fetch(name)}" if ENV[name] }
      [*given, *('RMT_HOME=…' if @plan.rmt), "rake bench[#{@plan.scenarios.map(&:name).join(',')}]"].join(' ')
    end

    # What RMT loads need not be this checkout.
    def other_engine
      return if @plan.rmt.nil? || @plan.rmt.bundled? || File.identical?(@plan.rmt.engine, Host::PROJECT)

      "RMT loads rmt_rs from #{File.realpath(@plan.rmt.engine)}, not from this checkout."
    end

    # Doors in alternating order: what changes with time is not for ever on the same one's account.
    def measure(scenario, stage)
      stage.show_catalog(@plan.catalog_of(scenario))
      (1..@plan.rounds(scenario)).each do |round|
        doors = @plan.doors_of(scenario)
        (round.odd? ? doors : doors.reverse).each { |door| @results[:trials] << trial(scenario, stage, door, round) }
      end
    end

    def trial(scenario, stage, door, round)
      @where = "#{scenario.name}, round #{round} of #{@plan.rounds(scenario)}, door #{door}"
      stage.fresh_rows(scenario)
      say("#{@where}: starting Puma")
      stage.with_host(door) do |host|
        warm_up(scenario, stage, host, door)
        stage.fresh_rows(scenario)
        say("#{@where}: measuring")
        memory = WorkerMemory.new(host.worker_pids) if scenario.name == 'memory'
        spent = watched(scenario, stage, host, [door, round], memory)
        Trial.new(scenario: scenario, door: door, round: round, settings: @plan.settings(scenario, door), spent: spent,
                  memory: memory, rows: stage.rows, log: words_of_the_gem(host)).to_h.tap { |trial| tell(trial) }
      end
    rescue Errno::ENOENT, Errno::ESRCH, Mysql2::Error => e
      raise Host::Error, "#{@where}: the application or the database ended while it was measured (#{e.message}); " \
                         "their logs, in tmp/log and #{Stage::DIRECTORY}, may say why"
    end

    def words_of_the_gem(host)
      File.foreach(host.log, encoding: 'UTF-8').map(&:scrub).grep(/rmt_rs/)
    end

    def warm_up(scenario, stage, host, door)
      script, settings = scenario.warm_up
      settings = settings.merge('DURATION' => @plan.numbers['WARMUP'], 'FLEET' => @plan.numbers['FLEET'], **scenario.environment)
      say("#{@where}: warming up")
      run = K6.try(script, environment(stage, host, door).merge(settings), raw(scenario, door, 'warm-up'))
      raise K6::Error, "#{@where}: the warm-up did not get the answers it should:\n#{run.log}" unless run.passed
    end

    def watched(scenario, stage, host, (door, round), memory)
      directory = raw(scenario, door, round)
      environment = environment(stage, host, door).merge(@plan.settings(scenario, door))
      @next_word = PROGRESS
      memory&.sample(0)
      watch = lambda do |sample|
        memory&.sample(sample.at, now: false)
        watch(directory, sample)
      end
      Measurement.of(host, stage.database, watch: watch) { K6.try(scenario.script, environment, directory) }
                 .tap { |spent| memory&.sample(spent.seconds) }
    end

    def environment(stage, host, door)
      { 'URL' => host.url, 'DOOR' => door, 'REGCODE' => Catalog::REGCODES.first,
        'PRODUCTS' => stage.bases.map(&:triplet).join(',') }
    end

    def raw(scenario, door, round)
      File.join(@directory, 'raw', "#{scenario.name}-#{door}-#{round}")
    end

    def watch(directory, sample)
      return if sample.at < @next_word

      @next_word += PROGRESS
      journal = File.join(directory, 'journal.jsonl')
      lines = File.file?(journal) ? File.foreach(journal).count : 0
      busy = %i[application database].map { |kind| "#{kind} #{(sample[kind] * 100).round} %" }.join(', ')
      say("#{@where}: #{sample.at.round} s, #{"#{lines} lines of the journal, " if lines.positive?}#{busy} of a processor")
    end

    def tell(trial)
      rate = trial[:units] / trial[:at_work]
      say("#{@where}: #{trial[:units]} succeeded (#{rate.round(1)}/s), #{trial[:failed]} failed, " \
          "#{trial[:seconds].round(1)} s")
    end
  end
end
