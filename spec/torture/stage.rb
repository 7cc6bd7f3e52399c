# frozen_string_literal: true

require_relative '../../bench/catalog'
require_relative '../support/host'
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
    DIRECTORY = File.expand_path('../../tmp/torture', __dir__)

    # @return [PrivateMariadb]
    attr_reader :mariadb
    # @return [MysqlDatabase]
    attr_reader :database
    # @return [Array<Catalog::Product>] base products that systems may register
    attr_reader :bases

    # @param name [String] of the database
    # @yieldparam stage [Stage] with the tables and a catalog, and without a system
    # @return [Object] what the block gave
    def self.open(name)
      stage = new(name)
      yield stage
    ensure
      stage&.close
    end

    # @param name [String] of the database
    def initialize(name)
      @name = name
      @mariadb = PrivateMariadb.new(File.join(DIRECTORY, 'mariadb')).start
      @database = @mariadb.database("torture_#{name}").drop.create.load_sql(STRUCTURE).install_triggers
      catalog = Catalog.new('realistic')
      catalog.load(@database)
      @bases = catalog.bases
    end

    # @param door [String]
    # @param options [Hash] of {Host}
    # @return [Host] not started; its log is kept in tmp/torture
    def host(door, **options)
      Host.new(database_url: database.url, door: door, log: File.join(DIRECTORY, "#{@name}-#{door}.log"), **options)
    end

    # @see host
    # @yieldparam host [Host] running
    # @return [Object] what the block gave
    # @raise [Host::Error]
    def with_host(door, **options)
      host = host(door, **options).start
      yield host
    ensure
      host&.stop
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
  end
end
