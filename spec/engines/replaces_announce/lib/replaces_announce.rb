# frozen_string_literal: true

# Replaces RMT's announce, as scc_proxy does.
module ReplacesAnnounce
  # Hooks in the way that engine does.
  class Engine < ::Rails::Engine
    config.after_initialize do
      Api::Connect::V3::Subscriptions::SystemsController.class_eval do
        def announce_system
          render json: { id: 0, login: 'replaced' }, status: :created
        end
      end
    end
  end
end
