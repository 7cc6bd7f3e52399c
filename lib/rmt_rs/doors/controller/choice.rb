# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # Who carries a request out, Rust or RMT's own code.
      module Choice
        private

        # Whether Rust carries an operation out for this request: it can, the operator wants it, and it is well.
        def takes?(operation)
          ours?(operation) && admission.rust?
        end

        # The same, however Rust is at the moment.
        def ours?(operation)
          RmtRs.takes?(operation) && RmtRs.flag.decide(door_operation || :authenticate, request.env) { machine }
        end

        # What the doorkeeper has decided of this request.
        def admission
          request.env[Doorkeeper::ADMISSION] ||= RmtRs.doorkeeper.admit(door_operation || :authenticate)
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
