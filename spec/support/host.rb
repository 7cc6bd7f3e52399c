# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'net/http'
require 'uri'
require_relative 'processes'

# A host application under Puma, as it would run in production: the small one in spec/host_app
# or a checkout of RMT.
#
# @example
#   host = Host.new(database_url: mariadb.url('demo'), door: 'controller').start
#   Net::HTTP.get(URI("#{host.url}/api/health/status")) # => '{"state":"online"}'
#   host.stop
class Host
  # What went wrong and what mends it.
  class Error < StandardError; end

  PROJECT = File.expand_path('../..', __dir__)
  APP = File.join(PROJECT, 'spec/host_app')
  # RMT takes long to boot on a busy machine.
  START_SECONDS = 180

  # @return [Integer] its port on 127.0.0.1
  attr_reader :port
  # @return [Integer, nil] process id of Puma's master, nil when it does not run
  attr_reader :pid
  # @return [String] path of the file with the output of Puma and the application
  attr_reader :log

  # @param database_url [String] mysql://user:password@host:port/name of a database with its tables
  # @param door [String] RMT_RS_DOOR of the application
  # @param port [Integer, nil] any free one when nil
  # @param rmt [String, nil] directory of an RMT checkout; nil runs spec/host_app
  # @param workers [Integer] Puma processes; an RMT reads its own configuration for that
  # @param threads [Integer] threads of each, likewise
  # @param log [String, nil] tmp/log/host-PORT.log when nil
  # @param engines [Array<String>] plugins of spec/host_app: names in spec/engines, or `rmt_rs` for this gem as one
  # @param rackup [String] what spec/host_app's Puma serves: another file for an application beside it
  # @param env [Hash{String => String, nil}] further changes to the environment
  def initialize(database_url:, door: 'off', port: nil, rmt: nil, workers: 2, threads: 5, log: nil, engines: [],
                 rackup: 'config.ru', env: {})
    @database = URI(database_url)
    @door = door
    @port = port || Processes.free_port
    @rmt = rmt && File.expand_path(rmt)
    @log = log || File.join(PROJECT, "tmp/log/host-#{@port}.log")
    @size = { 'WEB_CONCURRENCY' => workers.to_s, 'RAILS_MAX_THREADS' => threads.to_s }
    @engines = engines
    @rackup = rackup
    @env = env
  end

  # Starts Puma and waits until the application answers.
  #
  # @return [self]
  # @raise [Error] when it ends or does not answer in time; the message holds the end of its log
  def start
    FileUtils.mkdir_p(File.dirname(@log))
    FileUtils.rm_f(pid_file) # a leftover would keep Rails from starting
    link_engines if @engines.any?
    Processes.spawn(*command, **surroundings) { |pid| @pid = pid }
    ended = nil
    answers = Processes.wait_until(START_SECONDS, pause: 0.1) { (ended = Processes.reap(@pid)) || healthy? }
    raise Error, failure(ended) if ended || !answers

    self
  rescue Exception # rubocop:disable Lint/RescueException -- whatever it is, leave no server behind
    stop
    raise
  end

  # Ends Puma and its workers; requests under way are answered first.
  #
  # @return [void]
  def stop
    return unless @pid

    workers = worker_pids
    Processes.terminate(@pid)
    # Workers notice the end of a master that had to be killed only after a while.
    workers.each { |worker| Processes.terminate(worker) if Processes.alive?(worker) }
    @pid = nil
  end

  # Waits until Puma ends by itself.
  #
  # @return [void]
  def wait
    Process.wait(@pid)
    @pid = nil
  end

  # @return [String] base URL, without a slash at its end
  def url
    "http://127.0.0.1:#{@port}"
  end

  # @return [Array<Integer>] process ids of Puma's workers
  def worker_pids
    @pid ? Processes.children(@pid) : []
  end

  # @return [Boolean] whether the application answers
  def healthy?
    Net::HTTP.start('127.0.0.1', @port, open_timeout: 5, read_timeout: 10) do |http|
      http.get('/api/health/status').is_a?(Net::HTTPOK)
    end
  rescue SystemCallError, IOError, Timeout::Error
    false
  end

  # @param hostname [String] of a machine that announces itself
  # @return [Net::HTTPResponse]
  def announce(hostname)
    Net::HTTP.start('127.0.0.1', @port, read_timeout: 60) do |http|
      http.post('/connect/subscriptions/systems', JSON.generate(hostname: hostname), 'Content-Type' => 'application/json')
    end
  end

  # Runs a program of the application in its directory and environment, its output in the log.
  #
  # @param command [Array<String>]
  # @return [Boolean] whether it succeeded
  def run(*command)
    FileUtils.mkdir_p(File.dirname(@log))
    Processes.run(*command, **surroundings)
  end

  # @return [String, nil] the compiled core; where it is depends on what has built it
  def self.native_library
    Dir.glob(File.join(PROJECT, "lib/{,rmt_rs/}rmt_rs.#{RbConfig::CONFIG['DLEXT']}")).first
  end

  # @param directory [String]
  # @return [Boolean] whether it holds a checkout of RMT
  def self.rmt?(directory)
    %w[config.ru config/rmt.yml lib/rmt.rb].all? { |file| File.file?(File.join(directory, file)) }
  end

  # An RMT brings its own bundle, so the one this process may run in is left behind.
  #
  # @return [Hash{String => String}] the environment for its programs
  def self.environment_for_rmt
    defined?(Bundler) ? Bundler.original_env : ENV.to_h
  end

  private

  def surroundings
    { log: @log, env: environment, chdir: @rmt || APP, unsetenv_others: true }
  end

  # RMT's configuration of Puma takes its settings from the booted application, so Rails has to
  # start Puma, as RMT's own service does.
  def command
    if @rmt
      return ['bundle', 'exec', 'rails', 'server', '--environment=production', '--binding=127.0.0.1',
              "--port=#{@port}", "--pid=#{pid_file}"]
    end

    [RbConfig.ruby, '-S', 'puma', '--quiet', '--config', 'config/puma.rb', @rackup]
  end

  def environment
    own = { 'RAILS_ENV' => 'production', 'RACK_ENV' => 'production', 'PORT' => @port.to_s,
            'RMT_RS_DOOR' => @door }.merge(@rmt ? rmt_environment : app_environment)
    inherited_environment.merge(own).merge(@env).compact
  end

  def app_environment
    engines = { 'HOST_APP_ENGINES' => engines_directory } if @engines.any?
    { 'DATABASE_URL' => @database.to_s, **@size, **engines.to_h }
  end

  def engines_directory
    "#{@log.delete_suffix('.log')}.engines"
  end

  # Plugins are links, as an operator of RMT puts them into its engines/.
  def link_engines
    FileUtils.rm_rf(engines_directory)
    FileUtils.mkdir_p(engines_directory)
    @engines.each do |name|
      directory = name == 'rmt_rs' ? PROJECT : File.join(PROJECT, 'spec/engines', name)
      FileUtils.ln_s(directory, File.join(engines_directory, name))
    end
  end

  # RMT's configuration knows no port: the MySQL client library takes it from the environment.
  # Rails would prefer a DATABASE_URL to all that.
  def rmt_environment
    { 'DATABASE_URL' => nil, 'MYSQL_HOST' => @database.host, 'MYSQL_TCP_PORT' => (@database.port || 3306).to_s,
      'MYSQL_DATABASE' => @database.path.delete_prefix('/'),
      'MYSQL_USER' => @database.user && URI.decode_www_form_component(@database.user),
      'MYSQL_PASSWORD' => @database.password && URI.decode_www_form_component(@database.password),
      'PIDFILE' => pid_file }
  end

  def pid_file
    "#{@log.delete_suffix('.log')}.pid"
  end

  def inherited_environment
    @rmt ? self.class.environment_for_rmt : ENV.to_h
  end

  def failure(ended)
    what = ended ? 'ended while it started' : "did not answer within #{START_SECONDS} s"
    "The application #{what}. The end of #{@log}:\n#{Processes.last_lines(@log).gsub(/^/, '  ')}"
  end
end
