# frozen_string_literal: true

require_relative 'check'

module Property
  # Plays the same conversation to two servers and holds what the second one answers and stores against
  # what the first one does, byte for byte but for what they make up.
  class Comparison
    # @return [Integer] conversations that ended early, as the reference crashed
    attr_reader :crashes

    # @param reference [Player] prepared; where it crashes the other must not
    # @param candidate [Player] prepared
    # @param in_rust [Array<Symbol>] operations that are the reference's own on the candidate, too, unless
    #   they are among these; there it may crash likewise
    def initialize(reference, candidate, in_rust: Model::OPERATIONS.values)
      @reference = reference
      @candidate = candidate
      @in_rust = in_rust
      @crashes = 0
    end

    # @param conversation [Conformance::Case]
    # @return [Failure, nil] at the first step after which they differ
    def run(conversation)
      both { |player| player.begin(conversation) }
      conversation.steps.each_with_index do |step, index|
        next both { |player| player.take(step) } if step['sql']

        differences, crashed = compare(step)
        return Failure.new(index, @asked, differences) if differences.any?
        # From here on there is no telling what should be.
        return nil.tap { @crashes += 1 } if crashed
      end
      nil
    end

    private

    def compare(step)
      @asked = @candidate.asked(step)
      before = @candidate.rows
      model = Model.new(Catalog.new(@candidate))
      expected, answered = both { |player| player.take(step).then { |turn| [turn, [player.named(turn), player.named_rows]] } }
      crashed = expected.first.status >= 500
      return [[], true] if crashed && !@in_rust.include?(Model.operation(@asked))

      differences = @candidate.differences(answered.last, expected.last)
      # What is right then only the contract can say.
      differences |= model.expect(@asked, before).differences(answered.first, @candidate.rows) if crashed
      [differences, crashed]
    end

    def both(&block)
      [@reference, @candidate].map { |player| Thread.new { block.call(player) } }.map(&:value)
    end
  end
end
