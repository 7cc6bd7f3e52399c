# frozen_string_literal: true

require 'json'
require 'net/http'
require_relative '../support/mysql_database'
require_relative 'naming'

module Conformance
  # Has conversations with one running server, and writes down what it answers and stores.
  #
  # @example
  #   client = Conformance::Client.new(url: 'http://127.0.0.1:4224', database: 'mysql://rmt:rmt@127.0.0.1/rmt')
  #   client.prepare # empties RMT's tables!
  #   client.observe(Conformance.cases('health').first)['steps'].first['status'] # => 200
  class Client
    CATALOG = File.join(__dir__, 'catalog.sql')

    # What is written down of each table, in the order in which generated values get their names.
    TABLES = {
      'systems' => %w[id login password hostname registered_at last_seen_at created_at updated_at scc_registered_at
                      scc_system_id system_token system_information instance_data proxy_byos_mode pubcloud_reg_code],
      'activations' => %w[system_id service_id subscription_id created_at updated_at],
      'profiles' => %w[id profile_type identifier data last_synced_at],
      'system_profiles' => %w[system_id profile_id],
      'system_uptimes' => %w[system_id online_at_day online_at_hours],
      'deregistered_systems' => %w[scc_system_id]
    }.freeze
    # Which columns hold which row's id.
    ID_KINDS = { %w[systems id] => 'system', %w[profiles id] => 'profile' }.freeze
    HEADERS = %w[content-type system-token x-system-profiles-action www-authenticate location cache-control].freeze
    private_constant :ID_KINDS, :HEADERS

    # @param url [String] base URL of the server
    # @param database [String] URL of its database
    def initialize(url:, database:)
      @base = url.chomp('/')
      @sql = MysqlDatabase.new(database).client(
        flags: Mysql2::Client::MULTI_STATEMENTS, database_timezone: :utc, application_timezone: :utc,
        cast_booleans: false, init_command: "SET time_zone = '+00:00'"
      )
      @catalog = File.read(CATALOG, encoding: 'UTF-8')
      @catalog_tables = @catalog.scan(/^DELETE FROM (\w+)/).flatten - TABLES.keys
    end

    # Loads the catalog the conversations are about. All other content of the tables goes.
    #
    # @return [self]
    def prepare
      execute("START TRANSACTION; #{@catalog} COMMIT")
      self
    end

    # Has a conversation. What it adds to the catalog is taken back.
    #
    # @param conversation [Case]
    # @return [Hash{String => Object}] `steps` and `tables`, as a recording holds them
    def observe(conversation)
      reset(conversation.given)
      naming = Naming.new(conversation.literals, @base)
      variables = {}
      { 'steps' => conversation.steps.map { |step| converse(step, variables, naming) }, 'tables' => read_tables(naming) }
    ensure
      prepare if changes_catalog?(conversation.given)
    end

    # @return [void]
    def close
      @sql.close
    end

    private

    def reset(given)
      emptied = TABLES.keys.map { |table| "DELETE FROM #{table}" }
      execute(['START TRANSACTION', 'SET FOREIGN_KEY_CHECKS=0', *emptied, 'SET FOREIGN_KEY_CHECKS=1',
               *given, 'COMMIT'].join('; '))
    end

    # A word too many costs a reload, no more.
    def changes_catalog?(given)
      given.any? { |statement| statement.match?(/\b#{Regexp.union(@catalog_tables)}\b/) }
    end

    def execute(statements)
      @sql.query(statements)
      @sql.store_result while @sql.next_result
    end

    # @return [Hash] the answer as a recording holds it
    def converse(step, variables, naming)
      response = request(substitute(step['request'], variables))
      save(step['save'], response, variables)
      recorded(response, naming)
    end

    def recorded(response, naming)
      headers = HEADERS.to_h { |header| [header, response[header] && naming.text(response[header])] }.compact
      { 'status' => response.code.to_i, 'headers' => headers.merge('etag' => !response['etag'].nil?),
        'body' => naming.body(text(response)) }
    end

    def text(response)
      response.body.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    end

    # Every request has a connection of its own, as the clients' have.
    def request(description)
      uri = URI(@base)
      Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https', read_timeout: 60) do |http|
        http.request(build(description))
      end
    end

    # Ruby's own classes for GET and DELETE would refuse or forget a body.
    def build(description)
      method, path, headers = description.values_at('method', 'path', 'headers')
      request = Net::HTTPGenericRequest.new(method, true, method != 'HEAD', path, headers.compact)
      # Ruby's library adds what a request may be meant to lack.
      headers.each { |name, value| request.delete(name) if value.nil? }
      if description.key?('json')
        request.body = JSON.generate(description['json'])
        request['Content-Type'] ||= 'application/json'
      elsif description.key?('raw')
        request.body = description['raw']
      end
      request.basic_auth(*description['basic'].split(':', 2)) if description['basic']
      request
    end

    def substitute(value, variables)
      case value
      when Hash then value.transform_values { |inner| substitute(inner, variables) }
      when Array then value.map { |inner| substitute(inner, variables) }
      when String then value.gsub(/\{\{(\w+)\}\}/) { variables.fetch(_1[2..-3]) }
      else value
      end
    end

    def save(wishes, response, variables)
      wishes&.each do |variable, source|
        place, key = source.split('.', 2)
        variables[variable] = (place == 'header' ? response[key] : JSON.parse(text(response))[key]).to_s
      rescue JSON::ParserError
        variables[variable] = '' # the comparison tells better what is wrong
      end
    end

    def read_tables(naming)
      TABLES.to_h do |table, columns|
        rows = @sql.query("SELECT #{columns.join(',')} FROM #{table} ORDER BY id")
        [table, rows.map { |row| row.to_h { |column, value| [column, stored(naming, table, column, value)] } }]
      end
    end

    def stored(naming, table, column, value)
      kind = ID_KINDS[[table, column]] || (column[/\A(system|profile)_id\z/, 1])
      case value
      when Integer then kind ? naming.name(kind, value) : value
      when Time then naming.time(value) || value.strftime('%F %T')
      when Date then value.to_s
      when String then stored_text(naming, column, value.dup.force_encoding(Encoding::UTF_8))
      else value
      end
    end

    def stored_text(naming, column, text)
      column == 'password' ? naming.generated('password', text) : naming.text(text)
    end
  end
end
