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
      Dir[File.join(__dir__, 'tasks/*.rake')].each { |file| load file }
    end
    # An RMT that has the gem in engines/ has it in no path where Rails looks.
    generators do
      require_relative '../generators/rmt_rs/install/install_generator'
      require_relative '../generators/rmt_rs/uninstall/uninstall_generator'
    end

    class << self
      # @api private
      attr_writer :in_rake

      # Some applications, RMT among them, boot before they load the tasks.
      #
      # @api private
      # @return [Boolean] whether a task is carried out
      def in_rake
        @in_rake || (defined?(::Rake.application) && ::Rake.application.top_level_tasks.any?) || false
      end

      # @api private
      def make_doors(app, configuration)
        Doors::Rack.install(app.middleware)
        # Who only asks where they would be serves no requests.
        return if in_rake

        Metrics.install
        Discretion.install(app)
        app.config.to_prepare { Doors::Controller.install }
        app.middleware.insert_before(0, Doors::Entrance, configuration.max_wait)
        HealthPort.install(configuration.health_listen)
      end

      # A task that says what is wrong has to start all the same.
      #
      # @api private
      # @return [Configuration, nil] nil in a task, when it is wrong
      # @raise [ConfigurationError]
      def configuration_at_boot
        Configuration.load
      rescue ConfigurationError
        raise unless in_rake
      end
    end

    initializer 'rmt_rs' do |app|
      configuration = Railtie.configuration_at_boot
      next if configuration.nil? || (configuration.off? && !configuration.hashes?)

      app.config.to_prepare { Credentials.install } if configuration.hashes? && !Railtie.in_rake
      Railtie.make_doors(app, configuration) unless configuration.off?
      next if Railtie.in_rake

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
