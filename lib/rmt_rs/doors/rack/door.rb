# frozen_string_literal: true

require 'json'
require 'securerandom'

module RmtRs
  module Doors
    module Rack
      # An open door: answers requests whole, with what Rails' middleware behind it would add.
      class Door
        # The body of a large answer. So few objects are made for a request that Ruby would collect such texts only when
        # there are many of them: it is given back when it was sent, and is no Array, whose texts Puma copies twice.
        class Body
          # @param text [String]
          def initialize(text)
            @text = text
          end

          # @yieldparam text [String]
          # @return [void]
          def each
            yield @text
          end

          # @return [void]
          def close
            @text.clear
          end
        end

        # Bytes of a body that Puma would rather write by itself than together with the headers.
        LARGE = 8192
        # What lines of the log begin with that RMT does not write.
        OWN = 'rmt_rs: '
        private_constant :Body, :LARGE, :OWN

        # @return [Symbol] `:front` or `:end` of the stack
        attr_reader :place

        # @param stack [Stack]
        # @param settings [Hash] what Rust has to know: operations, tokens_enabled, and how answers look
        # @param events [Events]
        def initialize(stack, settings, events)
          @place = stack.place
          @settings = Native::Settings.new(JSON.generate(settings))
          @events = events
          @headers = ActionDispatch::Response.default_headers.dup.freeze
          @tells_runtime = stack.does?('Rack::Runtime')
          @tells_id = stack.does?('ActionDispatch::RequestId')
          @id_header = stack.arguments_of('ActionDispatch::RequestId').first.to_h.fetch(:header, 'X-Request-Id')
          @id_key = "HTTP_#{@id_header.upcase.tr('-', '_')}"
        end

        # @param env [Hash] Rack's
        # @return [Array, nil] Rack's status, headers and body; nil when Rails is to answer
        def answer(env)
          started = now
          understood, body = read(env)
          return pass(env, understood) if understood.is_a?(String)
          return pass(env, 'left to Ruby') unless RmtRs.flag.decide(understood.operation.to_sym, env) { understood.machine }

          admission = env[Doorkeeper::ADMISSION] = RmtRs.doorkeeper.admit(understood.operation.to_sym)
          return pass(env, 'left to Ruby for now') if admission.answerer == :ruby

          identify(env) if @tells_id
          answer = told(env, body, understood, admission)
          return pass(env, answer) unless answer.is_a?(Array)

          complete(env, answer, started)
        end

        # Reads a request that Rails is going to answer.
        #
        # @param env [Hash] Rack's
        # @return [Native::Understood, String] or why Rust cannot answer it
        def understand(env)
          understood, = read(env)
          rewind(env)
          understood
        end

        # @param understood [Native::Understood]
        # @return [Array] see {Native.rehearse}
        # @raise [Error]
        def rehearse(understood)
          answer, *rest = Native.rehearse(@settings, understood)
          # With what Rails adds to each answer.
          answer[1] = @headers.merge(answer[1]) if answer.is_a?(Array)
          [answer, *rest]
        end

        private

        def read(env)
          body = env['rack.input']&.read || ''
          [Native.understand(@settings, env.values_at(*Native::PARTS), body), body]
        end

        def rewind(env)
          input = env['rack.input']
          input.rewind if input.respond_to?(:rewind)
        end

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end

        # Leaves a request to Rails, as it came.
        def pass(env, reason)
          rewind(env)
          RmtRs.count(:rack, reason)
          Occurrence.pass(reason)
          Rails.logger.debug { "rmt_rs: #{env['REQUEST_METHOD']} #{env['PATH_INFO']} goes on to Rails: #{reason}" }
          nil
        end

        # @return [Array, String] status, headers and body, or why Rails is to answer
        def told(env, body, understood, admission)
          id = env['action_dispatch.request_id']
          Occurrence.of(understood.operation.to_sym, :rack, id) do |occurrence|
            answer = carry_out(env, body, understood, admission)
            answer.is_a?(Array) ? occurrence&.answered(answer.first) : occurrence&.passed
            answer
          end
        end

        # As {#told}, who listens to Rails' own events is told of them.
        def carry_out(env, body, understood, admission)
          @events.of(env, body, understood) do |report|
            started = now
            id = env['action_dispatch.request_id']
            answer = admission.nobody? ? unavailable : serve(understood, report, admission, id)
            report.ended(answer.pop, (now - started) * 1000) if answer.is_a?(Array)
            answer
          end
        end

        # @return [Array, String] the same, and after the body the status for the log
        def serve(understood, report, admission, id)
          answer = Native.serve(@settings, understood)
          return answer if answer.is_a?(String)

          *answer, halted, counts, log = answer
          log.each { |level, text| report.log(level, text.start_with?(OWN) ? RmtRs.line(text, id) : text) }
          counts.each { |operation, outcome| RmtRs.count(operation, outcome) }
          admission.settle(outcome_of(counts))
          report.halted(halted) if halted
          answer
        rescue RmtRs::Error => e
          failed(understood.operation.to_sym, e, report, admission, id)
        end

        # The last count is the operation's. A request without credentials has none.
        def outcome_of(counts)
          outcome = counts.last&.last or return :undecided
          %i[silent unavailable].include?(outcome) ? outcome : :worked
        end

        # After Rust has failed: Rails, if that cannot do harm and may help, else 503.
        def failed(operation, failure, report, admission, id)
          if failure.redeemable?
            admission.leave_to_ruby(failure)
            RmtRs.count(operation, :fallback)
            Rails.logger.warn(RmtRs.line("#{OWN}#{operation} left to Rails: #{failure.message}", id))
            return 'Rust has failed'
          end

          admission.failed(failure)
          give_up(operation, failure, report, id)
          unavailable
        end

        def give_up(operation, failure, report, id)
          if failure.is_a?(Abandoned)
            RmtRs.count(operation, :left)
            return report.log(:info, RmtRs.line("#{OWN}#{operation} is not carried out: its client has left", id))
          end

          RmtRs.count(operation, failure.is_a?(Silent) ? :silent : :unavailable)
          report.log(:error, RmtRs.line("#{OWN}#{operation} failed: #{failure.message}", id))
        end

        # @return [Array] as {serve} does
        def unavailable
          status, headers, body = Refusal.unavailable.to_rack
          [status, headers, body.first, status]
        end

        # As ActionDispatch::RequestId has it.
        def identify(env)
          sent = env[@id_key]
          env['action_dispatch.request_id'] =
            sent.nil? || sent.empty? ? SecureRandom.uuid : sent.gsub(/[^\w\-@]/, '').first(255)
        end

        def complete(env, answer, started)
          status, headers, body = answer
          headers = @headers.merge(headers, Refusal.headers_for(status))
          headers[@id_header] = env['action_dispatch.request_id'] if @tells_id
          headers['X-Runtime'] = format('%0.6f', now - started) if @tells_runtime
          return [status, headers, body.empty? ? [] : [body]] if body.bytesize < LARGE

          headers['Content-Length'] = body.bytesize.to_s
          [status, headers, Body.new(body)]
        end
      end
    end
  end
end
