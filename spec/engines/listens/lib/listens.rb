# frozen_string_literal: true

# Listens to Rails' events, as those do who count and measure requests.
module Listens
  # Logs what it hears.
  class Engine < ::Rails::Engine
    config.after_initialize do
      ActiveSupport::Notifications.subscribe('start_processing.action_controller') do |event|
        payload = event.payload.slice(:controller, :action, :params, :format, :method, :path)
        Rails.logger.info("heard the start of #{JSON.generate(payload)}")
      end
      ActiveSupport::Notifications.subscribe('process_action.action_controller') do |event|
        payload = event.payload
        Rails.logger.info("heard the end of #{payload[:action]}: #{payload[:status]} #{payload[:headers]['HTTP_ACCEPT']} " \
                          "#{event.duration.positive?} #{payload[:db_runtime].to_f.positive?}")
      end
    end
  end
end
