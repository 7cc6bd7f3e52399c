# frozen_string_literal: true

require 'json'
require_relative '../waited'

module RmtRs
  module Doors
    # Stands before everything else in the stack, whichever door is open: refuses what has waited so long that its client
    # would not see the answer, before anything is done for it, and says who the client is that the rest is done for.
    class Entrance
      # What every path of the registration begins with. Health is not among them: it costs less than its refusal.
      PATHS = %w[/connect/ /services/ /repo/repoindex.xml].freeze
      # Seconds without a refusal after which it is over.
      CALM = 10
      # The variable of a thread that has the socket of the client it works for.
      CLIENT = :rmt_rs_client
      private_constant :PATHS, :CALM, :CLIENT

      # @param app [#call] the rest of the stack
      # @param max_wait [Float] seconds
      # @param waited [Waited]
      # @param clock [#call] seconds that only grow
      def initialize(app, max_wait, waited: Waited.new, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @app = app
        @max_wait = max_wait
        @waited = waited
        @clock = clock
        @mutex = Mutex.new
        @refused = 0
      end

      # @param env [Hash] Rack's
      # @return [Array] Rack's status, headers and body
      def call(env)
        return @app.call(env) unless RmtRs.on? && env['PATH_INFO'].start_with?(*PATHS)
        return refuse if @waited.seconds(env)&.>(@max_wait)

        end_of_overload if @refused.positive?
        for_client(env['puma.socket']) { @app.call(env) }
      end

      private

      # Leaves the client's socket where Rust looks whether the client is still there before it writes. In a socket with
      # encryption it cannot look, and of other servers' sockets nobody knows.
      def for_client(socket)
        thread = Thread.current
        thread[CLIENT] = socket.fileno if (socket.is_a?(TCPSocket) || socket.is_a?(UNIXSocket)) && !socket.closed?
        yield
      ensure
        thread[CLIENT] = nil
      end

      def refuse
        RmtRs.count(:overload, :refused)
        begins = @mutex.synchronize do
          @last = @clock.call
          (@refused += 1) == 1
        end
        RmtRs.logger&.warn("rmt_rs: overload: what has waited for more than #{@max_wait} s is refused with 503") if begins
        Refusal.overloaded.to_rack
      end

      def end_of_overload
        refused = @mutex.synchronize do
          next unless @refused.positive? && @clock.call - @last > CALM

          @refused.tap { @refused = 0 }
        end
        RmtRs.logger&.warn("rmt_rs: overload is over: #{refused} requests were refused") if refused
      end
    end
  end
end
