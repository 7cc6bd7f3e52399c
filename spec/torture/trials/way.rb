# frozen_string_literal: true

require_relative '../../support/faulty_way'
require_relative '../registrations'
require_relative '../stage'

module Torture
  # Puts a proxy with faults between the core and the database, while Ruby's own connections lead there directly: so a
  # request that the core gave up wrongly is done by both.
  class Way < Trial
    guarantee 'whatever fails on the way to the database, a request has one result or a clean error, fallback included'

    THREADS = 12
    # One fault in so many statements.
    EVERY = 25
    # Service resumes within this time when there are no more faults.
    RESUME_SECONDS = 60
    # So long it may take to have the faults, at most.
    SECONDS = 3600
    private_constant :THREADS, :EVERY, :RESUME_SECONDS, :SECONDS

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      seed = scale.of('SEED', small: Random.new_seed % 100_000, full: Random.new_seed % 100_000)
      report.figure('seed', seed)
      @chance = Random.new(seed)
      @counts = Hash.new(0)
      faults = scale.of('FAULTS', small: 60, full: 5000)
      doors = scale.full? ? %w[rack controller] : %w[rack]
      Stage.open('way') do |stage|
        @stage = stage
        @ledger = Ledger.new(stage.database).open
        doors.each { |door| behind(door, faults / doors.size) }
        conclude
      end
    end

    private

    def behind(door, faults)
      way = FaultyWay.new(@stage.mariadb.port, @chance, every: EVERY).start
      env = { 'RMT_RS_HOST' => '127.0.0.1', 'RMT_RS_PORT' => way.port.to_s }
      @stage.with_host(door, env: env) do |host|
        machines = Registrations.new(@ledger, host.url, @stage.bases, threads: THREADS, name: door).start
        await(door, way, faults)
        way.mend
        resume(door, machines)
        machines.stop.oddities.each { |oddity| @report.violation("#{door} door: #{oddity}") }
      ensure
        machines&.stop
      end
      fallbacks(door)
    ensure
      way&.stop
      way&.counts&.each { |name, count| @counts[name] += count }
    end

    def await(door, way, faults)
      told = 0
      happened = Processes.wait_until(SECONDS, pause: 0.1) do
        count = way.counts.values.sum
        if count >= told + (faults / 10.0)
          told = count
          @report.say("#{door} door: #{count} of #{faults} faults, #{@ledger.machines.size} machines")
        end
        count >= faults
      end
      @report.violation("#{door} door: the core has not reached the database often enough for #{faults} faults") unless happened
    end

    def resume(door, machines)
      works = Processes.wait_until(RESUME_SECONDS) { registers?(machines.next_machine) }
      @report.violation("#{door} door: no machine could register within #{RESUME_SECONDS} s") unless works
    end

    def registers?(machine)
      machine.register
    rescue Machine::Failed
      false
    end

    def fallbacks(door)
      log = File.join(DIRECTORY, "way-#{door}.log")
      @fallbacks = @fallbacks.to_i + File.foreach(log).count { |line| line.match?(/left to (Ruby|Rails): /) }
    end

    def conclude
      @ledger.violations.each { |text| @report.violation(text) }
      @report.figure('faults', @counts.values.sum)
      @counts.sort.each { |name, count| @report.figure(name.to_s.tr('_', ' '), count) }
      @report.figure('left to Ruby', @fallbacks)
      @ledger.figures.each { |name, value| @report.figure(name, value) }
    end
  end
end
