# frozen_string_literal: true

require_relative 'errors'
require_relative 'version'

module RmtRs
  # What {Native.announce} found out about a new system: its columns, and the answer's body.
  # `announced_at` is in seconds since 1970, `clear_profile_cache` asks for the header
  # `X-System-Profiles-Action`.
  Announced = Struct.new(:id, :login, :password, :hostname, :system_information, :announced_at,
                         :clear_profile_cache, :body)

  # The compiled side. Loaded by {Native.load!} and not before: with the flag off nobody pays for it.
  #
  # @!method self.configure(configuration)
  #   Sets where the database is. Opens nothing.
  #   @param configuration [String] JSON, see {Configuration#to_native}
  #   @return [void]
  #   @raise [InternalError] when the library does not understand it
  # @!method self.announce(parameters)
  #   @param parameters [String] the request's parameters as a JSON object
  #   @return [Array] the members of {Announced}
  #   @raise [Error]
  # @!method self.authenticate(caller)
  #   See {RmtRs.authenticate}.
  #   @return [String] JSON
  # @!method self.note(note)
  #   See {RmtRs.note}.
  #   @return [void]
  # @!method self.check(question, parameters)
  #   See {RmtRs.check}.
  #   @return [Array(Checked, String)]
  # @!method self.show(checked, look)
  #   See {RmtRs.show}.
  #   @return [String]
  # @!method self.activate(checked, authorised, look)
  #   See {RmtRs.activate}.
  #   @return [Array(String, String)]
  # @!method self.upgrade(checked, authorised, look)
  #   See {RmtRs.upgrade}.
  #   @return [Array(String, String)]
  # @!method self.destroy(checked, authorised, look)
  #   See {RmtRs.destroy}.
  #   @return [Array(String, String)]
  # @!method self.synchronize(authorised, parameters, look)
  #   See {RmtRs.synchronize}.
  #   @return [Array(String, String)]
  # @!method self.update(authorised, parameters)
  #   See {RmtRs.update}.
  #   @return [String] JSON
  # @!method self.deregister(system)
  #   See {RmtRs.deregister}.
  #   @return [void]
  # @!method self.activations(system_id, look)
  #   See {RmtRs.activations}.
  #   @return [String]
  # @!method self.service(service_id, look)
  #   See {RmtRs.service}.
  #   @return [String, nil]
  # @!method self.legacy_service(system_id, look)
  #   See {RmtRs.legacy_service}.
  #   @return [String]
  # @!method self.installer(parameters, look)
  #   See {RmtRs.installer}.
  #   @return [String]
  # @!method self.subscription(regcode)
  #   See {RmtRs.subscription}.
  #   @return [String] JSON
  # @!method self.subscription_products(subscription_id, parameters, look)
  #   See {RmtRs.subscription_products}.
  #   @return [String]
  # @!method self.health
  #   See {RmtRs.health}.
  #   @return [String]
  # @!method self.reach
  #   Opens a connection, if none is open, within the configured time.
  #   @return [void]
  #   @raise [Refused, Unavailable]
  # @!method self.shut_down
  #   Closes this process's connections and ends its threads; the next call makes new ones.
  #   @return [void]
  module Native
    # Where RubyGems (before 3.4.6, and since) and `rake compile` put the library.
    PLACES = %w[../rmt_rs ./rmt_rs].freeze

    class << self
      # Loads the library once: the one that RMT_RS_LIBRARY names (for tests), else the gem's own.
      #
      # @return [void]
      # @raise [LoadError] when it is missing, or does not fit this Ruby or this version of the gem
      # @example
      #   RmtRs::Native.load!
      #   RmtRs::Native.configure(configuration.to_native(ActiveRecord::Base.connection_db_config.configuration_hash))
      def load!
        return if respond_to?(:announce)

        require library
        version = const_defined?(:VERSION, false) ? self::VERSION : 'unknown'
        raise LoadError, "the native library is of version #{version}: build it anew" if version != RmtRs::VERSION

        at_exit { shut_down }
      end

      private

      def library
        named = ENV.fetch('RMT_RS_LIBRARY', nil)
        return named if named

        places = PLACES.map { |place| File.expand_path("#{place}.#{RbConfig::CONFIG['DLEXT']}", __dir__) }
        # RubyGems may keep extensions apart from the gem, on the load path.
        places.find { |place| File.exist?(place) } || 'rmt_rs/rmt_rs'
      end
    end
  end
end
