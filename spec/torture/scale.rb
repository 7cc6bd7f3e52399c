# frozen_string_literal: true

module Torture
  # How much a trial does.
  #
  # @example
  #   scale.of('KILLS', small: 4, full: 50) # => 50, or what KILLS says in the environment
  class Scale
    # @return [Scale] seconds, for `bin/test`; what the environment says of `rake torture` does not matter
    def self.small
      new(:small, {})
    end

    # @return [Scale] as much as is promised, for `rake torture`
    def self.full
      new(:full, ENV.to_h)
    end

    # @param size [Symbol] `small` or `full`
    # @param environment [Hash{String => String}]
    def initialize(size, environment)
      @size = size
      @environment = environment
    end

    # @return [Boolean]
    def full?
      @size == :full
    end

    # @param name [String] of the variable that overrules it
    # @param small [Integer]
    # @param full [Integer]
    # @return [Integer]
    # @raise [ArgumentError] when the variable holds no whole number
    def of(name, small:, full:)
      said = @environment.fetch(name, '')
      return Integer(said) unless said.empty?

      full? ? full : small
    end
  end
end
