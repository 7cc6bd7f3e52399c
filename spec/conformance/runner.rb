# frozen_string_literal: true

require 'json'
require 'net/http'
require_relative '../support/mysql_database'
require_relative 'naming'

# Holds a running server against conversations recorded with SUSE RMT; README.md describes them.
module Conformance
  DIRECTORY = __dir__
  CATALOG = File.join(DIRECTORY, 'catalog.sql')

  # What is compared of each table, in the order in which generated values get their names.
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

  # A recorded conversation.
  Case = Struct.new(:name, :why, :given, :steps, :expected_steps, :expected_tables, keyword_init: true) do
    # @param path [String] its file
    # @return [Case]
    def self.read(path)
      data = JSON.parse(File.read(path, encoding: 'UTF-8'))
      new(name: data['name'], why: data['why'], given: data['given'], steps: data['steps'],
          expected_steps: data['expect']['steps'], expected_tables: data['expect']['tables'])
    end

    # @return [String] all values the conversation itself contains
    def literals
      JSON.generate([given, steps])
    end
  end

  # @param pattern [String] shell pattern of names; one with a slash is a path inside this
  #   directory, others are looked for in cases/
  # @return [Array<Case>] by name
  # @raise [ArgumentError] when there is none, which no run should take for a success
  def self.cases(pattern)
    pattern = File.join('cases', pattern) unless pattern.include?('/')
    files = Dir.glob("#{pattern.delete_suffix('.json')}.json", base: DIRECTORY).sort
    raise ArgumentError, "no recorded conversation is called #{pattern}" if files.empty?

    files.map { |file| Case.read(File.join(DIRECTORY, file)) }
  end

  # Replays conversations against one server and its database.
  #
  # @example
  #   runner = Conformance::Runner.new(url: 'http://127.0.0.1:4224', database: 'mysql://rmt:rmt@127.0.0.1/rmt')
  #   runner.prepare # empties RMT's tables!
  #   runner.run(Conformance.cases('announce-minimal').first) # => [] when all is as recorded
  class Runner
    # @param url [String] base URL of the server
    # @param database [String] URL of its database
    # @param reference [Boolean] whether the server is the reference, which may crash where it did
    def initialize(url:, database:, reference: false)
      @base = url.chomp('/')
      @reference = reference
      @sql = MysqlDatabase.new(database).client(
        flags: Mysql2::Client::MULTI_STATEMENTS, database_timezone: :utc, application_timezone: :utc,
        cast_booleans: false, init_command: "SET time_zone = '+00:00'"
      )
    end

    # Loads the catalog the conversations were recorded on. All other content of the tables goes.
    #
    # @return [self]
    def prepare
      execute("START TRANSACTION; #{File.read(CATALOG, encoding: 'UTF-8')} COMMIT")
      self
    end

    # @param conversation [Case]
    # @return [Array<String>] how the server differs from the recording
    def run(conversation)
      reset(conversation.given)
      naming = Naming.new(conversation.literals, @base)
      variables = {}
      answers = conversation.steps.map { |step| converse(step, variables, naming) }
      differences = answers.zip(conversation.expected_steps).each_with_index.flat_map do |(answer, expected), index|
        compare_answers(answer, expected).map { |difference| "step #{index + 1}: #{difference}" }
      end
      return differences if beyond_crash?(answers, conversation.expected_steps)

      differences + compare_tables(read_tables(naming), conversation.expected_tables)
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
      method = description['method']
      request = Net::HTTPGenericRequest.new(method, true, method != 'HEAD', description['path'], description['headers'])
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

    # Where the reference crashed, any answer that is no crash is right.
    def compare_answers(answer, expected)
      if expected['status'] >= 500
        return [] if @reference || answer['status'] < 500

        return ["status #{answer['status']}, which should be below 500"]
      end
      differences = flatten(expected).keys | flatten(answer).keys
      differences.filter_map { |key| difference(key, flatten(answer)[key], flatten(expected)[key]) }
    end

    def flatten(answer)
      { 'status' => answer['status'], **answer['headers'].transform_keys { |key| "header #{key}" },
        'body' => answer['body'] }
    end

    # What a request leaves that the reference could not answer is not recorded, unless it was
    # refused: then nothing may be left.
    def beyond_crash?(answers, expected)
      answers.zip(expected).any? { |answer, recorded| recorded['status'] >= 500 && answer['status'] < 400 }
    end

    def compare_tables(tables, expected)
      TABLES.keys.flat_map do |table|
        actual, wanted = [tables, expected].map { |all| all.fetch(table, []) }
        count = difference("table #{table}: number of rows", actual.size, wanted.size)
        rows = wanted.zip(actual).each_with_index.flat_map do |(want, got), index|
          got ? compare_rows("table #{table}, row #{index + 1}", got, want) : []
        end
        [count, *rows].compact
      end
    end

    def compare_rows(place, actual, wanted)
      (wanted.keys | actual.keys).filter_map { |column| difference("#{place}: #{column}", actual[column], wanted[column]) }
    end

    def difference(what, actual, expected)
      return if actual == expected

      shown = [expected, actual]
      shown = excerpts(*shown) if shown.all?(String)
      format("%<what>s\n    recorded: %<expected>s\n    answered: %<actual>s",
             what: what, expected: shown.first.inspect, actual: shown.last.inspect)
    end

    # Bodies are long: what surrounds the first difference is enough.
    def excerpts(expected, actual)
      same = expected.chars.zip(actual.chars).take_while { |one, other| one == other }.size
      from = [same - 40, 0].max
      [expected, actual].map { |text| "#{'…' if from.positive?}#{text[from, 160]}#{'…' if text.length > from + 160}" }
    end
  end
end
