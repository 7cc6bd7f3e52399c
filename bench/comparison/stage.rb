# frozen_string_literal: true

require 'digest'
require_relative '../../spec/support/host'
require_relative '../../spec/support/private_mariadb'
require_relative '../../spec/support/rmt_checkout'
require_relative '../catalog'
require_relative '../fleet'

module Comparison
  # Where the measuring happens: a database of its own with a catalog, and one application at a time
  # before it.
  class Stage
    # A server of its own, so that what it counts is what the application asks.
    DIRECTORY = File.join(Host::PROJECT, 'tmp/mariadb-bench')
    STRUCTURE = File.join(Host::APP, 'db/structure.sql')
    # What registrations fill.
    TABLES = %w[system_profiles system_uptimes activations systems profiles deregistered_systems].freeze

    # @return [MysqlDatabase]
    attr_reader :database
    # @return [Array<Catalog::Product>] base products that systems register
    attr_reader :bases

    # @param plan [Plan]
    # @param progress [Proc] is called with what is done
    def initialize(plan, progress)
      @plan = plan
      @progress = progress
      @mariadb = PrivateMariadb.new(DIRECTORY)
    end

    # Starts the database, makes the tables where they are missing.
    #
    # @return [self]
    # @raise [PrivateMariadb::Error, RmtCheckout::Error, Mysql2::Error]
    def open
      @progress.call("starting MariaDB in #{DIRECTORY}")
      @mariadb.start
      @plan.rmt&.link
      @database = @mariadb.database(name).create
      make_tables
      self
    end

    # Loads a catalog, unless it is there; systems go with the one before.
    #
    # @param name [String] one of {Catalog::SIZES}
    # @return [void]
    def show_catalog(name)
      return if @catalog == name

      catalog = Catalog.new(name)
      counts = catalog.counts.slice('products', 'repositories', 'products_extensions').map { |table, count| "#{count} #{table}" }
      @progress.call("loading the #{name} catalog: #{counts.join(', ')}")
      remove_systems
      catalog.load(database)
      @catalog = name
      @bases = catalog.bases
    end

    # @return [void]
    def close
      @plan.rmt&.unlink
      @mariadb.stop
    end

    # @param door [String] with a variant of the scenario behind its name, perhaps
    # @yieldparam host [Host] the application with this door, running
    # @return [Object] what the block gave
    # @raise [Host::Error]
    def with_host(door)
      door, variant = door.split('+', 2)
      host = host(door, env: variant ? { 'RMT_RS_CREDENTIALS' => variant } : {}).start
      yield host
    ensure
      host&.stop
    end

    # @param door [String]
    # @return [Host] the application, not started
    def host(door, **options)
      Host.new(database_url: database.url, door: door, port: @plan.port, rmt: @plan.rmt&.directory,
               workers: @plan.numbers['WORKERS'], threads: @plan.numbers['THREADS'], **options)
    end

    # Removes all systems, and puts a fleet in their place where there is to be one.
    #
    # @param scenario [Scenario]
    # @return [void]
    def fresh_rows(scenario)
      remove_systems
      Fleet.new(bases, @plan.numbers['FLEET']).load(database) if scenario.settings.include?('FLEET')
    end

    # What is in the tables: systems, those that have all that a client activates, activations.
    #
    # @return [Hash{Symbol => Integer}]
    def rows
      complete = bases.first.service_ids.size
      row = database.with_client do |sql|
        sql.query('SELECT (SELECT COUNT(*) FROM systems) AS systems, (SELECT COUNT(*) FROM activations) AS activations, ' \
                  '(SELECT COUNT(*) FROM (SELECT system_id FROM activations GROUP BY system_id ' \
                  "HAVING COUNT(*) = #{complete}) AS all_of_it) AS complete").first
      end
      row.transform_keys(&:to_sym)
    end

    private

    def remove_systems
      database.with_client do |sql|
        sql.query('SET FOREIGN_KEY_CHECKS = 0')
        TABLES.each { |table| sql.query("TRUNCATE #{table}") }
      end
    end

    # An RMT's tables are made by its own migrations, which differ from version to version.
    def name
      return 'rmt_rs_bench' unless @plan.rmt

      "rmt_rs_bench_#{Digest::SHA256.hexdigest(File.realpath(@plan.rmt.directory))[0, 8]}"
    end

    # Triggers as an operator of the gem has them, whatever door is measured.
    def make_tables
      if @plan.rmt
        @plan.rmt.migrate(database) { @progress.call("making RMT's tables with its migrations") }
      else
        database.load_sql(STRUCTURE)
      end
      database.install_triggers
    end
  end
end
