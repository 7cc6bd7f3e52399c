# frozen_string_literal: true

require 'net/http'
require 'socket'
require_relative '../machine'
require_relative '../stage'

module Torture
  # Has far more machines register at once than there are threads, of which many wait longer than they may, while somebody
  # asks for health.
  class Herd < Trial
    guarantee 'past capacity every request is answered, or refused early and unchanged; health within 2 s; calm at once after it'

    # What clients wait for health (contract), and for anything else.
    HEALTH_SECONDS = 2
    OVERLOADED = 'The server is overloaded'
    # How much slower than before the herd requests may be after it: the machine is shared.
    RATIO = 5
    SLACK_SECONDS = 0.05
    private_constant :HEALTH_SECONDS, :OVERLOADED, :RATIO, :SLACK_SECONDS

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @size = scale.of('HERD', small: 150, full: 1_000)
      @max_wait = scale.of('MAX_WAIT', small: 1, full: 5)
      report.figure('machines at once', @size)
      report.figure('max_wait', "#{@max_wait} s")
      Stage.open('herd') do |stage|
        %w[rack controller].each { |door| meet(stage, door) }
      end
    end

    private

    def meet(stage, door)
      port = Processes.free_port
      environment = { 'RMT_RS_HEALTH_LISTEN' => "127.0.0.1:#{port}", 'RMT_RS_MAX_WAIT' => @max_wait.to_s }
      stage.with_host(door, workers: 2, threads: 5, env: environment) do |host|
        machines = Array.new(@size) { |n| Machine.new(host.url, "#{door}#{n}", stage.bases[n % stage.bases.size]) }
        calm = Array.new(2) { median(host, stage.bases.first, "#{door}-before") }.last
        health = while_asking(port) { arrive(door, machines) }
        judge_health(door, health)
        judge_calm(door, calm, median(host, stage.bases.first, "#{door}-after"))
        unchanged(door, stage.database, machines)
      end
    end

    # All at once, each as far as it comes.
    def arrive(door, machines)
      begun = now
      failures = machines.map { |machine| Thread.new { failure_of(machine) } }.filter_map(&:value)
      refused, others = failures.partition { |failure| failure.status == 503 && failure.message.include?(OVERLOADED) }
      others.each { |failure| @report.violation("#{door} door: #{failure.message}") }
      answered = machines.sum(&:answered)
      @report.figure("#{door}: answered", answered)
      @report.figure("#{door}: refused early", refused.size)
      @report.figure("#{door}: requests a second", (answered / (now - begun)).round)
    end

    def failure_of(machine)
      machine.register
      nil
    rescue Machine::Failed => e
      e
    end

    # @return [Array<Float>] seconds, as a process that does nothing else has seen them; infinite without an answer
    def while_asking(port)
      reader, writer = IO.pipe
      asker = fork { ask(port, reader, writer) }
      writer.close
      yield
      Process.kill(:TERM, asker)
      reader.read.split.map(&:to_f)
    ensure
      Process.wait(asker) if asker
    end

    def ask(port, reader, writer)
      reader.close
      trap(:TERM) { exit!(0) }
      writer.sync = true
      loop do
        begun = now
        writer.puts(healthy?(port) ? now - begun : 3600)
        sleep(0.02)
      end
    end

    def healthy?(port)
      Net::HTTP.start('127.0.0.1', port, open_timeout: 30, read_timeout: 30) do |http|
        http.get('/api/health/status').body == '{"state":"online"}'
      end
    rescue SystemCallError, IOError, Timeout::Error
      false
    end

    def judge_health(door, seconds)
      @report.figure("#{door}: health asked", seconds.size)
      @report.figure("#{door}: health within", "#{(seconds.max.to_f * 1000).ceil} ms")
      return if seconds.any? && seconds.max < HEALTH_SECONDS

      @report.violation("#{door} door: health was answered within #{seconds.max} s")
    end

    def judge_calm(door, before, after)
      @report.figure("#{door}: median before and after", "#{(before * 1000).round(1)} and #{(after * 1000).round(1)} ms")
      return if after < (before * RATIO) + SLACK_SECONDS

      @report.violation("#{door} door: an announce takes #{after} s after the herd, #{before} s before it")
    end

    # @return [Float] seconds of an announce, one at a time
    def median(host, base, name)
      times = Array.new(31) do |number|
        machine = Machine.new(host.url, "#{name}#{number}", base)
        begun = now
        machine.announce
        now - begun
      end
      times.sort[15]
    end

    # Whoever was refused has what it was told before, and no more.
    def unchanged(door, database, machines)
      rows = database.with_client { |sql| sql.query('SELECT hostname, login, system_token FROM systems').to_a }
      rows = rows.group_by { |row| row['hostname'] }
      machines.each do |machine|
        stored = rows.fetch(machine.hostname, []).map { |row| row.values_at('login', 'system_token') }
        told = machine.announced? ? [[machine.login, machine.token]] : []
        @report.violation("#{door} door: #{machine.hostname} was told #{told}, stored is #{stored}") unless stored == told
      end
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
