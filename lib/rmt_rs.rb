# frozen_string_literal: true

require_relative 'rmt_rs/version'
require_relative 'rmt_rs/errors'
require_relative 'rmt_rs/counters'
require_relative 'rmt_rs/configuration'
require_relative 'rmt_rs/native'

# RMT's registration path in Rust.
#
# Loaded by Bundler (in RMT's Gemfile) or by RMT itself (as `engines/rmt_rs/lib/rmt_rs.rb`), it hooks
# into Rails by {Railtie} and does nothing until the flag says so: see {Configuration}.
module RmtRs
  @counters = Counters.new
  @operations = []
  @callbacks_on_create = []

  class << self
    # @return [Logger, nil] Rails' logger
    attr_accessor :logger

    # @return [Array<Symbol>] what others want called on every system that is created
    attr_reader :callbacks_on_create

    # @return [Hash{Array(Symbol, Symbol) => Integer}] see {Counters}
    # @example
    #   RmtRs.counters # => { [:announce, :rust] => 1000 }
    def counters
      @counters.to_h
    end

    # @api private
    def count(operation, outcome)
      @counters.count(operation, outcome)
    end

    # @param operation [Symbol]
    # @return [Boolean] whether Rust carries it out
    def takes?(operation)
      @operations.include?(operation)
    end

    # Switches on, at the end of boot: loads the library, tells it where the database is, and takes
    # over what other code has left to RMT. One log line says what came of it.
    #
    # A library that cannot be loaded is logged, and RMT goes on without it.
    #
    # @param configuration [Configuration]
    # @param root [String] the application's root
    # @param database [Hash{Symbol => Object}] ActiveRecord's configuration_hash
    # @return [void]
    # @raise [ConfigurationError]
    def switch_on(configuration, root:, database:)
      native = configuration.to_native(database)
      Native.load!
      Native.configure(native)
      survey = Survey.new(root)
      reasons = survey.announce
      @operations = reasons.empty? ? [:announce] : []
      @callbacks_on_create = reasons.empty? ? survey.honoured(::System) : []
      learn_columns if takes?(:announce)
      report(configuration, reasons)
    rescue LoadError => e
      logger&.error("rmt_rs #{VERSION}: off, Ruby answers everything: #{e.message}")
    end

    # Carries out announce.
    #
    # @param parameters [Hash] the request's parameters
    # @return [Announced]
    # @raise [Error]
    def announce(parameters)
      Announced.new(*Native.announce(JSON.generate(parameters)))
    rescue JSON::GeneratorError, JSON::NestingError, SystemStackError
      # Infinity, for one, which JSON cannot say.
      raise Declined, 'parameters that JSON cannot express'
    end

    # What the columns of `systems` hold when nothing is said. Asks the database once, at boot if it
    # is there: later a request would wait for it.
    #
    # @return [Hash{String => String, nil}]
    # @raise [ActiveRecord::ActiveRecordError]
    def system_defaults
      @system_defaults ||= ::System.columns_hash.transform_values(&:default).freeze
    end

    private

    # Rails learns a model's columns when it first needs them: for wrapping parameters, before any
    # action. A worker that boots while the database is away learns them with its first request.
    def learn_columns
      system_defaults
    rescue StandardError => e
      logger&.warn("rmt_rs: the database was not reached at boot: #{e.class}")
    ensure
      # None of these connections may be inherited by a forked worker.
      ActiveRecord::Base.connection_handler.clear_all_connections!
    end

    def report(configuration, reasons)
      ruby = reasons.empty? ? '' : "; left to Ruby: announce (#{reasons.join('; ')})"
      rust = @operations.empty? ? 'nothing' : @operations.join(', ')
      logger&.info("rmt_rs #{VERSION}: #{configuration.door} door, in Rust: #{rust}#{ruby}")
    end
  end
end

require_relative 'rmt_rs/railtie' if defined?(Rails::Railtie)
