# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `PUT` and `DELETE /connect/systems`, before RMT's own actions.
      module Systems
        PARAMETERS = %i[hostname hwinfo online_at system_profiles].freeze
        private_constant :PARAMETERS

        # The keepalive, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def update
          return super unless RmtRs.takes?(:update)

          begin
            # By a callback that counts on RMT's own action to save it.
            raise Declined, 'the system has unsaved changes' if @system.changed?

            kept = in_rust { RmtRs.update(columns_of(@system), rotates_token?, parameters_among(PARAMETERS)) }
          rescue RmtRs::Error => e
            return failed(:update, e) { super() }
          end
          RmtRs.count(:update, :rust)
          @system = record_of(kept['system'])
          @token_rotated = true
          response.headers['X-System-Profiles-Action'] = 'clear-cache' if kept['clear_profile_cache']
          write_log(kept['log'])
          head :no_content
        end

        # Deregisters, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def deregister
          return super unless RmtRs.takes?(:deregister)

          begin
            answers_json
            in_rust { RmtRs.deregister(columns_of(@system)) }
          rescue RmtRs::Error => e
            return failed(:deregister, e) { super() }
          end
          RmtRs.count(:deregister, :rust)
          tell_others(@system)
          head :no_content
        end

        private

        def door_operation
          { 'update' => :update, 'deregister' => :deregister }[action_name]
        end

        def rotates_token?
          request.headers.key?(Shared::TOKEN_HEADER) && system_tokens_enabled?
        end

        # After the action: Rust has rotated the token together with the rest.
        def refresh_system_token
          return super unless RmtRs.takes?(:update)

          if @token_rotated then system_token_header if system_tokens_enabled?
          elsif response.successful? then super
          end
        end
      end
    end
  end
end
