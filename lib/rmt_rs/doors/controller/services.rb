# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /services/:id`, before RMT's own action.
      module Services
        # Lists the service's repositories, in Rust when Rust may, else as RMT does; what is no service
        # is for RMT to say.
        #
        # @return [void]
        def show
          return super unless RmtRs.takes?(:service) && params[:id].to_s.match?(/\A[1-9]\d{0,17}\z/)

          begin
            body = in_rust { RmtRs.service(params[:id].to_i, look_of_answer) }
          rescue RmtRs::Error => e
            return failed(:service, e) { super() }
          end
          return super unless body

          RmtRs.count(:service, :rust)
          render xml: body
        end

        private

        def door_operation
          :service if action_name == 'show'
        end
      end
    end
  end
end
