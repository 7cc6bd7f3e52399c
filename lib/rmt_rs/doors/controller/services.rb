# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /services/:id` and `GET /repo/repoindex.xml`, before RMT's own actions.
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

        # Lists the repositories of all that the system has activated, in Rust when Rust may, else as
        # RMT does.
        #
        # @return [void]
        def legacy_service
          return super unless RmtRs.takes?(:legacy_service)

          begin
            body = in_rust { RmtRs.legacy_service(@system.id, look_of_answer) }
          rescue RmtRs::Error => e
            return failed(:legacy_service, e) { super() }
          end
          RmtRs.count(:legacy_service, :rust)
          render xml: body
        end

        private

        def door_operation
          { 'show' => :service, 'legacy_service' => :legacy_service }[action_name]
        end
      end
    end
  end
end
