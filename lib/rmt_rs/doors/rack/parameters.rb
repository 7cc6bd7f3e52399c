# frozen_string_literal: true

require 'json'

module RmtRs
  module Doors
    module Rack
      # The parameters of a request as Rails would show them: without what nobody is to read, and wrapped as the
      # controller wants them.
      class Parameters
        # What Rails never wraps.
        UNWRAPPED = %w[authenticity_token _method utf8].freeze
        private_constant :UNWRAPPED

        # @param filters [Array] of parameters that nobody is to read, as Rails has them
        def initialize(filters)
          @filter = ActiveSupport::ParameterFilter.new(filters)
          # By controllers.
          @wrappers = {}
        end

        # @param env [Hash] Rack's
        # @param body [String]
        # @param understood [Native::Understood]
        # @return [Hash{String => Object}] without controller, action and format
        def of(env, body, understood)
          json = env['CONTENT_TYPE']&.start_with?('application/json')
          sent = json && !body.empty? ? parse(body) : {}
          query = env['QUERY_STRING']
          all = @filter.filter(query.empty? ? sent : sent.merge(::Rack::Utils.parse_nested_query(query)))
          all['id'] = understood.id if understood.id
          wrap(all, sent, understood.controller) if json
          all
        end

        private

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

          # As slice would, which takes no million keys.
          wrapped = parameters.select { |key, _| sent.key?(key) }
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
