# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # `POST /connect/subscriptions/systems`, before RMT's own action.
      module Announce
        include Controller

        PARAMETERS = %i[hostname hwinfo system_profiles].freeze
        private_constant :PARAMETERS

        # Announces in Rust when Rust may, else as RMT does.
        #
        # @return [void]
        def announce_system
          return super unless RmtRs.takes?(:announce)

          begin
            announced = in_rust { RmtRs.announce(announce_parameters) }
          rescue RmtRs::Error => e
            return announce_failed(e) { super() }
          end
          RmtRs.count(:announce, :rust)
          render_announced(announced)
        end

        private

        def door_operation
          :announce
        end

        def announce_parameters
          raise Declined, 'a multipart body' if request.content_mime_type == :multipart_form
          # RMT stores the system and then finds that it cannot answer.
          raise Declined, 'an answer other than JSON' unless request.format == :json

          params.slice(*PARAMETERS).to_unsafe_h
        end

        def announce_failed(error, &)
          case error
          when BadInput
            refuse(error.message, 422)
          when Invalid
            RmtRs.count(:announce, :refused)
            # As the model would: Rails answers 422 in a shape of its own.
            raise ActiveRecord::RecordInvalid
          else
            broke(error, &)
          end
        end

        def render_announced(announced)
          @system = announced_system(announced)
          response.headers['X-System-Profiles-Action'] = 'clear-cache' if announced.clear_profile_cache
          logger.info("System '#{announced.hostname}' announced")
          RmtRs.callbacks_on_create.each { |callback| @system.public_send(callback) }
          render body: announced.body, content_type: 'application/json', status: :created
        end

        # The record for callbacks that others have on this action, without asking the database.
        def announced_system(announced)
          time = Time.at(announced.announced_at).utc
          ::System.instantiate(
            RmtRs.system_defaults.merge('id' => announced.id, 'login' => announced.login, 'password' => announced.password,
                                        'hostname' => announced.hostname, 'system_information' => announced.system_information,
                                        'registered_at' => time, 'created_at' => time, 'updated_at' => time)
          )
        end
      end
    end
  end
end
