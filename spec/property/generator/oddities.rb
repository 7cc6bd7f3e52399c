# frozen_string_literal: true

module Property
  class Generator
    # What no client of RMT sends and anybody can: other types than texts, texts that are too long or that
    # the database cannot carry.
    class Oddities
      VALUES = [5, 15.6, 0, -1, true, false, nil, [], [1], ['SLES'], [nil], [['x']], {}, { 'a' => 1 }, { 'a' => { 'b' => [] } },
                '', ' ', 'x' * 256, 'x' * 5000, "four bytes \u{1F980}", "zero\u0000", "line\nline", '1e400', '%s', "'; --"].freeze
      # What a header can be at all. A token beyond ASCII the reference stores and never recognises again.
      TOKENS = ['x' * 256, 'x' * 2000, "four-\u{1F980}-bytes", '"quoted"', 'x' * 255].freeze
      USER_AGENTS = [*TOKENS, 'ünï'].freeze
      # One value in so many.
      CHANCE = 15

      # @param random [Random]
      def initialize(random)
        @random = random
      end

      # @param value [Object]
      # @param where [Symbol] it is going to be: body, token or user_agent
      # @return [Object] the value, or something odd
      def instead_of(value, where)
        @random.rand(CHANCE).zero? ? one(where) : value
      end

      # @param where [Symbol] body, token or user_agent
      # @return [Object] something odd
      def one(where)
        values = { body: VALUES, token: TOKENS, user_agent: USER_AGENTS }.fetch(where)
        values[@random.rand(values.size)]
      end
    end
  end
end
