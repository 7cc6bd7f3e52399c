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
          return in_ruby { super() } unless @new_token

          if @system
            @system.system_token = @new_token
            @system.clear_attribute_changes(%w[system_token])
          end
          headers[Shared::TOKEN_HEADER] = @new_token
          @new_token = nil
        end
      end
    end
  end
end
