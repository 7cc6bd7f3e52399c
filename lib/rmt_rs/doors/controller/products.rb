# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `/connect/systems/products`, step by step: before RMT's own callbacks and actions. Two trips to
      # Rust are enough, whoever else has callbacks in between: the first authenticates and finds out
      # what all steps want to know, the second writes and renders.
      module Products
        # What the steps look at.
        PARAMETERS = %w[identifier version arch token payload].freeze
        ACTIONS = %i[activate show upgrade destroy synchronize].to_h { |action| [action.name, action] }.freeze
        private_constant :PARAMETERS, :ACTIONS

        # Activates, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def activate
          activate = -> { RmtRs.act('activate', checked, authorised, subscription_id, look_of_answer) }
          in_rust(:activate, ruby: -> { super() }, rust: activate) { |done| acted(done, :created) }
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
          upgrade = -> { RmtRs.act('upgrade', checked, authorised, subscription_id, look_of_answer) }
          in_rust(:upgrade, ruby: -> { super() }, rust: upgrade) { |done| acted(done, :created) }
        end

        protected

        # Leaves the product in `@product`.
        def require_product
          step(:require_product, -> { super() }) { @product_found = true }
        end

        def check_product_service_and_repositories
          step(:check_product_service_and_repositories, -> { super() })
        end

        # Leaves the subscription, if there is one, in `@subscription`.
        def load_subscription
          step(:load_subscription, -> { super() }) { @subscription_found = true }
        end

        def check_base_product_dependencies
          step(:check_base_product_dependencies, -> { super() })
        end

        private

        def door_operation
          ACTIONS[action_name]
        end

        # The first trip, when Rust authenticates.
        def identify(caller)
          return super unless checks?

          find_out(caller_of_action: caller)
        rescue Declined, ActionController::BadRequest, ActionDispatch::Http::Parameters::ParseError
          # RMT looks at the parameters once it has authenticated.
          super
        end

        def checks?
          takes?(:require_product) && takes?(door_operation) && door_operation != :synchronize
        end

        def find_out(**who)
          if multipart? && params.values_at(*PARAMETERS).any?(ActionDispatch::Http::UploadedFile)
            raise BadInput, 'A file is not understood as a parameter'
          end

          @asked = parameters_among(PARAMETERS)
          @checked, recognised = RmtRs.check(action_name, @asked, **who)
          recognised
        end

        # What the steps have left, as RMT has it.
        def leave_records
          super
          @product = instantiate(::Product, @checked.product) if @product_found
          @subscription = instantiate(::Subscription, @checked.subscription) if @subscription_found
          @product_found = @subscription_found = false
        end

        def instantiate(model, columns)
          columns && model.instantiate(JSON.parse(columns))
        end

        # What pays for the product, by whoever found that out.
        def subscription_id
          @subscription_found ? @checked.subscription_id : @subscription&.id
        end

        # Takes a step of RMT's with what was found out.
        #
        # @param name [Symbol] RMT's callback
        # @param ruby [Proc] which is this
        # @yield when the step succeeded
        def step(name, ruby)
          return in_ruby(&ruby) unless takes?(name) && checks?

          find_out_what_is_missing
          # The check has got so far, or to a step that fails, or it is something this action does not ask for by itself.
          return in_ruby(&ruby) unless passes?(name)

          yield if block_given?
          leave_records if watched?
        rescue RmtRs::Error => e
          failed(name, e) { in_ruby(&ruby) }
        end

        def passes?(step)
          return true if @checked.passed?(step.name)

          message = @checked.failure(step.name)
          refuse(door_operation, message, 422) if message
        end

        # Others may have authenticated the system, or have changed what is asked for.
        def find_out_what_is_missing
          return in_ruby { timed { find_out(system: [@system.id, byos_mode_of(@system)]) } } unless @checked
          return if same_product? && (!watched? || @asked == parameters_among(PARAMETERS))

          raise Declined, 'the check is left to Ruby'
        end

        def same_product?
          @product.nil? || @product.id == @checked.product_id
        end

        # What was found out, for the second trip.
        def checked
          answers_json
          found = @checked && (@product || @product_found) && same_product?
          raise Declined, 'the product was not checked in Rust' unless found

          @checked
        end

        # Answers for an action that changed what the system has activated.
        def acted(done, status)
          changed_system(done.system)
          write_log(done.log)
          (done.removed + done.created).each { |key| tell_others(::Activation) { activation_of(*key) } }
          # As RMT's `render_service` leaves it to the callbacks that follow.
          request.instance_variable_set(:@request_method, 'GET') unless action_name == 'synchronize'
          answer_with(done.body, status)
        end

        # For those who want to know of it, and of its system.
        def activation_of(id, service_id)
          leave_records
          activation = ::Activation.instantiate('id' => id, 'service_id' => service_id, 'system_id' => @system.id)
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
          destroy = -> { RmtRs.act('destroy', checked, authorised, nil, look_of_answer) }
          in_rust(:destroy, ruby: -> { super() }, rust: destroy) { |done| acted(done, :ok) }
        end

        # Deactivates what a system does not name, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def synchronize
          synchronize = -> { RmtRs.synchronize(authorised, products_left, look_of_answer) }
          in_rust(:synchronize, ruby: -> { super() }, rust: synchronize) { |done| acted(done, :ok) }
        end

        private

        def products_left
          raise BadInput, 'products must be an array of products' unless params.require(:products).is_a?(Array)

          parameters_among(%w[products])
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
