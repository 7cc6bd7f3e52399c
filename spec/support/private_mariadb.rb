# frozen_string_literal: true

require 'digest'
require 'fileutils'
require 'tmpdir'
require_relative 'mysql_database'
require_relative 'processes'
require_relative 'shared_use'

# A MariaDB of one's own, kept in a directory: data, log, socket, port. It needs neither root
# nor a configured server, only the MariaDB programs. Commits are as durable as on a real
# server, so what is measured on it holds elsewhere.
#
# Processes may use the same directory at once: the first starts the server, the others join,
# and of those the last to stop ends it. A server that was running before them keeps running.
#
# @example
#   mariadb = PrivateMariadb.new('tmp/mariadb').start
#   mariadb.database('demo').create.load_sql('structure.sql')
#   mariadb.url('demo') # => "mysql://rmt_rs:rmt_rs@127.0.0.1:23456/demo"
#   mariadb.stop
class PrivateMariadb
  # What went wrong and what mends it.
  class Error < StandardError; end

  PROJECT = File.expand_path('../..', __dir__)
  # The account every client uses. The server listens on the loopback interface only.
  USER = 'rmt_rs'
  PASSWORD = 'rmt_rs'

  # A unix socket's address holds 108 bytes, the last one a NUL.
  SOCKET_PATH_LIMIT = 107
  # Recovery after a crash and a busy machine both take their time.
  START_SECONDS = 120
  # Server programs are outside the PATH of plain users on Debian.
  PROGRAM_PATHS = %w[/usr/sbin /usr/local/sbin /usr/libexec /usr/local/bin /usr/local/mysql/bin].freeze

  # @return [String] the directory, absolute
  attr_reader :directory

  # @param directory [String] where everything is kept; made when missing
  # @param options [Array<String>] further options of the server
  # @param env [Hash{String => String}] further environment of the server
  def initialize(directory = File.join(PROJECT, 'tmp/mariadb'), options: [], env: {})
    @directory = File.expand_path(directory)
    @more_options = options
    @env = env
    @use = SharedUse.new(File.join(@directory, 'use'))
  end

  # Starts the server, or joins one that runs in this directory already.
  #
  # @return [self]
  # @raise [Error] when it does not start; the message holds the end of its log
  def start
    FileUtils.mkdir_p(@directory)
    @use.enter do
      unless running?
        install unless File.directory?(path('data/mysql'))
        launch
        @use.made!
      end
    end
    self
  rescue Errno::EACCES, Errno::EPERM => e
    raise Error, "#{e.message}. #{@directory} belongs to another user: remove it, or run this as that user."
  end

  # Ends the server if this object, or one that shared it and has left, started it and nobody
  # else uses it.
  #
  # @return [void]
  def stop
    @use.leave { Processes.terminate(pid) if running? }
  end

  # Whether this directory's server answers; one that is still coming up is waited for.
  #
  # @return [Boolean]
  # @raise [Error] when the server's process exists but answers nobody
  def running?
    state = Processes.wait_until(START_SECONDS, pause: 0.1) do
      next :absent unless server_process?

      :answers if answers?
    end
    raise Error, "The MariaDB in #{@directory} (process #{pid}) does not answer. #{advice}" unless state

    state == :answers
  end

  # @return [Integer, nil] process id of the server, when it has left one
  def pid
    number = read('mariadb.pid').to_i
    number if number.positive?
  end

  # @return [Integer] its TCP port on 127.0.0.1
  def port
    read('port').to_i
  end

  # @return [String] path of its unix socket
  def socket
    inside = path('mariadb.sock')
    return inside if inside.bytesize <= SOCKET_PATH_LIMIT

    File.join(short_directory, 'mariadb.sock')
  end

  # @param name [String] a database
  # @return [String] how to connect to it
  def url(name)
    "mysql://#{USER}:#{PASSWORD}@127.0.0.1:#{port}/#{name}"
  end

  # @param name [String, nil] the database to select
  # @param options [Hash] further options for Mysql2::Client
  # @return [Mysql2::Client] a new connection; the caller closes it
  def client(name = nil, **options)
    database(name).client(**options)
  end

  # @param name [String, nil]
  # @return [MysqlDatabase] a database of this server, or the server itself
  def database(name)
    MysqlDatabase.new(url(name))
  end

  private

  # Written elsewhere and moved here when complete, so that an interrupted attempt is never
  # taken for a data directory. Its programs may outlive a killed process, hence a name of one's own.
  def install
    unfinished = path("data.new-#{Process.pid}")
    # Once in some hundred times MariaDB 10.11 crashes while it makes its tables.
    installed = 2.times.any? { install_into(unfinished) }
    raise Error, "MariaDB's data directory could not be made. #{advice('install.log')}" unless installed

    File.rename(unfinished, path('data'))
  end

  def install_into(unfinished)
    FileUtils.rm_rf([path('data'), *Dir.glob(path('data.new-*'))])
    Processes.run(program('mariadb-install-db', 'mysql_install_db'), '--no-defaults',
                  "--datadir=#{unfinished}", '--auth-root-authentication-method=socket',
                  '--skip-test-db', *user_option, chdir: @directory, log: path('install.log'))
  end

  # Between the choice of a port and the server's use of it somebody else may take it.
  def launch
    write_accounts
    3.times do
      choose_port
      return if spawn_server
      break if Processes.free_port?(port)
    end
    raise Error, "MariaDB did not start in #{@directory}. #{advice}"
  end

  def choose_port
    return if port.positive? && Processes.free_port?(port)

    File.write(path('port'), Processes.free_port)
  end

  # @return [Boolean] whether it answers; false when it has ended
  def spawn_server
    FileUtils.rm_f(path('mariadb.pid'))
    child = nil
    Processes.spawn(program('mariadbd', 'mysqld'), '--no-defaults', *options,
                    chdir: @directory, env: @env, log: path('mariadb.log')) { |started| child = started }
    Processes.wait_until(START_SECONDS, pause: 0.1) { answers? || Processes.reap(child) }
    return true if answers?

    Processes.terminate(child)
    false
  rescue Exception # rubocop:disable Lint/RescueException -- whatever it is, leave no server behind
    Processes.terminate(child) if child
    raise
  end

  # A server that starts removes all temporary tables it finds, those of others that run, too: so it gets
  # a place for them of its own.
  def options
    FileUtils.mkdir_p(path('tmp'))
    ["--datadir=#{path('data')}", "--tmpdir=#{path('tmp')}", "--socket=#{socket}", "--pid-file=#{path('mariadb.pid')}",
     '--skip-networking=OFF', '--bind-address=127.0.0.1', "--port=#{port}", '--skip-name-resolve',
     "--init-file=#{path('accounts.sql')}", '--character-set-server=utf8mb4',
     '--innodb-buffer-pool-size=128M', '--innodb-flush-log-at-trx-commit=1', '--max-connections=300',
     *user_option, *@more_options]
  end

  # The server refuses to run as root unless told to.
  def user_option
    Process.euid.zero? ? ['--user=root'] : []
  end

  # The server runs this at each start, before it listens: one statement a line.
  def write_accounts
    File.write(path('accounts.sql'), %w[127.0.0.1 localhost].map do |host|
      <<~SQL
        CREATE USER IF NOT EXISTS '#{USER}'@'#{host}' IDENTIFIED BY '#{PASSWORD}';
        GRANT ALL PRIVILEGES ON *.* TO '#{USER}'@'#{host}' WITH GRANT OPTION;
      SQL
    end.join)
  end

  # A process id may have been given to another program since, and a copied directory carries
  # the process id of the original's server: the data directory tells.
  def server_process?
    return false unless pid && Processes.alive?(pid)

    data = File.read("/proc/#{pid}/cmdline").split("\0").grep(/\A--datadir=/).first
    !data.nil? && File.identical?(data.delete_prefix('--datadir='), path('data'))
  rescue Errno::ENOENT
    false
  end

  def answers?
    return false unless server_process?

    database(nil).with_client(&:ping)
  rescue Mysql2::Error
    false
  end

  def program(*names)
    places = ENV.fetch('PATH', '').split(File::PATH_SEPARATOR) + PROGRAM_PATHS
    names.each do |name|
      found = places.map { |place| File.join(place, name) }.find { |file| File.executable?(file) }
      return found if found
    end
    raise Error, "#{names.first} is not installed. Run bin/setup, or install the MariaDB server " \
                 '(Debian: apt-get install mariadb-server-core).'
  end

  # Where the socket goes when its path in {#directory} would be too long. Anybody may write to
  # the temporary directory, so what is found there must be one's own.
  def short_directory
    name = "rmt_rs-#{Process.euid}-#{Digest::SHA256.hexdigest(@directory)[0, 12]}"
    short = [Dir.tmpdir, '/tmp'].map { |parent| File.join(parent, name) }.min_by(&:bytesize)
    FileUtils.mkdir_p(short, mode: 0o700)
    return short if File.lstat(short).directory? && File.owned?(short)

    raise Error, "#{short} belongs to another user. Remove it, or set TMPDIR to a directory of your own."
  end

  def advice(log = 'mariadb.log')
    lines = Processes.last_lines(path(log)).gsub(/^/, '  ')
    "The end of #{path(log)}:\n#{lines}\nIf its data is not needed, remove #{@directory} and try again."
  end

  def read(name)
    File.read(path(name))
  rescue Errno::ENOENT
    ''
  end

  def path(name)
    File.join(@directory, name)
  end
end
