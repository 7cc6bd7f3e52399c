# frozen_string_literal: true

require_relative 'credentials'
require_relative 'discretion'
require_relative 'doors/controller'
require_relative 'doors/entrance'
require_relative 'doors/rack'
require_relative 'health_port'
require_relative 'survey'

module RmtRs
  # Hooks into RMT's boot. With the flag off it reads the flag and nothing else, unless passwords may be stored as hashes.
  class Railtie < Rails::Railtie
    # Tasks serve no requests.
    rake_tasks do
      RmtRs::Railtie.in_rake = true
      load File.expand_path('tasks/credentials.rake', __dir__)
    end
    # An RMT that has the gem in engines/ has it in no path where Rails looks.
    generators do
      require_relative '../generators/rmt_rs/install/install_generator'
      require_relative '../generators/rmt_rs/uninstall/uninstall_generator'
    end

    class << self
      # @api private
      attr_accessor :in_rake

      # @api private
      def make_doors(app, configuration)
        Metrics.install
        Discretion.install(app)
        app.config.to_prepare { Doors::Controller.install }
        Doors::Rack.install(app.middleware)
        app.middleware.insert_before(0, Doors::Entrance, configuration.max_wait)
        HealthPort.install(configuration.health_listen)
      end
    end

    initializer 'rmt_rs' do |app|
      configuration = Configuration.load
      next if (configuration.off? && !configuration.hashes?) || Railtie.in_rake

      app.config.to_prepare { Credentials.install } if configuration.hashes?
      Railtie.make_doors(app, configuration) unless configuration.off?
      # Engines replace what they replace in `config.after_initialize` blocks, which they register
      # when they are loaded. This one is registered later, so it sees what they did.
      ActiveSupport.on_load(:after_initialize) do
        RmtRs.logger = Rails.logger
        RmtRs.switch_on(configuration, application: app,
                                       database: ActiveRecord::Base.connection_db_config.configuration_hash)
      end
    end
  end
end
