# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /services/:id` and `GET /repo/repoindex.xml`, before RMT's own actions.
      module Services
        OPERATIONS = { 'show' => :service, 'legacy_service' => :legacy_service }.freeze
        private_constant :OPERATIONS

        # Lists the service's repositories, in Rust when Rust may, else as RMT does; what is no service
        # is for RMT to say.
        #
        # @return [void]
        def show
          return in_ruby { super() } unless params[:id].to_s.match?(/\A[1-9]\d{0,17}\z/)

          service = -> { RmtRs.service(params[:id].to_i, look_of_answer) }
          in_rust(:service, ruby: -> { super() }, rust: service) { |body| body ? render(xml: body) : in_ruby { super() } }
        end

        # Lists the repositories of all that the system has activated, in Rust when Rust may, else as
        # RMT does.
        #
        # @return [void]
        def legacy_service
          legacy = -> { RmtRs.legacy_service((@system || @known).id, look_of_answer) }
          in_rust(:legacy_service, ruby: -> { super() }, rust: legacy) { |body| render xml: body }
        end

        private

        def door_operation
          OPERATIONS[action_name]
        end
      end
    end
  end
end
