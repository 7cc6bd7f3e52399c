# frozen_string_literal: true

require 'fileutils'
require 'openssl'
require_relative '../../bench/catalog'
require_relative '../support/host'
require_relative '../support/private_mariadb'

# A MariaDB that can be brought into trouble and out of it again: each trouble is a method, and so is its end.
# Its directory is a small disk of its own where that can be mounted (by root), so that it can be full.
class TroubledMariadb
  # Its account without the rights that `read_only` and `max_connections` do not bind, and one that has to come encrypted.
  ACCOUNT = 'faces'
  ENCRYPTED = 'faces_tls'
  PASSWORD = 'faces'

  # @return [MysqlDatabase]
  attr_reader :database

  # @param directory [String] of its own; emptied
  # @param name [String] of its database, which is made, with a catalog
  # @param megabytes [Integer] of its disk: more than it needs unless the disk is to be full
  def initialize(directory, name, megabytes)
    @directory = directory
    @megabytes = megabytes
    @name = name
    FileUtils.mkdir_p(directory)
    @mounted = mount
    keep_log
    certificates
    @mariadb = with.start
    prepare
  end

  # @return [Boolean] whether its disk can be full
  def own_disk?
    @mounted
  end

  # @param how [String] `tcp`, `socket` or `tls`
  # @return [String] URL for Rails
  def url(how)
    case how
    when 'socket' then "mysql2://#{ACCOUNT}:#{PASSWORD}@localhost/#{@name}?socket=#{@mariadb.socket}"
    when 'tls'
      "mysql2://#{ENCRYPTED}:#{PASSWORD}@127.0.0.1:#{@mariadb.port}/#{@name}?sslca=#{file('ca.pem')}&sslverify=true"
    else "mysql2://#{ACCOUNT}:#{PASSWORD}@127.0.0.1:#{@mariadb.port}/#{@name}"
    end
  end

  # @return [Catalog] of the database
  def catalog
    @catalog ||= Catalog.new('realistic')
  end

  # @return [void]
  def close
    @control&.close
    @mariadb&.stop
    FileUtils.rm_rf(Dir.children(@directory).map { |name| file(name) })
    system('umount', @directory) if @mounted
  end

  def restart
    restart_as(with)
  end

  def restart_with_binlog
    restart_as(with('--log-bin=binlog', '--binlog-format=ROW', '--sync-binlog=1', '--server-id=1'))
    @position = control.query('SHOW MASTER STATUS').first.fetch('Position')
  end

  def look_at_binlog
    written = control.query('SHOW MASTER STATUS').first.fetch('Position') - @position
    restart
    raise 'the binlog has not grown' unless written.positive?
  end

  def not_strict
    control.query("SET GLOBAL sql_mode = ''")
    hang_up
  end

  def strict
    control.query('SET GLOBAL sql_mode = DEFAULT')
    hang_up
  end

  def hold_lock
    control.query('SET GLOBAL innodb_lock_wait_timeout = 1')
    hang_up
    @holder = @database.client
    @holder.query('START TRANSACTION')
    @holder.query('SELECT COUNT(*) FROM systems FOR UPDATE')
  end

  def let_go
    @holder.close
    control.query('SET GLOBAL innodb_lock_wait_timeout = DEFAULT')
    hang_up
  end

  def small_packets
    control.query('SET GLOBAL max_allowed_packet = 16384')
    hang_up
  end

  def usual_packets
    control.query('SET GLOBAL max_allowed_packet = DEFAULT')
    hang_up
  end

  def read_only
    control.query('SET GLOBAL read_only = 1')
  end

  def writable
    control.query('SET GLOBAL read_only = 0')
  end

  # Others have all the connections there are, and those of the hosts end.
  def crowd
    @crowd = Array.new(40) do
      Mysql2::Client.new(host: '127.0.0.1', port: @mariadb.port, username: ACCOUNT, password: PASSWORD)
    end
    control.query('SET GLOBAL max_connections = 10')
    hang_up
  end

  def let_in
    @crowd.each(&:close)
    control.query('SET GLOBAL max_connections = 300')
  end

  def fill_disk
    File.open(file('filler'), 'w') { |filler| loop { filler.write('x' * 65_536) } }
  rescue Errno::ENOSPC
    nil
  end

  def fill_disk_with_binlog
    restart_with_binlog
    fill_disk
  end

  def empty_disk
    FileUtils.rm_f(file('filler'))
    # Whoever looks after a server starts it again when the full disk was its end.
    restart_as(@mariadb) unless @mariadb.running?
  end

  private

  # The disk that can be full is the server's own.
  def mount
    system('umount', @directory, err: File::NULL) if mountpoint?
    system('mount', '-t', 'tmpfs', '-o', "size=#{@megabytes}m", 'tmpfs', @directory, err: File::NULL)
  end

  # What the server says shall not be cut off where its disk is full.
  def keep_log
    log = "#{@directory}.log"
    FileUtils.rm_f([log, file('mariadb.log')])
    File.symlink(log, file('mariadb.log'))
  end

  def mountpoint?
    File.read('/proc/mounts').include?(" #{@directory} ")
  end

  def with(*options)
    tls = %w[ca cert key].map { |part| "--ssl-#{part}=#{file("#{part}.pem")}" }
    PrivateMariadb.new(@directory, options: [*tls, '--innodb-buffer-pool-size=64M', *options])
  end

  def prepare
    @database = @mariadb.database(@name)
    @database.drop.create.load_sql(File.join(Host::APP, 'db/structure.sql')).install_triggers
    catalog.load(@database)
    { ACCOUNT => 'NONE', ENCRYPTED => 'SSL' }.to_a.product(%w[127.0.0.1 localhost]) do |(user, need), host|
      control.query("CREATE USER #{user}@'#{host}' IDENTIFIED BY '#{PASSWORD}' REQUIRE #{need}")
      control.query("GRANT ALL ON #{@name}.* TO #{user}@'#{host}'")
    end
  end

  def restart_as(other)
    @control&.close
    @control = nil
    @mariadb.stop
    @mariadb = other.start
  end

  # Sessions keep the settings they began with.
  def hang_up
    query = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER LIKE 'faces%' AND DB = '#{@name}'"
    control.query(query).each do |row|
      control.query("KILL #{row['ID']}")
    rescue Mysql2::Error
      nil # gone already
    end
  end

  def control
    @control ||= @mariadb.client
  end

  def file(name)
    File.join(@directory, name)
  end

  # An authority and a certificate of the server's that is good for 127.0.0.1.
  def certificates
    authority_key, key = Array.new(2) { OpenSSL::PKey::RSA.new(2048) }
    authority = certificate('faces', authority_key, authority_key, 'faces', ['basicConstraints', 'CA:TRUE', true])
    served = certificate('127.0.0.1', key, authority_key, 'faces', ['subjectAltName', 'IP:127.0.0.1', false])
    { 'ca' => authority, 'cert' => served, 'key' => key }.each { |part, it| File.write(file("#{part}.pem"), it.to_pem) }
  end

  def certificate(name, key, issuer_key, issuer, extension)
    OpenSSL::X509::Certificate.new.tap do |it|
      it.version = 2
      it.serial = name == issuer ? 1 : 2
      it.subject = OpenSSL::X509::Name.parse("/CN=#{name}")
      it.issuer = OpenSSL::X509::Name.parse("/CN=#{issuer}")
      it.public_key = key.public_key
      it.not_before = Time.now - 3600
      it.not_after = Time.now + 86_400
      it.add_extension(OpenSSL::X509::ExtensionFactory.new.create_extension(*extension))
      it.sign(issuer_key, OpenSSL::Digest.new('SHA256'))
    end
  end
end
