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
          in_rust(:activations, ruby: -> { super() }, rust: -> { list_activations }) do |body|
            respond_with_json(body)
          end
        end

        private

        def door_operation
          :activations
        end

        def list_activations
          answers_json
          RmtRs.activations((@system || @known).id, look_of_answer)
        end
      end
    end
  end
end
