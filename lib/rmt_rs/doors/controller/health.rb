# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /api/health/status`, before RMT's own action. Nothing here waits for the database.
      module Health
        # Says that this process answers, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def status
          return super unless takes?(:health)

          RmtRs.count(:health, :rust)
          render body: RmtRs.health, content_type: 'application/json'
        end

        private

        def door_operation
          :health
        end

        # There is no model of that name.
        def wraps_by_columns?
          false
        end
      end
    end
  end
end
