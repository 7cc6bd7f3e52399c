# frozen_string_literal: true

require_relative '../visitors'
require_relative '../troubled_mariadb'
require_relative '../../support/host'

module Torture
  # One MariaDB shows all of its faces, one after the other, while machines register through hosts that reach it over
  # TCP, a socket and TLS. No host is started anew.
  class Faces < Trial
    guarantee 'every face of a MariaDB: clean answers, nothing lost, doubled or half, service resumes by itself'

    # `on` brings a {TroubledMariadb} into trouble, `off` out of it. `refuses` says that refusals have to be seen,
    # `serves` that none may be.
    Face = Struct.new(:name, :on, :off, :refuses, :serves, :allowed, keyword_init: true)

    ALL = [
      Face.new(name: 'as it should be', serves: true),
      Face.new(name: 'restarted', on: :restart),
      Face.new(name: 'binlog on, row format, sync_binlog=1', on: :restart_with_binlog, off: :look_at_binlog),
      Face.new(name: 'strict mode off', on: :not_strict, off: :strict),
      Face.new(name: 'innodb_lock_wait_timeout=1 and a lock', on: :hold_lock, off: :let_go),
      Face.new(name: 'max_allowed_packet=16k', on: :small_packets, off: :usual_packets, allowed: [422]),
      Face.new(name: 'read-only', on: :read_only, off: :writable, refuses: true),
      Face.new(name: 'out of connections', on: :crowd, off: :let_in, refuses: true),
      Face.new(name: 'disk full', on: :fill_disk, off: :empty_disk, refuses: true),
      Face.new(name: 'disk full, binlog on', on: :fill_disk_with_binlog, off: :empty_disk, refuses: true)
    ].freeze
    # In full only: a server that waits for room in its binlog looks for it once a minute.
    SLOW = ['disk full, binlog on'].freeze

    # Hosts by how they reach the server and through which door.
    SMALL = %w[tcp-controller tcp-rack socket-controller tls-rack].freeze
    FULL = %w[tcp-controller tcp-rack socket-controller socket-rack tls-controller tls-rack].freeze
    # Seconds until what has to come has come, on a busy machine.
    PATIENCE = 150

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @totals = Hash.new(0)
      @found = []
      @mariadb = TroubledMariadb.new(File.join(DIRECTORY, 'faces'), 'rmt_faces',
                                     scale.of('DISK_MEGABYTES', small: 320, full: 2_048))
      @ledger = Ledger.new(@mariadb.database).open
      start_hosts
      faces.each { |face| show(face) }
      @totals.each { |name, number| report.figure(name, number) }
    ensure
      @hosts&.each_value(&:stop)
      @mariadb&.close
    end

    private

    def faces
      @report.say('no full disks: a tmpfs cannot be mounted here (root can)') unless @mariadb.own_disk?
      ALL.reject { |face| (SLOW.include?(face.name) && !scale.full?) || (face.name.start_with?('disk') && !@mariadb.own_disk?) }
    end

    def start_hosts
      @hosts = (scale.full? ? FULL : SMALL).to_h do |way|
        how, door = way.split('-')
        [way, Host.new(database_url: @mariadb.url(how), door: door, workers: 1, log: File.join(DIRECTORY, "faces-#{way}.log"))]
      end
      @hosts.values.map { |host| Thread.new { host.start } }.each(&:join)
      @report.say("#{@hosts.size} hosts: #{@hosts.keys.join(', ')}")
    end

    # Load begins before the trouble and ends after it, so that requests meet its beginning and its end.
    def show(face)
      visitors = Visitors.new(@ledger, @hosts.transform_values { |host| [host.url] }, @mariadb.catalog.bases,
                              name: "face#{ALL.index(face)}", allowed: face.allowed || []).start
      visitors.complete(1, seconds: PATIENCE) || @report.violation("#{face.name}: no registration before it")
      refused = trouble(face, visitors)
      resumed = resume(face, visitors)
      visitors.stop
      judge(face, visitors, refused)
      note(face, visitors, resumed)
    ensure
      visitors&.stop
    end

    # @return [Integer] refusals in it
    def trouble(face, visitors)
      before = visitors.count(503)
      @mariadb.public_send(face.on) if face.on
      sleep(scale.of('FACE_SECONDS', small: 1, full: 20))
      # A full disk has to be met by somebody who needs more of it.
      Processes.wait_until(PATIENCE, pause: 0.1) { visitors.count(503) > before } if face.refuses
      visitors.count(503) - before
    ensure
      @mariadb.public_send(face.off) if face.off
    end

    # @return [Float] seconds until each host had completed a registration that began after the trouble
    def resume(face, visitors)
      ended = now
      @hosts.each_key do |way|
        back = Processes.wait_until(PATIENCE, pause: 0.2) { visitors.register(way) }
        @report.violation("#{face.name}: #{way} does not resume within #{PATIENCE} s") unless back
      end
      resumed = now - ended
      visitors.complete(scale.of('REGISTRATIONS_AFTER', small: 1, full: 50), seconds: PATIENCE) ||
        @report.violation("#{face.name}: registrations do not go on")
      rust_again || @report.violation("#{face.name}: something is still left to Ruby after #{PATIENCE} s")
      resumed
    end

    # Where the core was refused connections that Ruby had, Ruby answers for a while. The next face is not for Ruby: an
    # activation of RMT's own that meets a full disk ends between two of its transactions.
    def rust_again
      Processes.wait_until(PATIENCE, pause: 0.2) do
        @hosts.each_value.all? do |host|
          log = File.read(host.log)
          log.scan('Ruby answers it for now').size == log.scan('is answered by Rust again').size
        end
      end
    end

    def judge(face, visitors, refused)
      what = (@ledger.violations - @found) + visitors.oddities
      @found |= what
      what << 'nothing was refused, so it was not there' if face.refuses && refused.zero?
      what << "#{visitors.count(503)} refusals" if face.serves && visitors.count(503).positive?
      what.each { |it| @report.violation("#{face.name}: #{it}") }
    end

    def note(face, visitors, resumed)
      counts = { 'faces' => 1, 'requests' => visitors.count(:requests), 'registrations' => visitors.completed,
                 'refused' => visitors.count(503) }
      counts.each { |name, number| @totals[name] += number }
      @report.say(format('%-38s %6d requests, %5d registrations, %5d refused, all hosts serve after %.1f s', face.name,
                         *counts.values.drop(1), resumed))
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
