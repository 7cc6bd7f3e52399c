# frozen_string_literal: true

module RmtRs
  module Doors
    module Rack
      # Which endpoints a middleware may answer: those where Rust does all that RMT's controllers would, and nobody
      # else has added anything to it.
      class Endpoints
        # Where a request goes to in RMT, and what Rust has to be able to do of it.
        Endpoint = Struct.new(:verb, :path, :controller, :action, :needs, :stores)

        CHECKED = %i[authenticate require_product].freeze
        MIRRORED = [*CHECKED, :check_product_service_and_repositories, :check_base_product_dependencies].freeze
        SYSTEMS = 'api/connect/v4/systems/systems'
        PRODUCTS = 'api/connect/v4/systems/products'
        ENDPOINTS = {
          announce: ['POST', '/connect/subscriptions/systems', 'api/connect/v4/subscriptions/systems', 'announce_system',
                     [], true],
          update: ['PUT', '/connect/systems', SYSTEMS, 'update', %i[authenticate], true],
          deregister: ['DELETE', '/connect/systems', SYSTEMS, 'deregister', %i[authenticate], true],
          show: ['GET', '/connect/systems/products', PRODUCTS, 'show', MIRRORED, true],
          activate: ['POST', '/connect/systems/products', PRODUCTS, 'activate', [*MIRRORED, :load_subscription], true],
          upgrade: ['PUT', '/connect/systems/products', PRODUCTS, 'upgrade',
                    [*CHECKED, :load_subscription, :check_base_product_dependencies], true],
          destroy: ['DELETE', '/connect/systems/products', PRODUCTS, 'destroy', CHECKED, true],
          synchronize: ['POST', '/connect/systems/products/synchronize', PRODUCTS, 'synchronize', %i[authenticate], true],
          activations: ['GET', '/connect/systems/activations', 'api/connect/v4/systems/activations', 'index',
                        %i[authenticate], true],
          service: ['GET', '/services/1', 'services', 'show', %i[authenticate], false],
          installer: ['GET', '/connect/repositories/installer', 'api/connect/v4/repositories/installer', 'index', [], false],
          subscription_products: ['GET', '/connect/subscriptions/products', 'api/connect/v4/subscriptions/products', 'index',
                                  [], false],
          health: ['GET', '/api/health/status', 'api/health', 'status', [], false]
        }.transform_values { |values| Endpoint.new(*values) }.freeze
        private_constant :Endpoint, :CHECKED, :MIRRORED, :SYSTEMS, :PRODUCTS, :ENDPOINTS

        # RMT's own callbacks of actions.
        STEPS = %i[authenticate_system require_product check_product_service_and_repositories load_subscription
                   check_base_product_dependencies refresh_system_token authenticate_with_token].freeze
        private_constant :STEPS

        # @return [Hash{Symbol => String}] for each endpoint that is left to Rails why
        attr_reader :reasons

        # @param routes [ActionDispatch::Routing::RouteSet] the application's
        # @param survey [Survey]
        def initialize(routes, survey)
          @routes = routes
          @survey = survey
          @reasons = ENDPOINTS.to_h { |operation, endpoint| [operation, reason(operation, endpoint)] }.compact
        end

        # @return [Array<Symbol>] those that may be answered
        def operations
          ENDPOINTS.keys - reasons.keys
        end

        # @return [Proc, nil] RMT's own callback that authenticates zypper for a service
        def zypper_step
          controller = 'ServicesController'.safe_constantize
          @survey.steps(controller).grep(Proc).first if controller
        end

        private

        def reason(operation, endpoint)
          missing = [operation, *endpoint.needs].reject { |need| RmtRs.takes?(need) }
          return "#{missing.first} is left to Ruby" if missing.any?
          return 'what others do with systems and activations' if endpoint.stores && followed?
          return 'its route' unless routed?(endpoint)

          controllers(endpoint).filter_map { |controller| added_step(controller) }.first
        end

        # Whether others want to know of each record that is stored.
        def followed?
          [System, Activation].any? { |model| RmtRs.honoured_callbacks(model).any? }
        end

        def routed?(endpoint)
          route = @routes.recognize_path(endpoint.path, method: endpoint.verb)
          route.values_at(:controller, :action) == [endpoint.controller, endpoint.action]
        rescue ActionController::RoutingError
          false
        end

        # In both versions of the API.
        def controllers(endpoint)
          [endpoint.controller, endpoint.controller.sub('/v4/', '/v3/')].uniq.filter_map do |path|
            "#{path.camelize}Controller".safe_constantize
          end
        end

        def added_step(controller)
          place = @survey.onlookers(controller).first
          return "#{controller} is looked at by #{place}" if place

          step = @survey.steps(controller).find { |it| !known_step?(controller, it) }
          "#{controller} has the callback #{step.is_a?(Symbol) ? step : 'of a block'}" if step
        end

        # RMT authenticates zypper for a service by a block.
        def known_step?(controller, step)
          step.is_a?(Symbol) ? STEPS.include?(step) : controller.name == 'ServicesController'
        end
      end
    end
  end
end
