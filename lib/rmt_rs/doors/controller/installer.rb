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
          # RMT reads it only when it is text.
          payload = params[:payload].is_a?(String) ? %i[payload] : []
          installer = -> { RmtRs.installer(scalars_among(PARAMETERS + payload), look_of_answer) }
          in_rust(:installer, ruby: -> { super() }, rust: installer) { |body| respond_with_json(body) }
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
