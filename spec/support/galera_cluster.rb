# frozen_string_literal: true

require 'fileutils'
require_relative 'private_mariadb'

# A Galera cluster on the loopback interface: three MariaDBs with Debian's provider. What is not installed is taken out of
# Debian's packages into a directory of its own, so that no service is set up: the provider, and what a node needs to be
# given the data of another (rsync and MariaDB's scripts).
#
# @example
#   cluster = GaleraCluster.new('tmp/galera').start
#   cluster.nodes.first.database('rmt')
#   cluster.kill(1)
#   cluster.rejoin(1)
#   cluster.stop
class GaleraCluster
  PACKAGES = %w[galera-4 mariadb-server rsync libpopt0].freeze
  SECONDS = 120

  # @return [Array<PrivateMariadb>]
  attr_reader :nodes

  # @param directory [String] where everything is kept
  # @param size [Integer] number of nodes
  def initialize(directory, size: 3)
    @directory = File.expand_path(directory)
    @parts = File.join(@directory, 'packages')
    @ports = Array.new(size) { Processes.free_port }
    @nodes = Array.new(size) { |number| node(number) }
  end

  # Takes what is missing out of packages.
  #
  # @return [Boolean] whether all of it is there
  def available?
    FileUtils.mkdir_p(@parts)
    return true if File.exist?(provider)

    write_rsync
    commands = ["apt-get -qq download #{PACKAGES.join(' ')}", 'for each in *.deb; do dpkg-deb -x "$each" .; done', 'rm -f *.deb']
    commands.all? { |command| Processes.run('sh', '-c', command, chdir: @parts, log: File.join(@directory, 'packages.log')) } &&
      File.exist?(provider)
  end

  # Founds the cluster anew, without data, and lets the others join one after the other.
  #
  # @return [self]
  def start
    @nodes.each { |node| FileUtils.rm_rf(File.join(node.directory, 'data')) }
    @nodes[0] = node(0, '--wsrep-new-cluster')
    @nodes.each(&:start)
    wait_for_all
    self
  end

  # Ends a node as a power cut would.
  #
  # @param number [Integer]
  # @return [void]
  def kill(number)
    pid = @nodes[number].pid
    Process.kill(:KILL, pid)
    Processes.wait_until(10) { Processes.reap(pid) || !Processes.alive?(pid) }
  end

  # Lets a node that was ended join again: it is given what it has missed, or everything.
  #
  # @param number [Integer]
  # @param empty [Boolean] without the data it had
  # @return [void]
  def rejoin(number, empty: false)
    FileUtils.rm_rf(File.join(@nodes[number].directory, 'data')) if empty
    @nodes[number] = node(number)
    @nodes[number].start
    wait_for_all
  end

  # @param name [String] of a status variable, without `wsrep_`
  # @return [Array<String>] its value on each node
  def status(name)
    @nodes.map do |node|
      sql = node.client
      sql.query("SHOW GLOBAL STATUS LIKE 'wsrep_#{name}'").first&.fetch('Value')
    ensure
      sql&.close
    end
  end

  # @return [void]
  def stop
    @nodes.reverse_each { |node| Processes.terminate(node.pid) if node.pid && Processes.alive?(node.pid) }
    @nodes.each { |node| FileUtils.rm_rf(node.directory) }
  end

  private

  def node(number, *more)
    PrivateMariadb.new(File.join(@directory, "node#{number}"), env: environment, options: [*options(number), *more])
  end

  def options(number)
    providers = ["gmcast.listen_addr=tcp://127.0.0.1:#{@ports[number]}", 'base_host=127.0.0.1',
                 "base_port=#{@ports[number]}", "ist.recv_addr=127.0.0.1:#{Processes.free_port}",
                 'gcache.size=64M', 'evs.keepalive_period=PT0.5S', 'evs.suspect_timeout=PT3S', 'pc.recovery=false']
    ['--wsrep-on=ON', "--wsrep-provider=#{provider}", '--wsrep-sst-method=rsync', "--wsrep-node-name=node#{number}",
     "--wsrep-cluster-address=gcomm://#{@ports.map { |port| "127.0.0.1:#{port}" }.join(',')}",
     "--wsrep-provider-options=#{providers.join(';')}", '--wsrep-node-address=127.0.0.1',
     "--wsrep-sst-receive-address=127.0.0.1:#{Processes.free_port}", '--binlog-format=ROW', '--innodb-autoinc-lock-mode=2']
  end

  # Where root runs it, a receiving rsync becomes nobody, who may not write here.
  def write_rsync
    user = Process.euid.zero? ? '--dparam=uid=0 --dparam=gid=0' : ''
    FileUtils.mkdir_p(File.join(@parts, 'bin'))
    File.write(File.join(@parts, 'bin/rsync'), <<~SH)
      #!/bin/sh
      [ "$1" = --daemon ] && exec #{@parts}/usr/bin/rsync "$@" #{user}
      exec #{@parts}/usr/bin/rsync "$@"
    SH
    File.chmod(0o755, File.join(@parts, 'bin/rsync'))
  end

  def environment
    { 'PATH' => "#{@parts}/bin:#{@parts}/usr/bin:/usr/sbin:#{ENV.fetch('PATH')}",
      'LD_LIBRARY_PATH' => Dir.glob("#{@parts}/usr/lib/*-linux-gnu").join(':') }
  end

  def provider
    File.join(@parts, 'usr/lib/libgalera_smm.so')
  end

  def wait_for_all
    joined = Processes.wait_until(SECONDS, pause: 0.2) do
      status('local_state_comment').all?('Synced') && status('cluster_size').all?(@nodes.size.to_s)
    rescue Mysql2::Error
      false
    end
    raise PrivateMariadb::Error, "the cluster in #{@directory} is not complete" unless joined
  end
end
