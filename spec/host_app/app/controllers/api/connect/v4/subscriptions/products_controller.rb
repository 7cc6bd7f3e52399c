# frozen_string_literal: true

module Api
  module Connect
    module V4
      module Subscriptions
        # What a registration code is good for.
        class ProductsController < Api::Connect::BaseController
          before_action :authenticate_with_token

          # GET /connect/subscriptions/products
          def index
            render json: @subscription.products.order(:id).as_json(only: %i[id name])
          end
        end
      end
    end
  end
end
