# frozen_string_literal: true

require 'mysql2'
require 'uri'

# A database somewhere, named by a URL.
#
# @example
#   MysqlDatabase.new('mysql://user:secret@127.0.0.1/demo').create.load_sql('structure.sql')
class MysqlDatabase
  # @return [String, nil] its name; nil when the URL names only a server
  attr_reader :name

  # @param url [String] mysql://user:password@host:port/name
  # @raise [URI::InvalidURIError, ArgumentError] when it is none
  def initialize(url)
    @uri = URI(url.sub(/\Amysql2:/, 'mysql:'))
    raise ArgumentError, "#{url} does not begin with mysql://" unless @uri.scheme == 'mysql' && @uri.host

    @name = @uri.path.delete_prefix('/').then { |path| path unless path.empty? }
  end

  # @return [String]
  def url
    @uri.to_s
  end

  # @param options [Hash] further options for Mysql2::Client
  # @return [Mysql2::Client] a new connection; the caller closes it
  # @raise [Mysql2::Error::ConnectionError] when the server refuses
  def client(**options)
    Mysql2::Client.new(host: @uri.host, port: @uri.port || 3306, username: decoded(@uri.user),
                       password: decoded(@uri.password), database: @name, encoding: 'utf8mb4',
                       connect_timeout: 10, **options)
  end

  # @param options [Hash] further options for Mysql2::Client
  # @yieldparam client [Mysql2::Client] a connection that is closed afterwards
  # @return [Object] what the block gave
  def with_client(**options)
    connection = client(**options)
    yield connection
  ensure
    connection&.close
  end

  # Creates the database as RMT's would be, unless it exists.
  #
  # @return [self]
  # @raise [Mysql2::Error] when this user may not
  def create
    with_client(database: nil) do |sql|
      sql.query("CREATE DATABASE IF NOT EXISTS `#{@name}` CHARACTER SET utf8mb3")
    end
    self
  end

  # Drops the database with all it holds, if it exists.
  #
  # @return [self]
  def drop
    with_client(database: nil) { |sql| sql.query("DROP DATABASE IF EXISTS `#{@name}`") }
    self
  end

  # @return [Boolean]
  # @raise [Mysql2::Error] when the server cannot be reached or refuses this user
  def exist?
    with_client(database: nil) do |sql|
      sql.query('SHOW DATABASES').any? { |row| row.values.first == @name }
    end
  end

  # @return [Array<String>] names of its tables
  def tables
    with_client { |sql| sql.query('SHOW TABLES').map { |row| row.values.first } }
  end

  # Runs a file of statements.
  #
  # @param file [String] its path
  # @return [self]
  # @raise [Mysql2::Error] at the first statement that fails
  def load_sql(file)
    with_client(flags: Mysql2::Client::MULTI_STATEMENTS) do |sql|
      sql.query(File.read(file, encoding: 'UTF-8'))
      sql.store_result while sql.next_result
    end
    self
  end

  # Installs the triggers that count changes of the catalog, as an RMT's operator does with the generator
  # `rmt_rs:install`.
  #
  # @return [self]
  def install_triggers
    load_sql(catalog_versions::INSTALL)
  end

  # @return [Boolean] whether all of it is there
  def triggers?
    with_client { |sql| catalog_versions.complete? { |query| sql.query(query, as: :array).to_a.flatten } }
  end

  private

  # Of this checkout, unless a packed gem is loaded.
  def catalog_versions
    require_relative '../../lib/rmt_rs/catalog_versions' unless defined?(RmtRs::CatalogVersions)
    RmtRs::CatalogVersions
  end

  def decoded(text)
    text && URI.decode_www_form_component(text)
  end
end
