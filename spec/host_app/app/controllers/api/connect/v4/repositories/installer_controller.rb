# frozen_string_literal: true

module Api
  module Connect
    module V4
      module Repositories
        # Where a product's installer finds updates of itself.
        class InstallerController < Api::Connect::BaseController
          # GET /connect/repositories/installer
          def index
            product = Product.find_by(params.permit(:identifier, :version, :arch))
            return render_error('There is no such product', :unprocessable_entity) unless product

            render json: product.repositories.where(installer_updates: true).order(:id).as_json(only: %i[id name])
          end
        end
      end
    end
  end
end
