# frozen_string_literal: true

require_relative 'controller/shared'
require_relative 'controller/activations'
require_relative 'controller/announce'
require_relative 'controller/authentication'
require_relative 'controller/choice'
require_relative 'controller/failures'
require_relative 'controller/health'
require_relative 'controller/installer'
require_relative 'controller/measured'
require_relative 'controller/products'
require_relative 'controller/services'
require_relative 'controller/subscription_products'
require_relative 'controller/systems'
require_relative 'controller/tokens'

module RmtRs
  module Doors
    # RMT's own controllers call Rust: Rails has routed, filtered and parsed; what an action does with
    # the database and how it renders happens in Rust. A module for each controller stands before
    # its actions.
    module Controller
      DOORS = {
        'ApplicationController' => [Measured, Shared, Choice, Failures, Authentication],
        'Api::Connect::BaseController' => [Tokens],
        'Api::Connect::V3::Subscriptions::SystemsController' => [Announce],
        'Api::Connect::V3::Systems::SystemsController' => [Systems],
        'Api::Connect::V3::Systems::ProductsController' => [Products],
        'Api::Connect::V4::Systems::ProductsController' => [ProductsOfVersion4],
        'Api::Connect::V3::Systems::ActivationsController' => [Activations],
        'ServicesController' => [Services],
        'Api::Connect::V4::Repositories::InstallerController' => [Installer],
        'Api::Connect::V4::Subscriptions::ProductsController' => [SubscriptionProducts],
        'Api::HealthController' => [Health]
      }.freeze

      # Puts the doors before RMT's actions; run again whenever Rails reloads them. Where they are
      # missing the survey at the end of boot says so.
      #
      # @return [void]
      def self.install
        DOORS.each { |name, modules| name.safe_constantize&.prepend(*modules) }
      end
    end
  end
end
