# frozen_string_literal: true

require 'ipaddr'
require 'json'
require 'yaml'
require_relative 'database'
require_relative 'errors'
require_relative 'settings_files'
require_relative 'hash_cost'

module RmtRs
  # What an operator may set: `rmt_rs:` in RMT's settings (`/etc/rmt.conf`), each key overridden by
  # the environment variable of its name (`RMT_RS_DOOR`, `RMT_RS_POOL`, …). Where the database is
  # comes from Rails' own configuration; the keys of the same name replace single parts of it.
  #
  # @example
  #   RmtRs::Configuration.new({ 'door' => 'controller' }, {}).door # => "controller"
  class Configuration
    # A key: what it means when it is absent, how a value is read, and what is allowed, in words.
    Key = Struct.new(:default, :read, :allowed)

    # `off`: RMT behaves as if the gem were not there. `controller`: RMT's own actions call Rust. `rack`: a
    # middleware answers before Rails, and what it leaves to Rails comes to the controller door.
    DOORS = %w[off controller rack].freeze

    # What an operator can leave to Ruby, by the names that `Operations` has; `authenticate` stands for all other requests of
    # systems, of which Rust does no more than that.
    ENDPOINTS = %i[announce update deregister show activate upgrade destroy synchronize activations service legacy_service
                   installer subscription_products health authenticate].freeze

    # `plaintext`: as RMT does. `argon2id`: as hashes.
    CREDENTIALS = %w[plaintext argon2id].freeze

    WHOLE = lambda do |range|
      ->(value) { Integer(value.to_s, exception: false)&.then { |number| number if range.cover?(number) } }
    end
    SECONDS = lambda do |range|
      ->(value) { Float(value, exception: false)&.then { |number| number if range.cover?(number) } }
    end
    TEXT = ->(value) { value.to_s unless value.to_s.empty? }
    READABLE = ->(value) { value.to_s if File.readable?(value.to_s) }
    # YAML makes true and false of `on` and `off`; in the environment stands what would stand in its braces.
    SWITCHES = lambda do |value|
      value = YAML.safe_load("{#{value}}") if value.is_a?(String)
      switches = value.to_h.transform_keys(&:to_sym)
      switches if (switches.keys - ENDPOINTS).empty? && switches.values.all? { |it| [true, false].include?(it) }
    rescue YAML::Exception, NoMethodError, TypeError
      nil
    end
    LOCAL = lambda do |value|
      host, port = value.to_s.match(/\A(?:\[(\h*:[\h:]+)\]|([\d.]+)):(\d+)\z/)&.captures&.compact
      value.to_s if port && IPAddr.new(host).loopback? && (1..65_535).cover?(port.to_i)
    rescue IPAddr::Error
      nil
    end
    private_constant :WHOLE, :SECONDS, :TEXT, :READABLE, :SWITCHES, :LOCAL

    KEYS = {
      # Who answers the registration endpoints.
      door: Key.new('off', ->(value) { value.to_s if DOORS.include?(value.to_s) }, DOORS.join(', ')),
      # Database connections per process; Rails' `pool` when absent, or what Puma's threads need if that is more.
      pool: Key.new(nil, WHOLE[1..1000], 'a whole number from 1 to 1000'),
      # Seconds to wait for a connection, and for a free one.
      connect_timeout: Key.new(2.0, SECONDS[0.1..60], 'seconds from 0.1 to 60'),
      # Seconds after which a request that has no result yet is answered with 503.
      deadline: Key.new(4.0, SECONDS[0.5..60], 'seconds from 0.5 to 60'),
      # Endpoints that are Ruby's although the door is open (`show: off`), or Rust's (`on`, as all are that are not named).
      endpoints: Key.new({}.freeze, SWITCHES, "on or off for each of #{ENDPOINTS.join(', ')}"),
      # How many of a hundred machines are Rust's: always the same ones, by their host name or login.
      percentage: Key.new(100.0, SECONDS[0..100], 'a number from 0 to 100'),
      # What the header `X-Rmt-Rs` (`rust SECRET` or `ruby SECRET`) has to hold to decide for its request; without it no
      # such header is looked at.
      override_secret: Key.new(nil, ->(value) { value.to_s if value.to_s.match?(/\A[[:graph:]]{16,}\z/) },
                               'at least 16 characters without spaces'),
      # Of a hundred requests, how many Ruby answers and Rust only rehearses, for both to be compared.
      shadow: Key.new(0.0, SECONDS[0..100], 'a number from 0 to 100'),
      # Seconds after which a request that waits to be looked at is refused. Clients wait for 60.
      max_wait: Key.new(50.0, SECONDS[1..3600], 'seconds from 1 to 3600'),
      # Where health is answered besides: only this machine's proxy and monitoring are to reach it.
      health_listen: Key.new(nil, LOCAL, 'an address of this machine alone and a port, such as 127.0.0.1:4225'),
      # How the passwords of systems are stored. With this key at all, hashes that are there are verified; see
      # docs/credentials.md.
      credentials: Key.new(nil, ->(value) { value.to_s if CREDENTIALS.include?(value.to_s) }, CREDENTIALS.join(', ')),
      # What a hash costs: KiB, passes over them, lanes.
      credentials_memory: Key.new(19_456, WHOLE[7168..262_144], 'KiB from 7168 to 262144'),
      credentials_iterations: Key.new(2, WHOLE[1..64], 'a whole number from 1 to 64'),
      credentials_parallelism: Key.new(1, WHOLE[1..16], 'a whole number from 1 to 16'),
      # Parts of the database configuration that differ from Rails'.
      host: Key.new(nil, TEXT, 'a host name or address'),
      port: Key.new(nil, WHOLE[1..65_535], 'a port number from 1 to 65535'),
      socket: Key.new(nil, TEXT, 'the path of a socket'),
      username: Key.new(nil, TEXT, 'a user name'),
      password: Key.new(nil, TEXT, 'a password'),
      database: Key.new(nil, TEXT, 'the name of a database'),
      ssl_mode: Key.new(nil, ->(value) { value.to_s if Database::TLS_MODES.include?(value.to_s) },
                        Database::TLS_MODES.join(', ')),
      sslca: Key.new(nil, READABLE, 'the path of a readable file'),
      sslcert: Key.new(nil, READABLE, 'the path of a readable file'),
      sslkey: Key.new(nil, READABLE, 'the path of a readable file')
    }.freeze

    # Named in complaints, never with its value.
    SECRET = %i[password override_secret].freeze
    # What may change while RMT runs.
    CHANGEABLE = %i[door endpoints percentage override_secret shadow].freeze
    # What replaces a part of Rails' database configuration.
    DATABASE = %i[host port socket username password database pool ssl_mode sslca sslcert sslkey].freeze
    # Variables of that prefix that are no keys.
    OTHER_VARIABLES = %w[RMT_RS_LIBRARY].freeze
    # What is looked at with the door `off`, too: a system whose password is a hash must not be locked out by that.
    COST = %i[credentials_memory credentials_iterations credentials_parallelism].freeze
    # Connections besides one for each of Puma's threads: who stops waiting leaves a write behind that goes on.
    SPARE_CONNECTIONS = 2
    private_constant :COST, :OTHER_VARIABLES, :SPARE_CONNECTIONS

    # Reads RMT's settings, when there are any, and the environment.
    #
    # @param environment [Hash{String => String}]
    # @return [Configuration]
    # @raise [ConfigurationError]
    def self.load(environment: ENV)
      settings = defined?(::Settings) && ::Settings.respond_to?(:[]) ? ::Settings[:rmt_rs] : nil
      unless settings.nil? || settings.respond_to?(:to_hash)
        return new({}, environment) if environment['RMT_RS_DOOR'] == 'off'

        raise ConfigurationError, "rmt_rs: #{settings.inspect}: allowed are keys with values, such as door: controller"
      end

      new(settings.to_h, environment)
    end

    # Reads anew what {load} has read, without changing RMT's own settings.
    #
    # @return [Configuration]
    # @raise [ConfigurationError] also for a file that is no YAML
    def self.reload(environment: ENV)
      new(SettingsFiles.section, environment)
    end

    # How many threads Puma has at most in this process: what it says itself, or what RMT is going to tell it, as
    # `rails server` boots Rails before Puma.
    #
    # @return [Integer] 0 when it is not known
    def self.web_threads
      puma = ::Puma.cli_config if defined?(::Puma) && ::Puma.respond_to?(:cli_config)
      rmt = ::RMT::Config.web_server if defined?(::RMT::Config) && ::RMT::Config.respond_to?(:web_server)
      (puma&.options&.[](:max_threads) || rmt&.max_threads).to_i
    end

    # @param settings [Hash] the `rmt_rs:` section
    # @param environment [Hash{String => String}]
    # @raise [ConfigurationError] for an unknown key or a value that is not allowed. With the door
    #   `off` only the door is looked at, and how passwords are stored, and nothing is raised for the latter: the switch
    #   must work whatever else is wrong.
    def initialize(settings, environment)
      given = settings.transform_keys(&:to_sym)
      # YAML reads a bare `off` as false.
      given[:door] = 'off' if given[:door] == false
      given.merge!(from_environment(environment))
      @values = { door: read(:door, given[:door]) }
      off? ? read_credentials(given) : read_all(given, environment)
    end

    # @return [String] one of {DOORS}
    def door
      @values[:door]
    end

    # @return [Float] seconds
    def max_wait
      @values[:max_wait]
    end

    # @return [String, nil] address and port
    def health_listen
      @values[:health_listen]
    end

    # @return [Boolean]
    def off?
      door == 'off'
    end

    # @return [Boolean]
    def rack?
      door == 'rack'
    end

    # @return [Float] of a hundred machines, how many are Rust's
    def percentage
      @values[:percentage]
    end

    # @return [Float] of a hundred requests, how many are only rehearsed
    def shadow
      @values.fetch(:shadow, 0.0)
    end

    # @return [String, nil]
    def override_secret
      @values[:override_secret]
    end

    # @param name [Symbol] one of {ENDPOINTS}
    # @return [Boolean] whether it is left to Rust
    def endpoint?(name)
      @values[:endpoints].fetch(name, true)
    end

    # @param other [Configuration]
    # @return [Configuration] this one, with what may change while RMT runs as the other has it
    def with(other)
      dup.tap { |it| it.values = @values.merge(other.values.slice(*CHANGEABLE)) }
    end

    # @param other [Configuration]
    # @return [Array<Symbol>]
    def keys_that_differ(other)
      # With the door off nothing else was looked at.
      return [] if off? || other.off?

      KEYS.keys.reject { |key| @values[key] == other.values[key] }
    end

    # @param key [Symbol]
    # @return [String] its value for a log
    def shown(key)
      value = @values[key]
      return 'nothing' if value.nil?
      return 'a secret' if SECRET.include?(key)
      return value.to_s unless value.is_a?(Hash)
      return 'all on' if value.empty?

      value.map { |name, on| on ? "#{name} on" : "#{name} off" }.join(', ')
    end

    # @return [String] without what nobody may read
    def inspect
      "#<#{self.class} #{@values.compact.keys.map { |key| "#{key}: #{shown(key)}" }.join(', ')}>"
    end

    # @return [String, nil] one of {CREDENTIALS}; nil when nobody has ever asked for hashes
    def credentials
      @values[:credentials]
    end

    # @return [Boolean] whether some passwords may be stored as hashes
    def hashes?
      !credentials.nil?
    end

    # @param rails [Hash{Symbol => Object}] ActiveRecord's configuration_hash
    # @return [Hash{Symbol => Object}] the same for Rust's account and server
    def database(rails)
      Database.override(rails, @values.slice(*DATABASE).compact)
    end

    # What {Native.configure} takes.
    #
    # @param rails [Hash{Symbol => Object}, nil] ActiveRecord's configuration_hash; nil where Rust needs no database, as with
    #   the door `off`
    # @param web_threads [Integer] threads that may have a request each at the same time
    # @param deadline [Float] seconds
    # @return [String] JSON
    # @raise [ConfigurationError] when the database configuration cannot be followed
    def to_native(rails, environment: ENV, web_threads: self.class.web_threads, deadline: @values[:deadline])
      return JSON.generate(database: { username: '', database: '' }, **common(KEYS[:deadline].default)) if rails.nil?

      milliseconds = ->(key) { (@values[key] * 1000).to_i }
      database = Database.resolve(database(rails), environment: environment)
      database[:pool] = [database[:pool], web_threads + SPARE_CONNECTIONS].max if web_threads.positive? && @values[:pool].nil?
      JSON.generate(
        database: database.merge(connect_timeout_ms: milliseconds[:connect_timeout],
                                 pool_timeout_ms: milliseconds[:connect_timeout],
                                 statement_timeout_ms: milliseconds[:deadline]),
        **common(deadline)
      )
    end

    protected

    # By {KEYS}; with the door `off` only that.
    attr_accessor :values

    private

    def common(deadline)
      memory, iterations, parallelism = @values.values_at(*COST)
      cost = { memory: memory, iterations: iterations, parallelism: parallelism }
      { credentials: (hashes? ? { hash: credentials == 'argon2id', cost: cost } : nil), deadline_ms: (deadline * 1000).to_i }
    end

    def read_all(given, environment)
      unknown = (given.keys - KEYS.keys).map { |key| "unknown key #{key}" } + unknown_variables(environment)
      raise ConfigurationError, "rmt_rs: #{unknown.first}: allowed are #{KEYS.keys.join(', ')}" if unknown.any?

      @values = KEYS.to_h { |key, _| [key, read(key, given[key])] }
      HashCost.check(*@values.values_at(*COST))
    end

    # With the door `off`: what is not understood means that hashes may be there.
    def read_credentials(given)
      return if given[:credentials].nil?

      keys = [:credentials, *COST]
      keys.each { |key| @values[key] = read(key, given[key]) }
      HashCost.check(*@values.values_at(*COST))
    rescue ConfigurationError
      @values.merge!(keys.to_h { |key| [key, KEYS[key].default] }, credentials: 'plaintext')
    end

    def from_environment(environment)
      KEYS.keys.to_h { |key| [key, environment["RMT_RS_#{key.to_s.upcase}"]] }
          .reject { |_, value| value.nil? || value.empty? }
    end

    def unknown_variables(environment)
      known = KEYS.keys.map { |key| "RMT_RS_#{key.to_s.upcase}" } + OTHER_VARIABLES
      (environment.keys.grep(/\ARMT_RS_/) - known).map { |name| "unknown variable #{name}" }
    end

    def read(key, value)
      rule = KEYS.fetch(key)
      return rule.default if value.nil?

      result = rule.read.call(value)
      return result unless result.nil?

      shown = SECRET.include?(key) ? '' : " #{value.inspect}"
      raise ConfigurationError, "rmt_rs: #{key}:#{shown} is not allowed: give #{rule.allowed} " \
                                "(in RMT's settings, or as RMT_RS_#{key.to_s.upcase})"
    end
  end
end
