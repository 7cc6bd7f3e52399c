# frozen_string_literal: true

module Api
  module Connect
    module V4
      module Systems
        # Has more to say than version 3.
        class ProductsController < Api::Connect::V3::Systems::ProductsController
          skip_before_action :require_product, only: %i[synchronize]
          after_action :refresh_system_token, only: %i[activate upgrade synchronize destroy],
                                              if: -> { request.headers.key?('System-Token') }

          # DELETE /connect/systems/products
          def destroy
            @system.activations.find_by!(service_id: @product.service.id).destroy!
            render_service
          end

          # POST /connect/systems/products/synchronize
          def synchronize
            params.require(:products)
            render json: []
          end
        end
      end
    end
  end
end
