# frozen_string_literal: true

module Api
  module Connect
    module V3
      module Systems
        # Systems say how they are, and that they leave.
        class SystemsController < Api::Connect::BaseController
          before_action :authenticate_system
          after_action :refresh_system_token, only: %i[update], if: -> { request.headers.key?('System-Token') }

          # PUT /connect/systems
          def update
            known = JSON.parse(@system.system_information || 'null') || {}
            information = known.merge(info_params(:hwinfo)[:hwinfo].to_h)
            @system.update!(hostname: params[:hostname], system_information: information.to_json)
            logger.info("Updated system information for host '#{@system.hostname}'")
            head :no_content
          end

          # DELETE /connect/systems
          def deregister
            @system.destroy!
            DeregisteredSystem.find_or_create_by!(scc_system_id: @system.scc_system_id) if @system.scc_system_id
            head :no_content
          end
        end
      end
    end
  end
end
