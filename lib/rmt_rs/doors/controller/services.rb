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
          return super unless params[:id].to_s.match?(/\A[1-9]\d{0,17}\z/)

          service = -> { RmtRs.service(params[:id].to_i, look_of_answer) }
          in_rust(:service, ruby: -> { super() }, rust: service) { |body| body ? render(xml: body) : super() }
        end

        private

        def door_operation
          :service if action_name == 'show'
        end
      end
    end
  end
end
