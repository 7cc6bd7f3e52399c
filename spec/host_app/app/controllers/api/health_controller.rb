# frozen_string_literal: true

module Api
  # Tells clients whether it is worth registering.
  class HealthController < ApplicationController
    # GET /api/health/status
    def status
      render json: { state: 'online' }
    end
  end
end
