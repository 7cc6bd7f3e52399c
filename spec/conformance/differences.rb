# frozen_string_literal: true

module Conformance
  # Says in words how what a server did differs from what was recorded.
  module Differences
    module_function

    # @param observed [Hash] as {Client#observe} gives it
    # @param expected [Hash] as a conversation's file holds it
    # @return [Array<String>] empty when they are the same
    def between(observed, expected)
      in_answers(observed, expected) + in_tables(observed['tables'], expected['tables'])
    end

    # @yieldparam answer [Hash] that was observed
    # @yieldparam recorded [Hash] the one that was recorded for the same request
    # @yieldreturn [Array<String>, nil] the differences; nil when they are to be looked for as ever
    # @return [Array<String>]
    # @see between
    def in_answers(observed, expected)
      observed['steps'].zip(expected['steps']).each_with_index.flat_map do |(answer, recorded), index|
        differences = (yield answer, recorded if block_given?) || in_answer(answer, recorded || {})
        differences.map { |difference| "step #{index + 1}: #{difference}" }
      end
    end

    # @param actual [Hash{String => Array<Hash>}] rows of the tables
    # @param expected [Hash{String => Array<Hash>}]
    # @return [Array<String>]
    def in_tables(actual, expected)
      (actual.keys | expected.keys).flat_map do |table|
        got, wanted = [actual, expected].map { |all| all.fetch(table, []) }
        count = difference("table #{table}: number of rows", got.size, wanted.size)
        rows = wanted.zip(got).each_with_index.flat_map do |(want, row), index|
          row ? in_hashes("table #{table}, row #{index + 1}: ", row, want) : []
        end
        [count, *rows].compact
      end
    end

    def in_answer(answer, recorded)
      in_hashes('', flatten(answer), flatten(recorded))
    end

    def flatten(answer)
      { 'status' => answer['status'], **answer.fetch('headers', {}).transform_keys { |key| "header #{key}" },
        'body' => answer['body'] }
    end

    def in_hashes(place, actual, wanted)
      (wanted.keys | actual.keys).filter_map { |key| difference("#{place}#{key}", actual[key], wanted[key]) }
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
