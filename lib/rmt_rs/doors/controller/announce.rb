# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `POST /connect/subscriptions/systems`, before RMT's own action.
      module Announce
        PARAMETERS = %w[hostname hwinfo system_profiles].freeze
        private_constant :PARAMETERS

        # Announces in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def announce_system
          announce = -> { RmtRs.announce(parameters_among(PARAMETERS)) }
          in_rust(:announce, ruby: -> { super() }, rust: announce) { |announced| render_announced(announced) }
        end

        private

        def door_operation
          :announce
        end

        def render_announced(announced)
          @system = announced_system(announced) if watched?
          response.headers['X-System-Profiles-Action'] = 'clear-cache' if announced.clear_profile_cache
          logger.info("System '#{Quoted.on_one_line(announced.hostname)}' announced")
          tell_others(::System) { @system ||= announced_system(announced) }
          answer_with(announced.body, :created)
        end

        def announced_system(announced)
          time = Time.at(announced.announced_at).utc
          record_of('id' => announced.id, 'login' => announced.login, 'password' => announced.password,
                    'hostname' => announced.hostname, 'system_information' => announced.system_information,
                    'registered_at' => time, 'created_at' => time, 'updated_at' => time)
        end
      end
    end
  end
end
