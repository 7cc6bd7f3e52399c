# frozen_string_literal: true

module Api
  module Connect
    module V4
      module Systems
        # As in version 3.
        class ActivationsController < Api::Connect::V3::Systems::ActivationsController
        end
      end
    end
  end
end
