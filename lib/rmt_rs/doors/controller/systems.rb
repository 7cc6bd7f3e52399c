# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `PUT` and `DELETE /connect/systems`, before RMT's own actions.
      module Systems
        PARAMETERS = %w[hostname hwinfo online_at system_profiles].freeze
        OPERATIONS = { 'update' => :update, 'deregister' => :deregister }.freeze
        private_constant :PARAMETERS, :OPERATIONS

        # The keepalive, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def update
          keepalive = -> { RmtRs.update(authorised, parameters_among(PARAMETERS)) }
          in_rust(:update, ruby: -> { super() }, rust: keepalive) do |kept|
            changed_system(kept.system)
            response.headers['X-System-Profiles-Action'] = 'clear-cache' if kept.clear_profile_cache
            write_log(kept.log)
            head :no_content
          end
        end

        # Deregisters, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def deregister
          in_rust(:deregister, ruby: -> { super() }, rust: -> { deregister_in_rust }) do
            @note = nil
            tell_others(::System) { in_ruby { @system } }
            head :no_content
          end
        end

        private

        def door_operation
          OPERATIONS[action_name]
        end

        def deregister_in_rust
          answers_json
          RmtRs.deregister(@system ? RmtRs.system(columns_of(@system)) : @known)
        end
      end
    end
  end
end
