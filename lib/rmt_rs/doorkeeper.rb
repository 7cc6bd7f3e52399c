# frozen_string_literal: true

require_relative 'breaker'
require_relative 'errors'

# What it decides of requests.
module RmtRs
  # Decides of each request who answers it: the one place for that, whichever door it comes to.
  #
  # Two breakers for each operation have their say. `core` opens when Rust has failed several times in a row by a fault of
  # its own, or could not connect where Ruby could: Ruby answers then. `database` opens when the database was silent several
  # times in a row, each of which holds one of Puma's threads until the deadline: such requests are answered 503 at once
  # then, and of all operations together one request at a time waits for the database again.
  #
  # @example
  #   admission = doorkeeper.admit(:announce)
  #   admission.answerer # => :rust
  #   admission.settle(:worked)
  class Doorkeeper
    # Where a request has its {Admission}, in Rack's environment: what is decided holds for all doors it comes to.
    ADMISSION = 'rmt_rs.admission'
    # Failures in a row that open a breaker, and seconds until it is tried again.
    RULES = { core: { threshold: 5, pause: 10 }, database: { threshold: 3, pause: 1 } }.freeze
    # What the log says when one opens, and when it closes.
    LINES = { core: ['has failed %d times in a row: Ruby answers it for now', 'is answered by Rust again'],
              database: ['had no answer from the database %d times in a row: it is refused with 503 at once for now',
                         'has an answer from the database again'] }.freeze
    # How the counters call that.
    CHANGES = { core: %i[core_broke core_works], database: %i[database_silent database_answers] }.freeze
    private_constant :RULES, :LINES, :CHANGES

    # What was decided of one request, until it is known what came of it.
    class Admission
      # @return [Symbol] `rust`; `ruby`: RMT's own code; `nobody`: 503
      attr_reader :answerer

      # @param answerer [Symbol]
      # @yieldparam outcome [Symbol] once
      def initialize(answerer, &settled)
        @answerer = answerer
        @settled = settled
      end

      # @return [Boolean]
      def rust?
        @answerer == :rust
      end

      # @return [Boolean]
      def nobody?
        @answerer == :nobody
      end

      # Says what came of it; the first time counts.
      #
      # @param outcome [Symbol] `worked`; `broke`: by Rust's fault; `silent`: the database gave no answer; `unavailable`: it
      #   gave one, but did not serve; `undecided`: none of these
      # @return [void]
      def settle(outcome)
        settled = @settled or return
        @settled = nil
        settled.call(outcome)
      end

      # As {settle}, for a failure after which nobody tries again.
      #
      # @param failure [Error]
      # @return [void]
      def failed(failure)
        settle(case failure
               when Abandoned then :undecided
               when Silent then :silent
               when Unavailable then :unavailable
               else :broke
               end)
      end

      # Rust has failed, and Ruby may do the rest of the request.
      #
      # @param failure [Error]
      # @return [void]
      def leave_to_ruby(failure)
        # Only Ruby understands this part of it.
        return if failure.is_a?(Declined)

        @failure = failure
        @answerer = :ruby
      end

      # Settles what nobody has settled by the end of the request.
      #
      # @param reached [Boolean] false when Ruby had no database either: then it was no fault of Rust's
      # @return [void]
      def finish(reached: true)
        settle(@failure && reached ? :broke : :undecided)
      end
    end

    # @param clock [#call] the time in seconds, of a clock that only grows
    def initialize(clock: Breaker::CLOCK)
      # Whoever waits for a silent database holds a thread.
      waiting = Breaker::Trial.new(clock)
      @make = lambda do
        { core: Breaker.new(**RULES[:core], clock: clock),
          database: Breaker.new(**RULES[:database], clock: clock, trial: waiting) }.freeze
      end
      @mutex = Mutex.new
      @breakers = {}
    end

    # @param operation [Symbol] what a request is for
    # @return [Admission] to be settled
    def admit(operation)
      core, database = breakers_of(operation).values_at(:core, :database)
      # Ruby would wait for a silent database much longer than Rust.
      return decided(operation, database.state == :closed ? :ruby : :nobody) if core.shut?

      waits = database.pass or return decided(operation, :nobody)
      tries = core.pass
      return Admission.new(:rust) { |outcome| settle(operation, outcome, core: tries, database: waits) } if tries

      database.undecided(waits)
      decided(operation, :ruby)
    end

    # @return [Hash{Symbol => Hash{Symbol => Symbol}}] for each operation that was asked for the states of its breakers:
    #   `closed`, `open` or `half_open`
    # @example
    #   RmtRs.breakers # => { announce: { core: :closed, database: :half_open } }
    def states
      @mutex.synchronize { @breakers.dup }.transform_values { |breakers| breakers.transform_values(&:state) }
    end

    private

    def breakers_of(operation)
      @mutex.synchronize { @breakers[operation] ||= @make.call }
    end

    def decided(operation, answerer)
      RmtRs.count(operation, answerer == :ruby ? :left_to_ruby : :suspended)
      Admission.new(answerer)
    end

    def settle(operation, outcome, passes)
      outcomes = case outcome
                 when :worked then { core: :succeeded, database: :succeeded }
                 when :broke then { core: :failed, database: :undecided }
                 when :silent then { core: :undecided, database: :failed }
                 when :unavailable then { core: :undecided, database: :succeeded }
                 else { core: :undecided, database: :undecided }
                 end
      breakers_of(operation).each do |name, breaker|
        event = outcomes.fetch(name)
        changed = breaker.public_send(event, passes.fetch(name))
        tell(operation, name, event == :failed ? 0 : 1) if changed
      end
    end

    def tell(operation, name, change)
      RmtRs.count(operation, CHANGES.dig(name, change))
      line = format(LINES.dig(name, change), RULES.dig(name, :threshold))
      RmtRs.logger&.warn("rmt_rs: #{operation} #{line}")
    end
  end

  @doorkeeper = Doorkeeper.new

  class << self
    # @return [Doorkeeper] who decides what the {Flag} has left to be decided
    attr_reader :doorkeeper

    # @return [Hash{Symbol => Hash{Symbol => Symbol}}] what is left to Ruby, or refused, for now; see {Doorkeeper#states}
    def breakers
      @doorkeeper.states
    end

    # @return [Boolean] whether Rust is to answer anything at all
    def on?
      @operations.any? && !@flag&.off?
    end
  end
end
