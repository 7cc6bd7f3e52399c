# frozen_string_literal: true

module Torture
  # Threads that go on until they are told to stop. Who includes it says which, in `threads`; they look at `@running`.
  module UntilStopped
    # @return [self]
    def start
      @running = true
      @threads = threads
      self
    end

    # Lets what is under way end, and raises what a thread has raised.
    #
    # @return [self]
    def stop
      @running = false
      @threads&.each(&:value)
      self
    end
  end
end
