# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `refresh_system_token`: the callback after actions that change a system.
      module Tokens
        protected

        # Shows the token that Rust has given to the system together with the rest.
        #
        # @return [void]
        def refresh_system_token
          return super unless RmtRs.takes?(door_operation)
          # An action that refused, where RMT's would have raised: RMT does not come here then.
          return unless response.successful?
          return super unless @new_token

          @system.system_token = @new_token
          @system.clear_attribute_changes(%w[system_token])
          system_token_header
        end
      end
    end
  end
end
