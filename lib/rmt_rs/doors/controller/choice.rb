# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # Who carries a request out, Rust or RMT's own code.
      module Choice
        private

        # Whether Rust carries an operation out for this request: it can, and the operator wants it.
        def takes?(operation)
          RmtRs.takes?(operation) && RmtRs.flag.decide(door_operation || :authenticate, request.env) { machine }
        end

        # The host name or login that the request names.
        def machine
          if door_operation == :announce
            name = params[:hostname]
            return name.is_a?(String) ? name : nil
          end

          basic = ActionController::HttpAuthentication::Basic
          basic.user_name_and_password(request).first if basic.has_basic_credentials?(request)
        rescue ActionDispatch::Http::Parameters::ParseError, ActionController::BadRequest
          nil
        end
      end
    end
  end
end
