# frozen_string_literal: true

require_relative '../conformance/client'
require_relative '../conformance/conversation'
require_relative '../conformance/differences'

module Property
  # Gives times that a conversation has moved into the past names of their own, so that what was
  # written before it let an hour pass can be told from what was written after.
  class Naming < Conformance::Naming
    HOUR = 3600
    # Longer ago than any conversation can make it; the catalog's dates are literal.
    LONGEST = 48 * HOUR

    # @param value [Time]
    # @return [String, nil] `<now>`, `<2 h ago>`; nil when it is another time
    def time(value)
      age = Time.now - value
      hours = (age / HOUR).round
      return super unless hours.positive? && age < LONGEST

      "<#{hours} h ago>" if (age - (hours * HOUR)).abs <= NOW
    end
  end

  # Plays conversations, step by step, to one server and shows what it has answered and stored.
  #
  # @example
  #   player = Property::Player.new(url: 'http://127.0.0.1:4224', database: 'mysql://rmt:rmt@127.0.0.1/rmt')
  #   player.prepare # empties RMT's tables!
  #   player.begin(conversation)
  #   turn = player.take(conversation.steps.first)
  #   turn.status # => 201
  #   player.rows['systems'].size # => 1
  class Player < Conformance::Client
    # A request as it was sent, with all variables filled in, and the answer to it.
    Turn = Struct.new(:request, :response, :body) do
      # @return [Integer]
      def status
        response.code.to_i
      end

      # @param name [String] of a header of the answer
      # @return [String, nil]
      def header(name)
        response[name]&.dup&.force_encoding(Encoding::UTF_8)
      end
    end

    # Forgets what was before: all systems, and what the last conversation has learnt.
    #
    # @param conversation [Conformance::Case]
    # @return [void]
    def begin(conversation)
      reset(conversation.given)
      @variables = {}
      @naming = Naming.new(conversation.literals, @base)
    end

    # Takes one step.
    #
    # @param step [Hash] with `request`, or with `sql`: statements that play what happens elsewhere
    # @return [Turn, nil] nil after statements
    def take(step)
      return execute(step['sql'].join('; ')) if step['sql']

      asked = asked(step)
      response = request(asked)
      save(step['save'], response, @variables)
      Turn.new(asked, response, text(response))
    end

    # @param step [Hash] with `request`
    # @return [Hash] the request as {#take} would send it now
    def asked(step)
      substitute(step['request'], @variables)
    end

    # @param turn [Turn]
    # @return [Hash] its answer with names for generated values
    def named(turn)
      recorded(turn.response, @naming)
    end

    # @return [Hash{String => Array<Hash>}] the rows of all tables with names for generated values
    def named_rows
      read_tables(@naming)
    end

    # @return [Hash{String => Array<Hash>}] the rows of all tables as they are
    def rows
      TABLES.to_h do |table, columns|
        [table, read("SELECT #{(['id'] | columns).join(',')} FROM #{table} ORDER BY id")]
      end
    end

    # @param answered [Array(Hash, Hash)] {#named} and {#named_rows}
    # @param expected [Array(Hash, Hash)] those of another server
    # @return [Array<String>] how they differ
    def differences(answered, expected)
      differences = Conformance::Differences.in_answer(answered.first, expected.first) +
                    Conformance::Differences.in_tables(answered.last, expected.last)
      # Nothing was recorded here.
      differences.map { |difference| difference.sub(/^    recorded:/, '    expected:').sub(/^    answered:/, '    got:') }
    end

    # @param query [String]
    # @return [Array<Hash>] rows, their texts in UTF-8
    def read(query)
      @sql.query(query).map { |row| row.transform_values { utf8(_1) } }
    end

    private

    # Binary columns and headers have no encoding of their own.
    def utf8(value)
      value.is_a?(String) ? value.dup.force_encoding(Encoding::UTF_8) : value
    end

    # What nobody has saved is empty, so that a conversation stays one when steps are left out of it.
    # `{{swapcase:x}}` is x in the other case.
    def substitute(value, variables)
      return super unless value.is_a?(String)

      value.gsub(/\{\{(swapcase:)?(\w+)\}\}/) do
        known = variables.fetch(Regexp.last_match(2), '')
        Regexp.last_match(1) ? known.swapcase : known
      end
    end

    # As clients do: what an answer does not say stays as it was.
    def save(wishes, response, variables)
      before = variables.dup
      super
      variables.transform_values! { |value| utf8(value) }
      variables.merge!(before) { |_, now, earlier| now.empty? ? earlier : now }
    end
  end
end
