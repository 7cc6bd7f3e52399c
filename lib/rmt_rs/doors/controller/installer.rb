# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `GET /connect/repositories/installer`, before RMT's own action.
      module Installer
        PARAMETERS = %i[identifier version arch release_type].freeze
        private_constant :PARAMETERS

        # Lists the installer's repositories of a product, in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def index
          return super unless RmtRs.takes?(:installer)

          begin
            # RMT reads it only when it is text.
            payload = params[:payload].is_a?(String) ? %i[payload] : []
            body = in_rust { RmtRs.installer(scalars_among(PARAMETERS + payload), look_of_answer) }
          rescue RmtRs::Error => e
            return failed(:installer, e) { super() }
          end
          RmtRs.count(:installer, :rust)
          respond_with_json(body)
        end

        private

        def door_operation
          :installer
        end

        # There is no model of that name, and who only probes needs no database.
        def wraps_by_columns?
          false
        end
      end
    end
  end
end
