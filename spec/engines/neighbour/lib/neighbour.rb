# frozen_string_literal: true

# What RMT's public-cloud engines add to an announce without replacing it: an action callback that
# changes the record (as instance_verification) and a commit callback (as registration_sharing).
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
