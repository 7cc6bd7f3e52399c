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
          return super unless @new_token

          @system.system_token = @new_token
          @system.clear_attribute_changes(%w[system_token])
          @new_token = nil
          system_token_header
        end
      end
    end
  end
end
