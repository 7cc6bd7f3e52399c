# frozen_string_literal: true

require_relative 'errors'

module RmtRs
  # What a hash of a password has to cost at least.
  module HashCost
    # With so many iterations it has to take this memory, in KiB, as OWASP recommends; from five on, that of five.
    LEAST_MEMORY = { 1 => 47_104, 2 => 19_456, 3 => 12_288, 4 => 9216, 5 => 7168 }.freeze
    private_constant :LEAST_MEMORY

    # @param memory [Integer] KiB
    # @param iterations [Integer]
    # @return [void]
    # @raise [ConfigurationError]
    def self.check(memory, iterations, *)
      least = LEAST_MEMORY[[iterations, LEAST_MEMORY.keys.max].min]
      return if memory >= least

      raise ConfigurationError, "rmt_rs: credentials_memory: #{memory} with #{iterations} credentials_iterations is not " \
                                "allowed, as such hashes can be guessed too fast: give #{least} KiB at least, or more iterations"
    end
  end
end
