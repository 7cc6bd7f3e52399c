# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # Around all that happens to an action, by whomever: who listens is told of it, see {Occurrence}.
      module Measured
        private

        def process_action(*)
          return super unless door_operation

          Occurrence.of(door_operation, ours?(door_operation) ? :controller : :rails, request.request_id) do |occurrence|
            super
            occurrence&.answered(response.status)
          rescue StandardError => e
            occurrence&.answered(ActionDispatch::ExceptionWrapper.status_code_for_exception(e.class.name))
            raise
          end
        end
      end
    end
  end
end
