# frozen_string_literal: true

require_relative '../../lib/rmt_rs/configuration'
require_relative '../../spec/support/processes'
require_relative '../../spec/support/rmt_checkout'
require_relative '../catalog'
require_relative '../k6'
require_relative 'pictures'
require_relative 'scenario'
require_relative 'targets'

module Comparison
  # It cannot be done as it was asked for; nothing was started.
  class Refused < StandardError; end

  # What is to be measured: scenarios, doors, rounds and sizes.
  class Plan
    # Numbers: their defaults. What RAMP_… mean is said in bench/k6/ramp.js, and so on.
    NUMBERS = { 'ROUNDS' => 5, 'HERD_ROUNDS' => 1, 'MEMORY_ROUNDS' => 1, 'WARMUP' => 5, 'WORKERS' => 2, 'THREADS' => 5,
                'USERS' => 10, 'DURATION' => 20, 'REGISTRATIONS' => 100_000, 'MEMORY_LIMIT' => 180,
                'RAMP_FROM' => 1, 'RAMP_TO' => 200, 'RAMP_FACTOR' => 1.25, 'RAMP_STEP' => 10, 'RAMP_LIMIT' => 1000,
                'RAMP_USERS' => 500, 'INSTANCES' => 2000, 'WITHIN' => 5, 'FLEET' => 20_000, 'UPDATES' => 5000 }.freeze
    FRACTIONS = %w[RAMP_FROM RAMP_TO RAMP_FACTOR WITHIN].freeze
    # What is done at once is never given up for its time, but through Ruby; k6 wants a limit.
    NO_LIMIT = 86_400
    # What RMT loads so that passwords may be stored as hashes.
    ENGINE = { 'keeps_hashes' => File.expand_path('../engines/keeps_hashes', __dir__) }.freeze
    # Of each process, besides a connection for each instance.
    OTHER_FILES = 200

    # @return [Array<Scenario>]
    attr_reader :scenarios
    # @return [Array<String>]
    attr_reader :doors
    # @return [Hash{String => Numeric}] {NUMBERS} as they were asked for
    attr_reader :numbers
    # @return [String] a name of {Catalog::SIZES}
    attr_reader :catalog
    # @return [RmtCheckout, nil] nil for the host app
    attr_reader :rmt
    # @return [Integer, nil] a free one when nil
    attr_reader :port

    # @param scenarios [Array<String>] of the command line; steady when there are none; `all`, or `targets` for those that
    #   {TARGETS} are about
    # @param environment [Hash{String => String}]
    # @raise [Refused]
    def initialize(scenarios, environment)
      @environment = environment
      @numbers = NUMBERS.to_h { |name, default| [name, number(name, default)] }
      @scenarios = read_scenarios(scenarios)
      @catalog = among('CATALOG', Catalog::SIZES.keys, 'realistic')
      @rmt = read_rmt
      @doors = read_doors
      @port = read_port
    end

    # @param scenario [Scenario]
    # @return [Integer]
    def rounds(scenario)
      numbers.fetch(scenario.rounds)
    end

    # @param scenario [Scenario]
    # @return [String] a name of {Catalog::SIZES}
    def catalog_of(scenario)
      scenario.catalog || catalog
    end

    # @return [Hash{Symbol => Object}] for results.json
    def to_h
      { scenarios: scenarios.map(&:name), doors: doors,
        catalogs: scenarios.map { |scenario| catalog_of(scenario) }.uniq.to_h { |name| [name, Catalog.new(name).counts] },
        numbers: numbers.slice('WARMUP', *scenarios.flat_map { |scenario| [scenario.rounds, *scenario.settings] }) }
    end

    # Looks for what would make it fail later.
    #
    # @return [self]
    # @raise [Refused]
    def check!
      raise Refused, 'it reads /proc and runs on Linux only' unless File.file?('/proc/self/stat')

      check_program { K6.program }
      check_program { Pictures.program }
      check_port
      check_files
      check_bundle
      self
    end

    # The host app's own registrations are not RMT's: it serves just enough of them for its tests.
    #
    # @param scenario [Scenario]
    # @return [Array<String>] through which it is measured; with a variant of the scenario behind the name. RMT's own Ruby is
    #   what all others are compared with, and has none
    def doors_of(scenario)
      doors = rmt || !scenario.registers? ? self.doors : self.doors - %w[off]
      doors.flat_map { |door| [door, *(scenario.variants.map { |variant| "#{door}+#{variant}" } unless door == 'off')] }
    end

    # @param scenario [Scenario]
    # @param door [String]
    # @return [Hash{String => Object}] what its script is told
    def settings(scenario, door)
      told = numbers.slice(*scenario.settings).merge(scenario.environment)
      limit = told.delete('MEMORY_LIMIT') or return told

      told.merge('DURATION' => door == 'off' ? limit : NO_LIMIT)
    end

    private

    def read_scenarios(names)
      targets = SCENARIOS.keys & TARGETS.map(&:scenario)
      names = { [] => %w[steady], %w[all] => SCENARIOS.keys, %w[targets] => targets }.fetch(names, names)
      unknown = names - SCENARIOS.keys
      return names.uniq.map { |name| SCENARIOS.fetch(name) } if unknown.empty?

      raise Refused, "there is no scenario #{unknown.first}; choose #{SCENARIOS.keys.join(', ')}, targets or all"
    end

    def read_rmt
      directory = @environment.fetch('RMT_HOME', '')
      RmtCheckout.new(directory, engines: scenarios.any? { |it| it.variants.any? } ? ENGINE : {}) unless directory.empty?
    rescue RmtCheckout::Error => e
      raise Refused, "RMT_HOME: #{e.message}"
    end

    def read_doors
      known = RmtRs::Configuration::DOORS
      asked = @environment.fetch('DOORS', '').split(',').map(&:strip)
      unknown = asked - known
      raise Refused, "DOORS: there is no door #{unknown.first}; choose among #{known.join(', ')}" if unknown.any?
      return asked.empty? ? known : asked.uniq unless asked.include?('off') && !rmt && scenarios.any?(&:registers?)

      raise Refused, 'DOORS: with door off the host app cannot register anything, for its Ruby is made for tests; set ' \
                     'RMT_HOME to an installed RMT, or leave off out'
    end

    def read_port
      return if @environment.fetch('PORT', '').empty?

      port = number('PORT', nil)
      raise Refused, "PORT=#{port} is no port; choose one from 1 to 65535" if port > 65_535

      port
    end

    def number(name, default)
      given = @environment.fetch(name, '')
      return default if given.empty?

      value = FRACTIONS.include?(name) ? Float(given, exception: false) : Integer(given, 10, exception: false)
      return value if value&.positive?

      raise Refused, "#{name}=#{given} is no #{FRACTIONS.include?(name) ? 'number' : 'whole number'} above 0"
    end

    def among(name, allowed, default)
      given = @environment.fetch(name, '')
      return default if given.empty?
      return given if allowed.include?(given)

      raise Refused, "#{name}=#{given} is none of #{allowed.join(', ')}"
    end

    def check_program
      yield
    rescue K6::Error, Pictures::Error => e
      raise Refused, e.message
    end

    def check_port
      return if port.nil? || Processes.free_port?(port)

      raise Refused, "port #{port} is taken; end what listens there, or leave out PORT to have a free one"
    rescue Errno::EACCES
      raise Refused, "port #{port} is not open to this user; choose one above 1023"
    end

    # Each instance that waits holds a connection. What the soft limit lacks to the hard one, a process may take
    # by itself, and {Run} does.
    def check_files
      needed = files_needed
      allowed = Process.getrlimit(:NOFILE).last
      return if allowed >= needed

      raise Refused, "#{needed} files may have to be open at a time, and #{allowed} are allowed: raise that limit (as root: " \
                     "`ulimit -Hn #{needed}; ulimit -n #{needed}` in this shell), or ask for fewer INSTANCES or RAMP_USERS"
    end

    def check_bundle
      return if rmt.nil? || Host.new(database_url: 'mysql://127.0.0.1/none', rmt: rmt.directory,
                                     log: File.join(Host::PROJECT, 'tmp/log/bundle-check.log')).run('bundle', 'check')

      raise Refused, "the gems of #{rmt.directory} are not installed: run `bundle install` there, or name its bundle in " \
                     'BUNDLE_GEMFILE'
    end

    # @return [Integer] at a time, by one process
    def files_needed
      names = scenarios.map(&:name)
      most = { 'herd' => 'INSTANCES', 'ramp' => 'RAMP_USERS' }.slice(*names).values.map { |name| numbers.fetch(name) }
      (most.max || numbers.fetch('USERS')) + OTHER_FILES
    end
    public :files_needed
  end
end
