# frozen_string_literal: true

module Property
  class Generator
    # Drawing lots.
    module Chance
      private

      def maybe(chance, pair)
        chance.negative? ^ one_in?(chance.abs) ? pair : {}
      end

      def one_in?(chance)
        @random.rand(chance).zero?
      end

      def pick(list)
        list[@random.rand(list.size)]
      end

      def pick_some(list, range)
        list.sample(@random.rand(range), random: @random)
      end

      def weighted(weights)
        at = @random.rand(weights.values.sum)
        weights.find { |_, weight| (at -= weight).negative? }.first
      end
    end
  end
end
