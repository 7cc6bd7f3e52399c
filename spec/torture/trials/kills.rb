# frozen_string_literal: true

require_relative '../registrations'
require_relative '../stage'

module Torture
  # Ends processes with SIGKILL while machines register, and looks what became of those.
  class Kills < Trial
    guarantee 'what was acknowledged is there after any crash, whole and once, and service resumes by itself'

    VICTIMS = %i[worker puma mariadb].freeze
    THREADS = 12
    # Registering works again within this time: MariaDB recovers, Puma boots.
    RESUME_SECONDS = 60
    private_constant :VICTIMS, :THREADS, :RESUME_SECONDS

    # @param report [Report]
    # @return [void]
    def run(report)
      seed = scale.of('SEED', small: Random.new_seed % 100_000, full: Random.new_seed % 100_000)
      report.figure('seed', seed)
      @chance = Random.new(seed)
      @report = report
      kills = scale.of('KILLS', small: 3, full: 50)
      Stage.open('kills') do |stage|
        @stage = stage
        @ledger = Ledger.new(stage.database).open
        rounds(kills).each { |door, victims| behind(door, victims) }
        conclude
      end
    end

    private

    # @return [Hash{String => Array<Symbol>}] who is killed behind which door, all alike often
    def rounds(kills)
      doors = scale.full? ? %w[rack controller] : %w[rack]
      VICTIMS.cycle.first(kills).each_slice(kills.fdiv(doors.size).ceil).zip(doors).to_h { |victims, door| [door, victims] }
    end

    def behind(door, victims)
      @stage.with_host(door) do |host|
        @host = host
        machines = Registrations.new(@ledger, host.url, @stage.bases, threads: THREADS, name: door).start
        victims.each_with_index { |victim, number| kill(victim, "#{door} door, #{number + 1} of #{victims.size}", machines) }
        machines.stop.oddities.each { |oddity| @report.violation("#{door} door: #{oddity}") }
      ensure
        machines&.stop
      end
    end

    def kill(victim, text, machines)
      sleep(@chance.rand(0.2..1.5))
      killed = send("kill_#{victim}")
      resumed = resume(machines)
      killed.call
      durations[victim] << resumed if resumed
      @report.say("#{text}: killed #{victim}, #{@ledger.machines.size} machines, registers again after #{resumed&.round(1)} s")
    end

    def durations
      @durations ||= Hash.new { |hash, victim| hash[victim] = [] }
    end

    # @return [Float, nil] seconds until a machine can register from beginning to end
    def resume(machines)
      begun = Processes.now
      works = Processes.wait_until(RESUME_SECONDS) { registers?(machines.next_machine) }
      return Processes.now - begun if works

      @report.violation("no machine could register within #{RESUME_SECONDS} s")
      nil
    end

    def registers?(machine)
      machine.register
    rescue Machine::Failed
      false
    end

    # @return [Proc] looks whether all is as before when service has resumed
    def kill_worker
      before = @host.worker_pids
      Process.kill(:KILL, before.sample(random: @chance))
      lambda do
        back = Processes.wait_until(RESUME_SECONDS) { (@host.worker_pids - before).any? && @host.worker_pids.size == before.size }
        @report.violation('Puma has started no worker for the one that was killed') unless back
      end
    end

    # Who started it starts it again.
    def kill_puma
      Process.kill(:KILL, @host.pid, *@host.worker_pids)
      Process.wait(@host.pid)
      @host.start
      -> {}
    end

    # It is started again as systemd does it; nobody tells Puma.
    def kill_mariadb
      workers = @host.worker_pids
      Process.kill(:KILL, @stage.mariadb.pid)
      sleep(@chance.rand(0.0..2.0))
      @stage.mariadb.start
      -> { @report.violation('workers ended together with MariaDB') unless @host.worker_pids == workers }
    end

    def conclude
      @ledger.violations.each { |text| @report.violation(text) }
      durations.each { |victim, seconds| @report.figure("kills of #{victim}", seconds.size) }
      @ledger.figures.each { |name, value| @report.figure(name, value) }
      durations.each { |victim, seconds| @report.figure("slowest return after #{victim}, s", seconds.max.round(1)) }
    end
  end
end
