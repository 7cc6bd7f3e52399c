# frozen_string_literal: true

require_relative '../neighbours'
require_relative '../registrations'
require_relative '../same_system'
require_relative '../stage'

module Torture
  # Many clients at once on one system, then machines with the same profiles, while RMT's purge and scc-sync run.
  class Concurrency < Trial
    guarantee 'clients that meet on a system or on profiles all get their answers, no deadlock reaches them, nothing is twice'

    CLIENTS = 64
    # Each client has a thread and a connection of its own. Those that meet on one row wait for one another's commits, on a slow
    # disk for longer than the deadline: that is another promise than this one.
    HOST = { workers: 2, threads: CLIENTS / 2, env: { 'RMT_RS_DEADLINE' => '45', 'RMT_RS_CONNECT_TIMEOUT' => '30' } }.freeze
    private_constant :CLIENTS, :HOST

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @rounds = scale.of('ROUNDS', small: 3, full: 90)
      @machines = scale.of('MACHINES', small: 150, full: 5_000)
      Stage.open('concurrency') do |stage|
        @stage = stage
        @ledger = Ledger.new(stage.database).open
        doors = scale.full? ? %w[rack controller] : %w[rack]
        doors.each { |door| behind(door) }
        report.figure('doors', doors.join(' and '))
        report.figure('clients at once', CLIENTS)
        report.figure('requests to one system', @requests)
        report.figure('machines with the same profiles', @ledger.machines.size)
      end
    end

    private

    def behind(door)
      @neighbours = Neighbours.new(@stage.database, profiles: Registrations.profiles(0)).start
      @stage.with_host(door, **HOST) do |host|
        one_system(door, host)
        same_profiles(door, host)
      end
      @neighbours.stop
      found = @ledger.violations + @neighbours.violations
      found.each { |text| @report.violation("#{door} door: #{text}") }
      @neighbours.figures.each { |name, count| @report.figure("#{name}, #{door} door", count) }
      no_failure_logged(door)
    ensure
      @neighbours&.stop
    end

    def one_system(door, host)
      @requests ||= 0
      @rounds.times do |number|
        variant = SameSystem::VARIANTS[number % SameSystem::VARIANTS.size]
        round = SameSystem.new(@stage, @neighbours, host.url, variant, CLIENTS)
        round.run.each { |text| @report.violation("#{door} door, round #{number + 1}, #{variant}: #{text}") }
        @requests += round.requests
        @report.say("#{door} door, round #{number + 1} of #{@rounds}, #{variant}: #{round.requests} requests")
      end
    end

    def same_profiles(door, host)
      @report.say("#{door} door: #{@machines} machines with the same profiles")
      goal = @ledger.machines.size + @machines
      machines = Registrations.new(@ledger, host.url, @stage.bases, threads: CLIENTS, name: door, kinds: 2, tolerated: [],
                                                                    steps: %i[announce update update deregister])
      machines.start
      Processes.wait_until(3_600, pause: 0.2) { @ledger.machines.size >= goal || machines.oddities.any? }
      machines.stop.oddities.each { |text| @report.violation("#{door} door, same profiles: #{text}") }
    ensure
      machines&.stop
    end

    # Where the core gives up it says so, whatever the answer then was.
    def no_failure_logged(door)
      log = File.read(File.join(DIRECTORY, "concurrency-#{door}.log"), encoding: 'UTF-8').scrub
      lines = log.lines.grep(/rmt_rs: .* failed/)
      @report.violation("#{door} door, log: #{lines.size} lines such as #{lines.first.strip}") if lines.any?
    end
  end
end
