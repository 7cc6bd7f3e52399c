# frozen_string_literal: true

# Listens to this gem's own events.
module Observes
  # Logs what it hears.
  class Engine < ::Rails::Engine
    config.after_initialize do
      %w[operation pass].each do |kind|
        ActiveSupport::Notifications.subscribe("#{kind}.rmt_rs") do |event|
          Rails.logger.info("observed #{JSON.generate(event.payload.merge(event: kind, duration: event.duration))}")
        end
      end
    end
  end
end
