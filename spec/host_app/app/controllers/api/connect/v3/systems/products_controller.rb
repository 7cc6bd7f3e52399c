# frozen_string_literal: true

module Api
  module Connect
    module V3
      module Systems
        # What a system uses: as much of it as it takes to see who answers.
        class ProductsController < Api::Connect::BaseController
          before_action :authenticate_system
          before_action :require_product
          before_action :check_product_service_and_repositories, only: %i[show activate]
          before_action :load_subscription, only: %i[activate upgrade]
          before_action :check_base_product_dependencies, only: %i[activate upgrade show]
          after_action :refresh_system_token, only: %i[activate upgrade], if: -> { request.headers.key?('System-Token') }
          rescue_from(ActiveRecord::InvalidForeignKey) do
            render json: { errors: 'The system is not valid or no longer exists' }, status: :unprocessable_entity
          end

          # POST /connect/systems/products
          def activate
            @system.activations.create_or_find_by!(service_id: @product.service.id)
            render_service
          end

          # GET /connect/systems/products
          def show
            render json: { id: @product.id }
          end

          # PUT /connect/systems/products
          def upgrade
            activate
          end

          protected

          def require_product
            @product = Product.find_by(params.permit(:identifier, :version, :arch))
            render json: { error: 'No product found' }, status: :unprocessable_entity unless @product
          end

          def check_product_service_and_repositories; end

          def load_subscription; end

          def check_base_product_dependencies; end

          def render_service
            render json: { id: @product.service.id }, status: request.get? || request.delete? ? 200 : 201
          end
        end
      end
    end
  end
end
