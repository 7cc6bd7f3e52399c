# frozen_string_literal: true

require 'json'
require_relative 'database'
require_relative 'errors'

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

    WHOLE = lambda do |range|
      ->(value) { Integer(value.to_s, exception: false)&.then { |number| number if range.cover?(number) } }
    end
    SECONDS = lambda do |range|
      ->(value) { Float(value, exception: false)&.then { |number| number if range.cover?(number) } }
    end
    TEXT = ->(value) { value.to_s unless value.to_s.empty? }
    READABLE = ->(value) { value.to_s if File.readable?(value.to_s) }
    private_constant :WHOLE, :SECONDS, :TEXT, :READABLE

    KEYS = {
      # Who answers the registration endpoints.
      door: Key.new('off', ->(value) { value.to_s if DOORS.include?(value.to_s) }, DOORS.join(', ')),
      # Database connections per process; Rails' `pool` when absent, or what Puma's threads need if that is more.
      pool: Key.new(nil, WHOLE[1..1000], 'a whole number from 1 to 1000'),
      # Seconds to wait for a connection, and for a free one.
      connect_timeout: Key.new(2.0, SECONDS[0.1..60], 'seconds from 0.1 to 60'),
      # Seconds after which a request that has no result yet is answered with 503.
      deadline: Key.new(4.0, SECONDS[0.5..60], 'seconds from 0.5 to 60'),
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
    SECRET = %i[password].freeze
    # What replaces a part of Rails' database configuration.
    DATABASE = %i[host port socket username password database pool ssl_mode sslca sslcert sslkey].freeze
    # Variables of that prefix that are no keys.
    OTHER_VARIABLES = %w[RMT_RS_LIBRARY].freeze
    # Connections besides one for each of Puma's threads: who stops waiting leaves a write behind that goes on.
    SPARE_CONNECTIONS = 2
    private_constant :OTHER_VARIABLES, :SPARE_CONNECTIONS

    # Reads RMT's settings, when there are any, and the environment.
    #
    # @param environment [Hash{String => String}]
    # @return [Configuration]
    # @raise [ConfigurationError]
    def self.load(environment: ENV)
      return new({}, environment) if environment['RMT_RS_DOOR'] == 'off'

      settings = defined?(::Settings) && ::Settings.respond_to?(:[]) ? ::Settings[:rmt_rs] : nil
      unless settings.nil? || settings.respond_to?(:to_hash)
        raise ConfigurationError, "rmt_rs: #{settings.inspect}: allowed are keys with values, such as door: controller"
      end

      new(settings.to_h, environment)
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
    #   `off` only the door is looked at: the switch must work whatever else is wrong.
    def initialize(settings, environment)
      given = settings.transform_keys(&:to_sym)
      # YAML reads a bare `off` as false.
      given[:door] = 'off' if given[:door] == false
      given.merge!(from_environment(environment))
      @values = { door: read(:door, given[:door]) }
      return if off?

      unknown = (given.keys - KEYS.keys).map { |key| "unknown key #{key}" } + unknown_variables(environment)
      raise ConfigurationError, "rmt_rs: #{unknown.first}: allowed are #{KEYS.keys.join(', ')}" if unknown.any?

      @values = KEYS.to_h { |key, _| [key, read(key, given[key])] }
    end

    # @return [String] one of {DOORS}
    def door
      @values[:door]
    end

    # @return [Boolean]
    def off?
      door == 'off'
    end

    # @return [Boolean]
    def rack?
      door == 'rack'
    end

    # What {Native.configure} takes.
    #
    # @param rails [Hash{Symbol => Object}] ActiveRecord's configuration_hash
    # @param web_threads [Integer] threads that may have a request each at the same time
    # @return [String] JSON
    # @raise [ConfigurationError] when the database configuration cannot be followed
    def to_native(rails, environment: ENV, web_threads: self.class.web_threads)
      own = @values.slice(*DATABASE).compact
      milliseconds = ->(key) { (@values[key] * 1000).to_i }
      database = Database.resolve(Database.override(rails, own), environment: environment)
      database[:pool] = [database[:pool], web_threads + SPARE_CONNECTIONS].max if web_threads.positive? && !own.key?(:pool)
      JSON.generate(
        database: database.merge(connect_timeout_ms: milliseconds[:connect_timeout],
                                 pool_timeout_ms: milliseconds[:connect_timeout],
                                 statement_timeout_ms: milliseconds[:deadline]),
        deadline_ms: milliseconds[:deadline]
      )
    end

    private

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
