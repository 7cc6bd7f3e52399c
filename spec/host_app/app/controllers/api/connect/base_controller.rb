# frozen_string_literal: true

module Api
  module Connect
    # Parent of the registration API's controllers.
    class BaseController < ApplicationController
    end
  end
end
