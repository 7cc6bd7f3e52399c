# frozen_string_literal: true

# What RMT's public-cloud engines add to the registration path without replacing it: action callbacks
# that change records, refuse a request (as instance_verification) and look at what was done (as
# data_export), and commit callbacks (as registration_sharing).
module Neighbour
  # Hooks in the way those engines do.
  class Engine < ::Rails::Engine
    config.after_initialize do
      Api::Connect::V3::Subscriptions::SystemsController.class_eval do
        after_action :save_instance_data, only: %i[announce_system]

        def save_instance_data
          return unless @system && params[:instance_data]

          @system.instance_data = params[:instance_data]
          @system.save!
        end
      end

      Api::Connect::V3::Systems::ProductsController.class_eval do
        before_action :verify_instance, only: %i[activate upgrade]
        after_action :export, only: %i[activate show]

        def verify_instance
          logger.info("verifies #{@product.name} #{@product.changed?} #{@subscription&.regcode} #{@system.login}")
          return unless params[:email] == 'nobody'

          render json: { type: 'error', error: 'Instance verification failed' }, status: :unprocessable_entity
        end

        def export
          raise 'no disk left' if params[:email] == 'full'

          logger.info("exports #{@product.name} of #{@system.login} with token #{@system.system_token}")
        end
      end

      ::Activation.class_eval do
        after_commit :share_registration, on: %i[create destroy]

        def share_registration
          raise Errno::EACCES, 'peer.example.com' if system.hostname == 'nobody'

          Rails.logger.info("shared activation of #{service_id} by #{system.login}")
        end
      end

      # Finds what the step before the action has left.
      Api::Connect::V4::Subscriptions::ProductsController.after_action do
        logger.info("listed for #{@subscription.name}, #{@subscription.system_limit}, #{@subscription.starts_at.year}")
      end

      ::System.class_eval do
        after_commit :share_registration, on: %i[create destroy]

        def share_registration
          Rails.logger.info("shared #{login} #{id} #{scc_system_id.inspect} #{proxy_byos_mode} #{persisted?}")
        end
      end
    end
  end
end
