# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /connect/systems/activations`, before RMT's own action.
      module Activations
        # Lists the system's activations, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def index
          return super unless RmtRs.takes?(:activations)

          begin
            answers_json
            body = in_rust { RmtRs.activations(@system.id, look_of_answer) }
          rescue RmtRs::Error => e
            return failed(:activations, e) { super() }
          end
          RmtRs.count(:activations, :rust)
          respond_with_json(body)
        end

        private

        def door_operation
          :activations
        end
      end
    end
  end
end
