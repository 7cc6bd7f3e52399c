# frozen_string_literal: true

require 'optparse'
require_relative 'host'
require_relative 'rmt_checkout'

# What bin/host does: a host application with its database, in the foreground, until a signal.
#
# @example
#   HostCommand.new(%w[--door controller]).run # => exit status
class HostCommand
  # The command line or the surroundings are wrong; nothing was started.
  class Refused < StandardError; end

  # Somebody wants this to end. No StandardError, so that nobody takes it for a failure.
  class Stop < Exception; end # rubocop:disable Lint/InheritException

  PROJECT = Host::PROJECT
  STRUCTURE = File.join(Host::APP, 'db/structure.sql')
  DOORS = %w[off controller rack].freeze

  # @param arguments [Array<String>] of the command line
  def initialize(arguments)
    @arguments = arguments
    @options = { door: 'off' }
  end

  # Looks for what is wrong without starting anything.
  #
  # @return [Integer] exit status: 0, or 2 when something is wrong
  def check
    answering { check! }
  rescue LoadError
    0 # the database is looked at later, when the gem for that is installed
  end

  # Serves until SIGTERM or SIGINT.
  #
  # @return [Integer] exit status: 0 after a signal, 2 when refused, 1 when it failed
  def run
    answering do
      check!
      with_signals { serve }
    end
  end

  private

  def answering
    yield
    0
  rescue Refused, OptionParser::ParseError => e
    complain(e)
    2
  rescue StandardError => e
    complain(e)
    1
  end

  def complain(error)
    message = error.is_a?(OptionParser::ParseError) ? "#{error.message}; bin/host --help lists the options" : error.message
    warn("bin/host: #{message}")
  end

  def check!
    rest = parser.parse(@arguments, into: @options)
    raise Refused, "does not know what to do with #{rest.join(' ')}; bin/host --help lists the options" if rest.any?

    check_door
    check_port
    check_rmt
    check_database
  end

  def parser
    OptionParser.new do |options|
      options.banner = "Usage: bin/host [options]\n\nRuns a host application under Puma until SIGTERM or SIGINT.\n\n"
      options.on('--door DOOR', 'how registrations reach the Rust core: off (default), controller or rack')
      options.on('--port N', Integer, 'on 127.0.0.1; a free one by default')
      options.on('--rmt DIR', 'runs the RMT checkout in DIR instead of spec/host_app')
      options.on('-h', '--help', 'prints this') do
        puts options, '', 'DATABASE_URL names a database to use instead of a private MariaDB in tmp/mariadb;',
             'HOST_DATABASE names the database in the private one.'
        exit
      end
    end
  end

  def check_door
    door = @options[:door]
    return if DOORS.include?(door)

    raise Refused, "there is no door #{door}; choose #{DOORS.join(', ')}"
  end

  def check_port
    port = @options[:port]
    return unless port
    raise Refused, "#{port} is no port; choose one from 1 to 65535" unless port.between?(1, 65_535)
    return if Processes.free_port?(port)

    raise Refused, "port #{port} is taken; end what listens there, or leave out --port to have a free one"
  rescue Errno::EACCES
    raise Refused, "port #{port} is not open to this user; choose one above 1023"
  end

  def check_rmt
    @rmt = RmtCheckout.new(@options[:rmt]) if @options[:rmt]
  rescue RmtCheckout::Error => e
    raise Refused, e.message
  end

  def check_database
    url = ENV.fetch('DATABASE_URL', '')
    return if url.empty?

    require_relative 'mysql_database'
    @database = MysqlDatabase.new(url)
    raise Refused, 'DATABASE_URL names no database; append /NAME to it' unless @database.name

    @database.exist?
  rescue URI::InvalidURIError, ArgumentError => e
    raise Refused, "DATABASE_URL is no mysql://user:password@host:port/name: #{e.message}"
  rescue Mysql2::Error => e
    raise Refused, "the database of DATABASE_URL cannot be used: #{e.message}; start that server or correct the URL, " \
                   'or unset DATABASE_URL to have a private one'
  end

  # Thread#raise, unlike an exception out of the handler itself, can be held off while
  # something is half started or half ended.
  def with_signals
    %w[TERM INT].each { |signal| trap(signal) { Thread.main.raise(Stop) } }
    yield
  rescue Stop
    nil
  end

  def serve
    compile if @options[:door] != 'off' && !Host.native_library
    start_mariadb unless @database
    @rmt&.link
    prepare_database
    start_host
    @host.wait
    raise Host::Error, "Puma ended. The end of #{@host.log}:\n#{Processes.last_lines(@host.log)}"
  ensure
    Thread.handle_interrupt(Stop => :never) { clean_up }
  end

  def clean_up
    @host&.stop
    @rmt&.unlink
    @mariadb&.stop
  end

  def compile
    progress('compiling the Rust core')
    compiled = Processes.run(RbConfig.ruby, '-S', 'rake', 'compile', chdir: PROJECT, log: $stderr)
    return if compiled && Host.native_library

    raise 'rake compile made no library; mend what it complains about above, then try again'
  end

  def start_mariadb
    require_relative 'private_mariadb'
    @mariadb = PrivateMariadb.new
    progress("MariaDB in #{@mariadb.directory}")
    @mariadb.start
    # An RMT migrates its database itself, so the two applications cannot share one.
    name = ENV.fetch('HOST_DATABASE') { @options[:rmt] ? 'rmt_rs_rmt' : 'rmt_rs_host' }
    @database = @mariadb.database(name)
  end

  def prepare_database
    @database.create unless @database.exist?
    if @rmt
      @rmt.migrate(@database) { progress("migrating the database #{@database.name}") }
    else
      create_tables
    end
    @database.install_triggers unless @database.triggers?
  end

  def create_tables
    wanted = File.read(STRUCTURE).scan(/^CREATE TABLE IF NOT EXISTS (\w+)/).flatten
    @database.load_sql(STRUCTURE) unless (wanted - @database.tables).empty?
  end

  def start_host
    @host = Host.new(database_url: @database.url, door: @options[:door], port: @options[:port], rmt: @options[:rmt])
    progress("#{@options[:rmt] || 'spec/host_app'} on port #{@host.port}, log in #{@host.log}")
    @host.start
    puts "ready #{@host.url} database #{@database.url} door #{@options[:door]}"
    $stdout.flush
  end

  def progress(text)
    warn("bin/host: #{text}")
  end
end

if $PROGRAM_NAME == __FILE__
  checking = ARGV.first == '--check'
  command = HostCommand.new(checking ? ARGV.drop(1) : ARGV)
  exit(checking ? command.check : command.run)
end
