# frozen_string_literal: true

require_relative 'model'
require_relative 'player'

module Property
  # Where a conversation went wrong; `parted` where that was held against the contract alone.
  Failure = Struct.new(:step, :request, :differences, :parted) do
    # @return [String] what went wrong, without the values and whichever row it was
    def kind
      "#{'against the contract, ' if parted}#{differences.first.lines.first.chomp.sub(/, row \d+/, '')}"
    end

    # @return [String]
    def to_s
      "step #{step + 1}#{', against the contract' if parted}: #{differences.join("\n  ")}"
    end
  end

  # Holds a server against the model of the contract.
  class Check
    # @return [Integer] steps that were taken
    attr_reader :steps

    # @param player [Player] prepared
    # @param reference [Boolean] whether the server is the reference, which may crash where it does
    def initialize(player, reference: false)
      @player = player
      @reference = reference
      @steps = 0
    end

    # Plays a conversation; after each step the model goes on from what is stored then.
    #
    # @param conversation [Conformance::Case]
    # @return [Failure, nil]
    def run(conversation)
      @player.begin(conversation)
      @model = nil
      rows = @player.rows
      conversation.steps.each_with_index do |step, index|
        @steps += 1
        differences, rows = step['sql'] ? play_elsewhere(step) : play(step, rows)
        return Failure.new(index, @asked, differences) if differences.any?
      end
      nil
    end

    private

    # The catalog, too, may then be another.
    def play_elsewhere(step)
      @player.take(step)
      @model = nil
      [[], @player.rows]
    end

    def play(step, rows)
      @model ||= Model.new(Catalog.new(@player))
      @asked = @player.asked(step)
      expected = @model.expect(@asked, rows)
      turn = @player.take(step)
      after = @player.rows
      [expected.differences(turn, after, reference: @reference), after]
    end
  end
end
