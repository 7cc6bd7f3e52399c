# frozen_string_literal: true

module Api
  module Connect
    module V3
      module Subscriptions
        # Systems make themselves known.
        class SystemsController < Api::Connect::BaseController
          # POST /connect/subscriptions/systems
          def announce_system
            attributes = { hostname: params[:hostname], system_information: info_params(:hwinfo)[:hwinfo].to_json }
            process_system_profiles(attributes)
            @system = System.create!(attributes)
            logger.info("System '#{@system.hostname}' announced")
            render json: @system.credentials, status: :created
          end

          private

          # A new system knows none of its profiles to be stored, so it has to send them whole.
          # One that sends less works from a cache it should drop.
          def process_system_profiles(attributes)
            complete, rest = Profile.split(info_params(:system_profiles)[:system_profiles].to_h)
            response.headers['X-System-Profiles-Action'] = 'clear-cache' if rest.any?
            attributes[:profiles] = Profile.store(complete) if complete.any?
          end
        end
      end
    end
  end
end
