# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `/connect/systems/products`, step by step: before RMT's own callbacks and actions. Two trips to
      # Rust are enough, whoever else has callbacks in between: the first authenticates and finds out
      # what all steps want to know, the second writes and renders.
      module Products
        # What the steps look at.
        PARAMETERS = %i[identifier version arch token payload].freeze
        ACTIONS = %w[activate show upgrade destroy synchronize].freeze
        private_constant :PARAMETERS, :ACTIONS

        # Activates, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def activate
          activate = -> { RmtRs.activate(checked, authorised(subscription_id: @subscription&.id), look_of_answer) }
          in_rust(:activate, ruby: -> { super() }, rust: activate) { |outcome| acted(*outcome, :created) }
        end

        # Shows a product, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def show
          in_rust(:show, ruby: -> { super() }, rust: -> { RmtRs.show(checked, look_of_answer) }) do |body|
            respond_with_json(body)
          end
        end

        # Upgrades, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def upgrade
          upgrade = -> { RmtRs.upgrade(checked, authorised(subscription_id: @subscription&.id), look_of_answer) }
          in_rust(:upgrade, ruby: -> { super() }, rust: upgrade) { |outcome| acted(*outcome, :created) }
        end

        protected

        # Leaves the product in `@product`.
        def require_product
          step(:require_product, -> { super() }) do |findings|
            @product = ::Product.instantiate(findings['product'])
          end
        end

        def check_product_service_and_repositories
          step(:check_product_service_and_repositories, -> { super() })
        end

        # Leaves the subscription, if there is one, in `@subscription`.
        def load_subscription
          step(:load_subscription, -> { super() }) do |findings|
            @subscription = findings['subscription'] && ::Subscription.instantiate(findings['subscription'])
          end
        end

        def check_base_product_dependencies
          step(:check_base_product_dependencies, -> { super() })
        end

        private

        def door_operation
          action_name.to_sym if ACTIONS.include?(action_name)
        end

        # The first trip, when Rust authenticates.
        def identify(caller)
          return super unless checks?

          find_out(caller: caller)['recognised']
        rescue Declined, ActionController::BadRequest, ActionDispatch::Http::Parameters::ParseError
          # RMT looks at the parameters once it has authenticated.
          super
        end

        def checks?
          RmtRs.takes?(:require_product) && RmtRs.takes?(door_operation) && door_operation != :synchronize
        end

        def find_out(**who)
          if params.values_at(*PARAMETERS).any?(ActionDispatch::Http::UploadedFile)
            raise BadInput, 'A file is not understood as a parameter'
          end

          @asked = parameters_among(PARAMETERS)
          @checked, @findings = RmtRs.check({ action: action_name, **who }, @asked)
          @findings
        end

        # Takes a step of RMT's with what was found out.
        #
        # @param name [Symbol] RMT's callback
        # @param ruby [Proc] which is this
        # @yieldparam findings [Hash] when the step succeeded
        def step(name, ruby)
          return ruby.call unless RmtRs.takes?(name) && checks?

          findings = timed { current_findings }
          failed = findings['failed']
          refuse(door_operation, failed['message'], 422) if failed && failed['step'] == name.to_s
          # Something this action does not ask for by itself.
          return ruby.call unless findings['passed'].include?(name.to_s)

          yield findings if block_given?
        rescue RmtRs::Error => e
          failed(name, e, &ruby)
        end

        # Others may have authenticated the system, or have changed what is asked for.
        def current_findings
          return @findings if @findings && @asked == parameters_among(PARAMETERS) && same_product?

          raise Declined, 'the check is left to Ruby' if @findings

          find_out(system: { id: @system.id, proxy_byos_mode: byos_mode_of(@system) })
        end

        def same_product?
          @product.nil? || @product.id == @findings.dig('product', 'id')
        end

        # What was found out, for the second trip.
        def checked
          answers_json
          raise Declined, 'the product was not checked in Rust' unless @findings && @product && same_product?

          @checked
        end

        # Answers for an action that changed what the system has activated.
        def acted(outcome, body, status)
          changed_system(outcome['system'])
          write_log(outcome['log'])
          (outcome['removed'] + outcome['created']).each { |key| tell_others(activation_of(key)) }
          # As RMT's `render_service` leaves it to the callbacks that follow.
          request.instance_variable_set(:@request_method, 'GET') unless action_name == 'synchronize'
          render body: body, content_type: 'application/json', status: status
        end

        # For those who want to know of it, and of its system.
        def activation_of(key)
          activation = ::Activation.instantiate(key.merge('system_id' => @system.id))
          activation.association(:system).target = @system
          activation
        end
      end

      # What only version 4 of the API has of it.
      module ProductsOfVersion4
        # Deactivates, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def destroy
          destroy = -> { RmtRs.destroy(checked, authorised, look_of_answer) }
          in_rust(:destroy, ruby: -> { super() }, rust: destroy) { |outcome| acted(*outcome, :ok) }
        end

        # Deactivates what a system does not name, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def synchronize
          synchronize = -> { RmtRs.synchronize(authorised, products_left, look_of_answer) }
          in_rust(:synchronize, ruby: -> { super() }, rust: synchronize) { |outcome| acted(*outcome, :ok) }
        end

        private

        def products_left
          raise BadInput, 'products must be an array of products' unless params.require(:products).is_a?(Array)

          parameters_among(%i[products])
        end

        # RMT makes the URLs of the host alone here, once all is done, and `URI` builds none of some hosts
        # that it can parse.
        def base_url_of_answer
          URI::HTTP.build(host: request.host) if action_name == 'synchronize'
          super
        rescue URI::InvalidComponentError
          raise RmtError.new('The Host header names no host', false, 400)
        end
      end
    end
  end
end
