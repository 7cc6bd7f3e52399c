# frozen_string_literal: true

module Api
  module Connect
    # Parent of the registration API's controllers.
    class BaseController < ApplicationController
      include ActionController::HttpAuthentication::Token::ControllerMethods

      protected

      # Finds the subscription that the registration code pays for.
      def authenticate_with_token
        authenticate_or_request_with_http_token do |token|
          @subscription = Subscription.find_by(regcode: token, status: 'ACTIVE')
          @subscription || render_error('Unknown Registration Code.', :unauthorized)
        end
      end

      def system_token_header
        headers['System-Token'] = @system.system_token
      end

      # Hardware details and profiles are kept as they come, whatever their shape.
      def info_params(key)
        params.permit(key => {})
      end

      def refresh_system_token
        @system.update!(system_token: SecureRandom.uuid)
        system_token_header
      end
    end
  end
end
