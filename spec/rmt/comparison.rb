# frozen_string_literal: true

module RmtSpec
  # Holds the results of the same examples against each other, without and with the gem.
  #
  # @example
  #   RmtSpec::Comparison.new(off, on, []).unexplained # => [] when the gem makes no difference
  class Comparison
    # An example that ended one way without the gem and another way with it. `off` and `on` say how, `message` is that
    # of whatever failed, `reason` is why it may differ.
    Difference = Struct.new(:example, :off, :on, :message, :reason, keyword_init: true)

    # @param off [Hash] results of rspec's JSON formatter
    # @param on [Hash]
    # @param exceptions [Array<Hash>] with `example` and `reason`, see exceptions.yml
    def initialize(off, on, exceptions)
      @off, @on = [off, on].map { |results| results['examples'].to_h { |example| [example['id'], example] } }
      @reasons = exceptions.to_h { |exception| exception.values_at('example', 'reason') }
    end

    # @return [Array<Difference>]
    def differences
      (@off.keys | @on.keys).filter_map do |id|
        off, on = [@off, @on].map { |examples| examples[id] }
        difference(off, on) if outcome(off) != outcome(on)
      end
    end

    # @return [Array<Difference>] those nobody has given a reason for
    def unexplained
      differences.reject(&:reason)
    end

    # @return [Array<Difference>] those of exceptions.yml
    def explained
      differences.select(&:reason)
    end

    # @return [Array<String>] examples of exceptions.yml that were run and end the same way
    def outdated
      ran = [*@off.values, *@on.values].map { |example| example['full_description'] }
      (@reasons.keys & ran) - differences.map(&:example)
    end

    # @return [Array<Array(String, String)>] examples that fail alike, and with what
    def failing_alike
      @off.filter_map do |id, off|
        [off['full_description'], outcome(off)] if off['status'] == 'failed' && outcome(off) == outcome(@on[id])
      end
    end

    private

    def difference(off, on)
      failed = [on, off].compact.find { |example| example['exception'] }
      description = (off || on)['full_description']
      Difference.new(example: description, off: outcome(off), on: outcome(on),
                     message: failed && failed['exception']['message'], reason: @reasons[description])
    end

    # Messages have logins and ids in them; what kind of failure it is can be compared.
    def outcome(example)
      return 'not run' unless example

      [example['status'], example.dig('exception', 'class')].compact.join(', ')
    end
  end
end
