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
          return super unless RmtRs.takes?(:subscription_products)

          begin
            body = in_rust { RmtRs.subscription_products(@subscription.id, scalars_among(PARAMETERS), look_of_answer) }
          rescue RmtRs::Error => e
            return failed(:subscription_products, e) { super() }
          end
          RmtRs.count(:subscription_products, :rust)
          respond_with_json(body)
        end

        protected

        # Leaves the subscription whose registration code was sent in `@subscription`, as RMT's own does,
        # or answers. RMT logs the code; here nobody shall read it.
        #
        # @return [void]
        def authenticate_with_token
          return super unless RmtRs.takes?(:subscription_products)

          authenticate_or_request_with_http_token do |token, _options|
            # No code has what is no text.
            columns = in_rust { RmtRs.subscription(text(token).scrub) }
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
