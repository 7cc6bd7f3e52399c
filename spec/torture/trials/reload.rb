# frozen_string_literal: true

require_relative '../registrations'
require_relative '../stage'

module Torture
  # Restarts Puma while machines register: phased (SIGUSR1), hot (SIGUSR2), and a worker that is told to end (SIGTERM).
  #
  # Puma by itself loses connections that a worker has accepted and not yet read from when that ends, unless `queue_requests`
  # is false. So each restart is also tried with an application that is a line of Ruby.
  class Reload < Trial
    guarantee 'restarts of Puma lose no request with `queue_requests false`, and without it none that was begun'

    # Phased restarts are for applications that are not preloaded.
    RESTARTS = { [false, :phased] => :USR1, [false, :hot] => :USR2, [true, :hot] => :USR2, [false, :worker] => :TERM,
                 [true, :worker] => :TERM }.freeze
    SMALL = { [false, :phased] => :USR1, [true, :hot] => :USR2 }.freeze
    THREADS = 8
    SECONDS = 180
    private_constant :RESTARTS, :SMALL, :THREADS, :SECONDS

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @times = scale.of('RESTARTS', small: 1, full: 6)
      @restarts = 0
      @lost = Hash.new(0)
      @requests = Hash.new(0)
      Stage.open('reload') do |stage|
        @stage = stage
        Ledger.new(stage.database).open
        (scale.full? ? RESTARTS : SMALL).each { |(preload, kind), signal| each_application(preload, kind, signal) }
      end
      conclude
    end

    private

    def each_application(preload, kind, signal)
      queues = scale.full? ? [false, true] : [false]
      applications = scale.full? ? %w[bare rack controller] : %w[rack]
      queues.product(applications).each do |queue, application|
        ledger = Ledger.new(@stage.database)
        with(application, preload, queue) { |host| restart_under_load(host, ledger, [application, preload, queue, kind], signal) }
      end
    end

    def with(application, preload, queue, &)
      env = { 'PRELOAD_APP' => preload ? '1' : '0', 'QUEUE_REQUESTS' => queue ? '1' : '0' }
      return @stage.with_host(application, env: env, &) unless application == 'bare'

      @stage.with_host('off', env: env, rackup: File.join(__dir__, '../bare.ru'), &)
    end

    def restart_under_load(host, ledger, trial, signal)
      machines = load_of(host, ledger, trial)
      @times.times { restart(host, trial, signal) }
      machines.stop
      settle(ledger, machines, trial)
    ensure
      machines&.stop
    end

    def load_of(host, ledger, (application, *))
      steps = application == 'bare' ? [:announce] : Registrations::STEPS
      Registrations.new(ledger, host.url, @stage.bases, threads: THREADS, name: application, steps: steps, tolerated: []).start
    end

    # Done when all workers that were to end have ended and others are there.
    def restart(host, trial, signal)
      @restarts += 1
      before = host.worker_pids
      leaving = trial.last == :worker ? [before.sample] : before
      Process.kill(signal, trial.last == :worker ? leaving.first : host.pid)
      done = Processes.wait_until(SECONDS) { (host.worker_pids & leaving).empty? && host.worker_pids.size == before.size }
      return @report.violation("#{words(trial)}: workers are not replaced within #{SECONDS} s") unless done

      # The new ones have begun to work.
      @report.violation("#{words(trial)}: no answer afterwards") unless Processes.wait_until(SECONDS) { host.healthy? }
    end

    def settle(ledger, machines, trial)
      application, _, queue, = trial
      lost = ledger.machines.sum(&:lost)
      @lost[[application, queue]] += lost
      @requests[[application, queue]] += ledger.machines.sum(&:answered)
      @report.say("#{words(trial)}: #{@times} restarts, #{lost} requests lost")
      machines.oddities.each { |text| @report.violation("#{words(trial)}: #{text}") }
      @report.violation("#{words(trial)}: #{lost} requests lost") if lost.positive? && !queue
      begun(ledger, trial) unless application == 'bare'
      @stage.empty
    end

    # What was lost had not been begun.
    def begun(ledger, trial)
      ledger.violations.each { |text| @report.violation("#{words(trial)}: #{text}") }
      done = ledger.machines.select { |machine| machine.doubt && ledger.done?(machine) }
      done.each { |machine| @report.violation("#{words(trial)}: what was lost was done: #{machine.doubt.join(' ')}") }
    end

    def words((application, preload, queue, kind))
      "#{application}, preload_app! #{preload}, queue_requests #{queue}, #{kind}"
    end

    def conclude
      @report.figure('restarts under load', @restarts)
      @requests.each { |(application, queue), count| @report.figure("requests, #{application}, queue_requests #{queue}", count) }
      @lost.each { |(application, queue), count| @report.figure("lost, #{application}, queue_requests #{queue}", count) }
    end
  end
end
