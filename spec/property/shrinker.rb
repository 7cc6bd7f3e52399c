# frozen_string_literal: true

module Property
  # Makes a failing conversation as small as it can be while it still fails in the same way: fewer steps,
  # then fewer parameters and headers.
  #
  # @example
  #   Property::Shrinker.new(check).shrink(conversation, check.run(conversation))
  class Shrinker
    # @param subject [#run] gives a {Failure} for conversations that fail
    # @param budget [Numeric] seconds, after which the smallest so far has to do
    def initialize(subject, budget: 120)
      @subject = subject
      @budget = budget
    end

    # @param conversation [Conformance::Case] that fails
    # @param failure [Failure]
    # @return [Conformance::Case]
    def shrink(conversation, failure)
      @deadline = now + @budget
      @kind = failure.kind
      @smallest = conversation
      nil while try(without_steps) || try(with_less_asked)
      @smallest
    end

    private

    # @return [Boolean] whether one of them still fails; it is then the smallest
    def try(candidates)
      candidates.any? do |steps|
        return false if now > @deadline

        smaller = @smallest.dup.tap { _1.steps = steps }
        @smallest = smaller if @subject.run(smaller)&.kind == @kind
      end
    end

    # Half of them at once first: most have nothing to do with it.
    def without_steps
      steps = @smallest.steps
      sizes = [steps.size / 2, steps.size / 4, 1].select(&:positive?).uniq
      sizes.lazy.flat_map do |size|
        (0..(steps.size - size)).step(size).map { |from| steps[0...from] + steps[(from + size)..] }
      end
    end

    def with_less_asked
      @smallest.steps.each_with_index.lazy.flat_map do |step, index|
        asked = step['request'] or next []

        %w[headers json].select { asked[_1].is_a?(Hash) }.flat_map do |part|
          asked[part].keys.map { |key| with(index, step, { **asked, part => asked[part].except(key) }) }
        end
      end
    end

    def with(index, step, asked)
      @smallest.steps.dup.tap { |steps| steps[index] = { **step, 'request' => asked } }
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
