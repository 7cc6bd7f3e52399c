# frozen_string_literal: true

module Api
  module Connect
    module V4
      module Subscriptions
        # An announcement is the same in both versions.
        class SystemsController < Api::Connect::V3::Subscriptions::SystemsController
        end
      end
    end
  end
end
