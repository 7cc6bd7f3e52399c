# frozen_string_literal: true

require 'json'

# rubocop:disable Style/CaseEquality -- what expected values are is for them to say

module Property
  # A time within a minute of now.
  RECENTLY = Object.new.tap do |now|
    def now.===(other)
      other.is_a?(Time) && (Time.now - other).abs < 60
    end

    def now.inspect
      '<now>'
    end
  end

  # Any of several values, where the contract leaves the choice open.
  OneOf = Struct.new(:choices) do
    # @return [Boolean]
    def ===(other)
      choices.include?(other)
    end
  end

  # A value the server makes up: the first one that it is held against, if it looks right and was
  # never seen before. From then on it is that value.
  class Fresh
    # @return [Object, nil] the value, once it is known
    attr_reader :value

    # @param what [String] for messages
    # @param pattern [#===] what it looks like
    # @param taken [Array] what it must not be
    def initialize(what, pattern, taken = [])
      @what = what
      @pattern = pattern
      @taken = taken
    end

    # @return [Boolean]
    def ===(other)
      return @value == other if @value
      return false if !(@pattern === other) || @taken.include?(other)

      @value = other
      true
    end

    # @return [String]
    def inspect
      @value ? @value.inspect : "<new #{@what}>"
    end
  end

  # What the contract says of one request: the answer, and the rows afterwards. Values in it are literal, or
  # anything with `===`, as {RECENTLY} and {Fresh}.
  class Expectation
    # In which order tables are compared: those with ids that others refer to come first.
    TABLES = %w[systems profiles activations system_profiles system_uptimes deregistered_systems].freeze
    # What tells rows of a table apart whose own ids nobody knows beforehand.
    KEYS = {
      'activations' => %w[system_id service_id], 'system_profiles' => %w[system_id profile_id],
      'system_uptimes' => %w[system_id online_at_day], 'deregistered_systems' => %w[scc_system_id]
    }.freeze

    # @return [Hash{String => Array<Hash>}] the rows afterwards
    attr_reader :rows

    # @param status [#===]
    # @param rows [Hash{String => Array<Hash>}]
    # @param facts [Symbol] what of the body is compared, see {Facts}
    # @param body [Object] what that should be
    # @param headers [Hash{String => Object}] of the answer; nil is absence
    # @param crashes [Boolean] whether the reference may answer 500
    # @param choice [Boolean] whether the reference takes what the database happens to give it first
    def initialize(status:, rows:, facts: :nothing, body: nil, headers: {}, crashes: false, choice: false)
      @status = status
      @rows = rows
      @facts = facts
      @body = body
      @headers = headers
      @crashes = crashes
      @choice = choice
    end

    # @return [Boolean] whether two servers may differ here and both be right
    def choice?
      @choice
    end

    # @param turn [Player::Turn] what the server has answered
    # @param rows [Hash{String => Array<Hash>}] what it has stored
    # @param reference [Boolean] whether the server is the reference, which crashes where it does
    # @return [Array<String>] how that differs
    def differences(turn, rows, reference: false)
      return [] if reference && @crashes && turn.status >= 500

      [difference('status', @status, turn.status), *body_differences(turn),
       *@headers.map { |name, value| difference("header #{name}", value, turn.header(name)) },
       *row_differences(rows)].compact
    end

    protected

    def row_differences(actual)
      TABLES.flat_map { |table| table_differences(table, *[@rows, actual].map { sorted(table, _1.fetch(table)) }) }
    end

    private

    def body_differences(turn)
      return [] unless @status === turn.status

      facts = Facts.of(@facts, turn.body)
      [matches?(@body, facts) ? nil : "body\n    expected: #{@body.inspect}\n    answered: #{facts.inspect[0, 600]}"]
    end

    def matches?(expected, actual)
      case expected
      when Hash
        actual.is_a?(Hash) && expected.keys == actual.keys && expected.all? { |key, value| matches?(value, actual[key]) }
      when Array
        actual.is_a?(Array) && expected.size == actual.size && expected.zip(actual).all? { |pair| matches?(*pair) }
      else expected === actual
      end
    end

    def sorted(table, rows)
      key = KEYS[table]
      return rows unless key

      rows.sort_by { |row| row.values_at(*key).map { |value| value.is_a?(Fresh) ? value.value.to_i : value } }
    end

    def table_differences(table, expected, actual)
      if expected.size != actual.size
        return ["table #{table}\n    expected: #{expected.size} rows\n    stored: #{actual.size} rows #{actual.inspect[0, 600]}"]
      end

      expected.zip(actual).each_with_index.flat_map do |(wanted, stored), index|
        wanted.map { |column, value| difference("table #{table}, row #{index + 1}: #{column}", value, stored[column]) }
      end
    end

    def difference(what, expected, actual)
      "#{what}\n    expected: #{expected.inspect}\n    got: #{actual.inspect}" unless expected === actual
    end
  end

  # What the contract leaves open, mostly because the reference crashes: anything but a crash. What is
  # refused stores nothing; what succeeds touches nobody else.
  class Latitude < Expectation
    # @param rows [Hash{String => Array<Hash>}] as they are before what is asked for is done
    # @param system [Hash, nil] the row, in them, of the system that asks; nil when it announces itself
    # @param choice [Boolean] see {Expectation#choice?}
    def initialize(rows:, system:, choice: false)
      super(status: 0..499, rows: rows, crashes: true, choice: choice)
      @system = system
    end

    # @see Expectation#differences
    def differences(turn, rows, reference: false)
      return [] if reference && turn.status >= 500
      return ["status\n    expected: below 500\n    got: #{turn.status}"] if turn.status >= 500
      return row_differences(rows) if turn.status >= 400

      others = row_differences_of_others(rows)
      others.empty? ? disagreements(turn, rows) : others
    end

    private

    # By the position, as the rows of others stay where they are.
    def row_differences_of_others(actual)
      id = own_id(actual)
      everybody = %w[profiles deregistered_systems].to_h { |table| [table, actual.fetch(table)] }
      expected = without(@rows, id).merge(everybody)
      Expectation.new(status: 0, rows: expected).row_differences(without(actual, id).merge(everybody))
    end

    def own_id(actual)
      return @system['id'].is_a?(Fresh) ? actual['systems'].last&.fetch('id') : @system['id'] if @system

      # The one that has announced itself.
      (actual['systems'].map { _1['id'] } - @rows['systems'].map { _1['id'] }).first
    end

    def without(rows, id)
      rows.to_h do |table, all|
        [table, all.reject { |row| same?(row[table == 'systems' ? 'id' : 'system_id'], id) }]
      end
    end

    def same?(value, id)
      value.is_a?(Fresh) ? value.value.nil? || value.value == id : value == id
    end

    # What the answer says is what is stored.
    def disagreements(turn, rows)
      token = turn.header('System-Token')
      return [] if token.to_s.empty? || rows['systems'].any? { |system| system['system_token'] == token }

      ["the answer's System-Token is nobody's"]
    end
  end

  # What of a body the model knows.
  module Facts
    module_function

    # @param kind [Symbol] a method of this module
    # @param body [String]
    # @return [Object]
    def of(kind, body)
      public_send(kind, body)
    rescue JSON::ParserError, NoMethodError, TypeError
      body
    end

    # @return [nil]
    def nothing(_body); end

    # @return [String]
    def text(body)
      body
    end

    # @return [Hash]
    def json(body)
      JSON.parse(body)
    end

    # @return [Hash] which service, and of which product
    def service(body)
      service_facts(JSON.parse(body))
    end

    # @return [Hash] which product, and what is in its tree
    def product(body)
      product_facts(JSON.parse(body))
    end

    # @return [Array<Hash>] products by id
    def products(body)
      JSON.parse(body).map { product_facts(_1) }.sort_by { _1['id'] }
    end

    # @return [Array<Hash>] activations by service
    def activations(body)
      JSON.parse(body).map { _1.slice('id', 'system_id').merge('service' => service_facts(_1['service'])) }
          .sort_by { _1['service']['id'] }
    end

    # @return [Array<String>] names of repositories
    def repoindex(body)
      body.start_with?('<repoindex') ? body.scan(/<repo [^>]*alias="([^"]*)"/).flatten.sort : body
    end

    def service_facts(service)
      service.slice('id', 'name', 'obsoleted_service_name').merge('product' => product_facts(service['product']))
    end

    def product_facts(product)
      { 'id' => product['id'], 'tree' => below(product).sort }
    end

    def below(product)
      product['extensions'].flat_map { [_1['id'], *below(_1)] }
    end
  end
end
# rubocop:enable Style/CaseEquality
