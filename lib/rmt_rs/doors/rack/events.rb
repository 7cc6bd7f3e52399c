# frozen_string_literal: true

require 'json'

module RmtRs
  module Doors
    module Rack
      # What Rails says of a request while it is carried out: its events, from which log lines and metrics are made.
      # Listeners find what they find at a controller's.
      class Events
        # Of a request whose sender is told by others than its own address.
        FORWARDED = %w[HTTP_X_FORWARDED_FOR HTTP_CLIENT_IP].freeze
        # What Rails never wraps.
        UNWRAPPED = %w[authenticity_token _method utf8].freeze
        # By what the log calls them.
        FORMATS = { 'JSON' => :json, 'XML' => :xml, 'HTML' => :html, '*/*' => '*/*' }.freeze
        private_constant :FORWARDED, :UNWRAPPED, :FORMATS

        # @param stack [Stack]
        # @param filters [Array] of parameters that nobody is to read, as Rails has them
        # @param zypper_step [Proc, nil] RMT's own callback that authenticates zypper for a service
        def initialize(stack, filters, zypper_step)
          @writes_started = stack.does?('Rails::Rack::Logger')
          @senders = ActionDispatch::RemoteIp.new(->(_) {}, *stack.arguments_of('ActionDispatch::RemoteIp'))
          @filter = ActiveSupport::ParameterFilter.new(filters)
          @zypper_step = zypper_step
          # By controllers.
          @wrappers = {}
          @paths = {}
        end

        # Says that a request has begun, and at the end of the block that it has ended.
        #
        # @param env [Hash] Rack's
        # @param body [String]
        # @param understood [Native::Understood]
        # @yieldparam payload [Hash] of the event, to which its status and `:db_runtime` (milliseconds) are to be added
        # @yieldreturn [Object] what is returned
        def of(env, body, understood, &)
          request = ActionDispatch::Request.new(env)
          started(env, request) if @writes_started
          payload = payload_of(request, body, understood)
          ActiveSupport::Notifications.instrument('start_processing.action_controller', payload)
          ActiveSupport::Notifications.instrument('process_action.action_controller', payload, &)
        end

        # Says that a callback has ended a request.
        #
        # @param step [String] its name; `block` for the one that has none
        # @return [void]
        def halted(step)
          filter = step == 'block' ? @zypper_step : step.to_sym
          ActiveSupport::Notifications.instrument('halted_callback.action_controller', filter: filter)
        end

        private

        # As Rails::Rack::Logger has it.
        def started(env, request)
          Rails.logger.info do
            path = env['QUERY_STRING'].empty? ? env['PATH_INFO'] : request.filtered_path
            "Started #{env['REQUEST_METHOD']} \"#{path}\" for #{sender(env, request)} at #{Time.now.to_default_s}"
          end
        end

        def sender(env, request)
          return env['REMOTE_ADDR'] if FORWARDED.none? { |header| env.key?(header) }

          @senders.call(env)
          request.remote_ip
        end

        def payload_of(request, body, understood)
          controller = understood.controller
          { controller: controller, action: understood.action, request: request,
            params: parameters(request, body, understood), headers: request.headers, format: FORMATS[understood.format],
            method: request.request_method, path: request.fullpath }
        end

        # The parameters that Rails would show: filtered, and wrapped as the controller wants them.
        def parameters(request, body, understood)
          json = request.media_type == 'application/json'
          sent = json && !body.empty? ? parse(body) : {}
          query = request.query_string
          asked = query.empty? ? {} : ::Rack::Utils.parse_nested_query(query)
          all = @filter.filter(sent.merge(asked))
          path = @paths[understood.controller] ||= understood.controller.delete_suffix('Controller').underscore
          all.update('controller' => path, 'action' => understood.action)
          understood.id ? all['id'] = understood.id : all['format'] = 'json'
          wrap(all, sent.keys, understood.controller) if json
          all
        end

        def parse(body)
          sent = JSON.parse(body)
          sent = without_nulls(sent) if body.include?('null')
          sent.is_a?(Hash) ? sent : { '_json' => sent }
        end

        # Rails takes them out of arrays.
        def without_nulls(value)
          case value
          when Hash then value.transform_values { |it| without_nulls(it) }
          when Array then value.compact.map { |it| without_nulls(it) }
          else value
          end
        end

        def wrap(parameters, sent, controller)
          name, included = wrapper_of(controller)
          return if name.nil? || parameters.key?(name)

          wrapped = parameters.slice(*sent)
          parameters[name] = included ? wrapped.slice(*included) : wrapped.except(*UNWRAPPED)
        end

        # Rails finds that out by the columns of a model.
        def wrapper_of(controller)
          @wrappers[controller] ||= begin
            options = controller.constantize._wrapper_options
            options.format.include?(:json) ? [options.name, options.include] : []
          end
        end
      end
    end
  end
end
