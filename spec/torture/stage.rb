# frozen_string_literal: true

require_relative '../../bench/catalog'
require_relative '../support/host'
require_relative '../support/large_tree'
require_relative '../support/private_mariadb'

module Torture
  # A MariaDB for trials, which they may kill, with a catalog; and applications before it.
  #
  # @example
  #   Stage.open('kills') do |stage|
  #     stage.with_host('rack', workers: 2) { |host| … }
  #   end
  class Stage
    STRUCTURE = File.join(Host::APP, 'db/structure.sql')
    # What registrations fill.
    TABLES = %w[system_profiles system_uptimes activations systems profiles deregistered_systems].freeze
    DIRECTORY = File.expand_path('../../tmp/torture', __dir__)

    # @return [PrivateMariadb]
    attr_reader :mariadb
    # @return [MysqlDatabase]
    attr_reader :database
    # @return [Array<Catalog::Product>, nil] base products that systems may register, of the large catalog
    attr_reader :bases

    # @param name [String] of the database
    # @param options [Hash] see {#initialize}
    # @yieldparam stage [Stage] with the tables and a catalog, and without a system
    # @return [Object] what the block gave
    def self.open(name, **options)
      stage = new(name, **options)
      yield stage
    ensure
      stage&.close
    end

    # @param name [String] of the database
    # @param small [Boolean] whether {LargeTree}, one base product with modules, is enough of a catalog
    def initialize(name, small: false)
      @name = name
      @mariadb = PrivateMariadb.new(File.join(DIRECTORY, 'mariadb')).start
      @database = @mariadb.database("torture_#{name}").drop.create.load_sql(STRUCTURE).install_triggers
      small ? load_large_tree : load_catalog
    end

    # @param door [String]
    # @param options [Hash] of {Host}
    # @return [Host] not started; its log is kept in tmp/torture
    def host(door, **options)
      Host.new(database_url: database.url, door: door, log: File.join(DIRECTORY, "#{@name}-#{door}.log"), **options)
    end

    # @see host
    # @param workers [Integer] Puma's processes
    # @yieldparam host [Host] running, with all of its workers
    # @return [Object] what the block gave
    # @raise [Host::Error]
    def with_host(door, workers: 2, **options)
      host = host(door, workers: workers, **options).start
      Processes.wait_until(Host::START_SECONDS) { host.worker_pids.size == workers }
      yield host
    ensure
      host&.stop
    end

    # Removes all systems and what hangs on them.
    #
    # @return [void]
    def empty
      database.with_client do |sql|
        sql.query('SET FOREIGN_KEY_CHECKS = 0')
        TABLES.each { |table| sql.query("DELETE FROM #{table}") }
      end
    end

    # Drops the database; ends the server when nobody else uses it.
    #
    # @return [void]
    def close
      database&.drop
    rescue Mysql2::Error
      nil # what a trial has killed
    ensure
      mariadb.stop
    end

    private

    def load_large_tree
      database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
    end

    def load_catalog
      catalog = Catalog.new('realistic')
      catalog.load(database)
      @bases = catalog.bases
    end
  end
end
