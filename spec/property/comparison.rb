# frozen_string_literal: true

require_relative 'check'

module Property
  # Plays the same conversation to two servers and holds what the second one answers and stores against
  # what the first one does, byte for byte but for what they make up.
  class Comparison
    # @return [Integer] conversations that ended early, as the reference crashed
    attr_reader :crashes
    # @return [Integer] conversations that ended early, as each took another of several things that are
    #   equally right
    attr_reader :choices
    # @return [Integer] steps that were taken
    attr_reader :steps

    # @param reference [Player] prepared; where it crashes the other must not
    # @param candidate [Player] prepared
    # @param in_rust [Array<Symbol>] operations that are the reference's own on the candidate, too, unless
    #   they are among these; there it may crash likewise
    # @param left [#call] how many requests the candidate has left to the reference's own code so far; to
    #   these, too, it may crash
    def initialize(reference, candidate, in_rust: Model::OPERATIONS.values, left: -> { 0 })
      @reference = reference
      @candidate = candidate
      @in_rust = in_rust
      @left = left
      @crashes = @choices = @steps = 0
    end

    # @param conversation [Conformance::Case]
    # @return [Failure, nil] at the first step after which they differ
    def run(conversation)
      both { |player| player.begin(conversation) }
      @parted = false
      conversation.steps.each_with_index do |step, index|
        differences = take(step)
        return Failure.new(index, @asked, differences, @parted) if differences.any?
        # There is no telling what should be from here on.
        break if @parted
      end
      nil
    end

    private

    def take(step)
      @steps += 1
      return compare(step) unless step['sql']

      both { |player| player.take(step) }
      []
    end

    def compare(step)
      @asked = @candidate.asked(step)
      @left_before = @left.call
      model = Model.new(Catalog.new(@candidate)).expect(@asked, @candidate.rows)
      expected, answered = both { |player| player.take(step).then { |turn| [turn, [player.named(turn), player.named_rows]] } }
      @parted = expected.first.status >= 500
      return after_crash(model, answered) if @parted

      differences = @candidate.differences(answered.last, expected.last)
      differences.any? && model.choice? ? after_choice(model, answered.first) : differences
    end

    # What is right then only the contract can say.
    def after_crash(model, answered)
      @crashes += 1
      return [] if answered.first.status >= 500 && own_crash?

      model.differences(answered.first, @candidate.rows)
    end

    def own_crash?
      !@in_rust.include?(Model.operation(@asked)) || @left.call > @left_before
    end

    def after_choice(model, turn)
      @choices += 1
      @parted = true
      model.differences(turn, @candidate.rows)
    end

    def both(&block)
      [@reference, @candidate].map do |player|
        Thread.new { block.call(player) }.tap { |thread| thread.report_on_exception = false }
      end.map(&:value)
    end
  end
end
