# frozen_string_literal: true

module RmtRs
  # How often what happened in this process since it started.
  #
  # @example
  #   RmtRs.counters # => { [:announce, :rust] => 41, [:announce, :fallback] => 1 }
  class Counters
    def initialize
      @mutex = Mutex.new
      @counts = Hash.new { |counts, operation| counts[operation] = Hash.new(0) }
    end

    # @param operation [Symbol] such as `:announce`, or `:rack` or `:overload`
    # @param outcome [Symbol, String] `:rust`, `:refused` (4xx), `:fallback` (Rust failed and Ruby answered), `:left` (the
    #   client did, and nothing was written), `:unavailable` (503), `:silent` (503 after the deadline); what a {Doorkeeper}
    #   has decided: `:left_to_ruby`, `:suspended` (503 at once), and when it changed its mind: `:core_broke`, `:core_works`,
    #   `:database_silent`, `:database_answers`; of `:overload` how often it was `:refused`; of `:rack` why the rack door left
    #   a request to Rails, in a few words
    # @return [void]
    def count(operation, outcome)
      @mutex.synchronize { @counts[operation][outcome] += 1 }
    end

    # @return [Hash{Array(Symbol, Symbol) => Integer}] a copy
    def to_h
      @mutex.synchronize do
        @counts.flat_map { |operation, outcomes| outcomes.map { |outcome, count| [[operation, outcome], count] } }.to_h
      end
    end
  end
end
