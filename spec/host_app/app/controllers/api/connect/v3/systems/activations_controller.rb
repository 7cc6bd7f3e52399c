# frozen_string_literal: true

module Api
  module Connect
    module V3
      module Systems
        # What a system may use.
        class ActivationsController < Api::Connect::BaseController
          before_action :authenticate_system

          # GET /connect/systems/activations
          def index
            render json: @system.activations.order(:id).as_json(only: %i[id system_id service_id])
          end
        end
      end
    end
  end
end
