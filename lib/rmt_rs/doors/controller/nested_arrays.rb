# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # Rails 6.1 drops arrays within arrays from what `permit` lets through whole ({WHOLE}), and so does the core. Later ones
      # keep them.
      module NestedArrays
        # What RMT permits with all that is in it.
        WHOLE = %w[hwinfo system_profiles].freeze

        class << self
          # @param parameters [Hash] as a request has them
          # @return [Hash] the same
          # @raise [Declined] when this Rails would make something else of them than the core
          def checked(parameters)
            @rails_keeps = rails_keeps? if @rails_keeps.nil?
            raise Declined, 'an array within an array' if @rails_keeps && among?(parameters.slice(*WHOLE))

            parameters
          end

          private

          def rails_keeps?
            permitted = ActionController::Parameters.new(given: { list: [['inner']] }).permit(given: {})
            permitted.to_h.dig('given', 'list') == [['inner']]
          end

          def among?(value)
            case value
            when Hash then value.any? { |_, inner| among?(inner) }
            when Array then value.any? { |inner| inner.is_a?(Array) || among?(inner) }
            else false
            end
          end
        end
      end
    end
  end
end
