# frozen_string_literal: true

require_relative 'listeners'
require_relative 'parameters'

module RmtRs
  module Doors
    module Rack
      # What is said of a request while it is carried out. Who listens to Rails' events hears of it as of a controller's;
      # when nobody does but Rails' log, the lines of that are written without the events, which cost more than the
      # answer.
      class Events
        # Of a request whose sender is told by others than its own address.
        FORWARDED = %w[HTTP_X_FORWARDED_FOR HTTP_CLIENT_IP].freeze
        private_constant :FORWARDED

        # @param stack [Stack]
        # @param filters [Array] of parameters that nobody is to read, as Rails has them
        # @param zypper_step [Proc, nil] RMT's own callback that authenticates zypper for a service
        def initialize(stack, filters, zypper_step)
          @writes_started = stack.does?('Rails::Rack::Logger')
          @senders = ActionDispatch::RemoteIp.new(->(_) {}, *stack.arguments_of('ActionDispatch::RemoteIp'))
          @parameters = Parameters.new(filters)
          @zypper_step = zypper_step
          @listeners = Listeners.new
        end

        # Says that a request has begun, and at the end of the block that it has ended.
        #
        # @param env [Hash] Rack's
        # @param body [String]
        # @param understood [Native::Understood]
        # @yieldparam report [Told, Written] of what happens
        # @yieldreturn [Array, String] Rack's answer, or why there is none
        # @return [Array, String] the same
        def of(env, body, understood, &)
          started = started(env) if @writes_started && Rails.logger.info?
          report = @listeners.any? ? Told : Written
          report.new(@zypper_step).around(started, env, understood, -> { @parameters.of(env, body, understood) }, &)
        end

        private

        # As Rails::Rack::Logger has it.
        def started(env)
          path = env['PATH_INFO']
          path = ActionDispatch::Request.new(env).filtered_path unless env['QUERY_STRING'].empty?
          "Started #{env['REQUEST_METHOD']} \"#{path}\" for #{sender(env)} at #{Time.now.to_default_s}"
        end

        def sender(env)
          return env['REMOTE_ADDR'] if FORWARDED.none? { |header| env.key?(header) }

          @senders.call(env)
          ActionDispatch::Request.new(env).remote_ip
        end
      end

      # What is said of one request.
      class Report
        # @param zypper_step [Proc, nil]
        def initialize(zypper_step)
          @zypper_step = zypper_step
        end

        private

        # The callback as Rails knows it that RMT's step is.
        def filter(step)
          step == 'block' ? @zypper_step : step.to_sym
        end
      end

      # Of a request that others hear of: Rails' events, of which Rails' log makes its lines.
      class Told < Report
        # By what the log calls them.
        FORMATS = { 'JSON' => :json, 'XML' => :xml, 'HTML' => :html, '*/*' => '*/*' }.freeze
        private_constant :FORMATS

        # Has a request told of. See {Events#of}.
        def around(started, env, understood, parameters)
          Rails.logger.info(started) if started
          payload = payload_of(ActionDispatch::Request.new(env), understood, parameters.call)
          ActiveSupport::Notifications.instrument('start_processing.action_controller', payload)
          ActiveSupport::Notifications.instrument('process_action.action_controller', payload) do
            @payload = payload
            yield self
          end
        end

        # @param level [Symbol] the logger's method
        # @param text [String] a line for the log
        # @return [void]
        def log(level, text)
          Rails.logger.public_send(level, text)
        end

        # @param step [String] the callback that has ended it; `block` for the one that has no name
        # @return [void]
        def halted(step)
          ActiveSupport::Notifications.instrument('halted_callback.action_controller', filter: filter(step))
        end

        # @param status [Integer] of the answer, for the log
        # @param milliseconds [Float] that Rust has taken
        # @return [void]
        def ended(status, milliseconds)
          @payload[:status] = status
          @payload[:db_runtime] = milliseconds
        end

        private

        def payload_of(request, understood, parameters)
          controller = understood.controller
          format = understood.id ? {} : { 'format' => 'json' }
          { controller: controller, action: understood.action, request: request,
            params: { **parameters, **format, 'controller' => controller.delete_suffix('Controller').underscore,
                                              'action' => understood.action },
            headers: request.headers, format: FORMATS[understood.format], method: request.request_method,
            path: request.fullpath }
        end
      end

      # Of a request that nobody hears of but Rails' log: its lines, written at once when it has ended.
      class Written < Report
        # See {Report#initialize}.
        def initialize(zypper_step)
          super
          @lines = []
        end

        # Has a request written down; but nothing of one that goes on to Rails, where it will be. See {Events#of}.
        def around(started, _env, understood, parameters)
          begin_lines(started, understood, parameters) if Rails.logger.info?
          begun = now
          objects = GC.stat(:total_allocated_objects)
          answer = yield self
          @lines.clear if answer.is_a?(String)
          end_lines(now - begun, GC.stat(:total_allocated_objects) - objects) if @status
          answer
        ensure
          write
        end

        # See {Told#log}.
        def log(level, text)
          @lines << [level == :info ? 'INFO' : level.to_s.upcase, text]
        end

        # See {Told#halted}.
        def halted(step)
          @lines << ['INFO', "Filter chain halted as #{filter(step).inspect} rendered or redirected"]
        end

        # See {Told#ended}.
        def ended(status, milliseconds)
          @status = status
          @milliseconds = milliseconds
        end

        private

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
        end

        # As ActionController::LogSubscriber has them.
        def begin_lines(started, understood, parameters)
          @lines << ['INFO', started] if started
          @lines << ['INFO', "Processing by #{understood.controller}##{understood.action} as #{understood.format}"]
          parameters = parameters.call
          @lines << ['INFO', "  Parameters: #{parameters.inspect}"] unless parameters.empty?
        end

        def end_lines(milliseconds, objects)
          @lines << ['INFO', "Completed #{@status} #{::Rack::Utils::HTTP_STATUS_CODES[@status]} in #{milliseconds.round}ms " \
                             "(ActiveRecord: #{format('%.1f', @milliseconds)}ms | Allocations: #{objects})"]
        end

        # A formatter is asked once for all lines of a severity, and the device gets all of them in one piece: each
        # write lets another thread run first.
        def write
          logger = Rails.logger
          @lines.reject! { |severity, _| severity == 'INFO' } unless logger.info?
          return if @lines.empty?

          time = Time.now
          frames = Hash.new do |known, severity|
            known[severity] = logger.formatter.call(severity, time, logger.progname, "\0").split("\0", -1)
          end
          logger << @lines.each_with_object(+'') do |(severity, text), all|
            head, tail = frames[severity]
            all << head << text << tail
          end
        end
      end
    end
  end
end
