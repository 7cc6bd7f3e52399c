# frozen_string_literal: true

# Parent of all controllers.
class ApplicationController < ActionController::API
end
