# frozen_string_literal: true

# Parent of all controllers.
class ApplicationController < ActionController::API
  include ActionController::HttpAuthentication::Basic::ControllerMethods

  protected

  # Finds the system that the request's credentials and token name; the simple case of it.
  def authenticate_system(skip_on_duplicated: false)
    authenticate_or_request_with_http_basic('RMT API') do |login, password|
      @systems = System.get_by_credentials(login, password)
      next true if skip_on_duplicated && @systems.many?

      @system = @systems.find { |system| !token_sent? || system.system_token == request.headers['System-Token'].presence }
      @system&.update!(last_seen_at: Time.zone.now)
      headers['System-Token'] = @system.system_token if @system && token_sent?
      @system || render_error('Invalid system credentials', :unauthorized)
    end
  end

  def system_tokens_enabled?
    true
  end

  private

  def token_sent?
    request.headers.key?('System-Token')
  end

  # The answer is given here, so nobody is asked for credentials again.
  def render_error(message, status)
    render json: { type: 'error', error: message, localized_error: message }, status: status
  end
end
