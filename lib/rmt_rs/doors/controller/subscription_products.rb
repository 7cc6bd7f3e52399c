# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /connect/subscriptions/products`, before RMT's own action and the step before that.
      module SubscriptionProducts
        PARAMETERS = %i[identifier version arch release_type].freeze
        private_constant :PARAMETERS

        # Lists the subscription's products, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def index
          products = -> { RmtRs.subscription_products(@subscription.id, scalars_among(PARAMETERS), look_of_answer) }
          in_rust(:subscription_products, ruby: -> { super() }, rust: products) { |body| respond_with_json(body) }
        end

        protected

        # Leaves the subscription whose registration code was sent in `@subscription`, as RMT's own does,
        # or answers. RMT logs the code; here nobody shall read it.
        #
        # @return [void]
        def authenticate_with_token
          return super unless takes?(:subscription_products)

          authenticate_or_request_with_http_token do |token, _options|
            # No code has what is no text.
            columns = timed { RmtRs.subscription(text(token).scrub) }
            @subscription = ::Subscription.instantiate(columns)
            logger.info('Authenticated with token')
            true
          end
        rescue RmtRs::Error => e
          failed(:subscription_products, e) { super() }
        end

        private

        def door_operation
          :subscription_products
        end
      end
    end
  end
end
