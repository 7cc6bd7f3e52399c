# frozen_string_literal: true

require_relative 'errors'
require_relative 'version'

module RmtRs
  # What Rust tells of systems has secrets in it, which are in no message that Ruby makes of an object.
  module Discreet
    # @return [String]
    def inspect
      "#<struct #{self.class.name}>"
    end
    alias to_s inspect
  end
  private_constant :Discreet

  # What {Native.announce} found out about a new system: its columns, and the answer's body.
  # `announced_at` is in seconds since 1970, `clear_profile_cache` asks for the header
  # `X-System-Profiles-Action`.
  Announced = Struct.new(:id, :login, :password, :hostname, :system_information, :announced_at,
                         :clear_profile_cache, :body) { include Discreet }
  # What an authentication found out: the system ({Native::System}; nil when there are several and no more was asked),
  # what is left to be noted of it ({Native::Note} or nil), the `System-Token` to answer with, whether it is a copy
  # made now, and lines for the log: of each the logger's method and the text.
  Recognised = Struct.new(:system, :note, :token_echo, :copied, :log) { include Discreet }
  # What an action on products did: the system as it is now, activations created and removed (of each its id and
  # its service's), lines for the log, and the answer's body.
  Acted = Struct.new(:system, :created, :removed, :log, :body) { include Discreet }
  # What a keepalive did.
  Kept = Struct.new(:system, :clear_profile_cache, :log) { include Discreet }

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
  #   @return [Array] the members of {Recognised}
  # @!method self.note(note)
  #   See {RmtRs.note}.
  #   @return [void]
  # @!method self.system(columns)
  #   @param columns [String] JSON
  #   @return [System]
  #   @raise [InternalError] when it is not understood
  # @!method self.check(action, caller, system, parameters)
  #   See {RmtRs.check}.
  #   @return [Array(Checked, Array)]
  # @!method self.look(look)
  #   See {RmtRs.look}.
  #   @return [Look]
  #   @raise [Declined] for a strange base URL
  # @!method self.show(checked, look)
  #   See {RmtRs.show}.
  #   @return [String]
  # @!method self.act(action, checked, authorised, subscription_id, look)
  #   See {RmtRs.act}.
  #   @return [Array] the members of {Acted}
  # @!method self.synchronize(authorised, parameters, look)
  #   See {RmtRs.synchronize}.
  #   @return [Array] the members of {Acted}
  # @!method self.update(authorised, parameters)
  #   See {RmtRs.update}.
  #   @return [Array] the members of {Kept}
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
  # @!method self.compare_passwords(login, password, stored)
  #   Computes a hash at least, unless one is known to fit: also for nobody, so that it takes as long.
  #   @param stored [Array<String>] hashes
  #   @return [Array<Array(Boolean, Boolean)>] of each whether it is of the password, and whether it is to stay
  #   @raise [Error]
  # @!method self.password_to_store(login, password)
  #   @return [String] a hash, or the password itself, as the configuration says
  #   @raise [Error]
  # @!method self.count_passwords(after)
  #   @param after [Integer] the id before the first one that is counted
  #   @return [Array] the members of {Credentials::Census}
  #   @raise [Error]
  # @!method self.convert_passwords(after)
  #   @param after [Integer] the id before the first one that is converted
  #   @return [Array] the members of {Credentials::Converted}
  #   @raise [Error]
  # @!method self.hashes_computed
  #   @return [Integer] how many this process has computed
  # @!method self.rehearse(settings, understood)
  #   Carries a request out in a transaction that is rolled back.
  #   @param settings [Settings]
  #   @param understood [Understood]
  #   @return [Array] what `serve` would give; the login and the SCC ids whose rows were looked at; those rows as JSON
  #   @raise [Error]
  # @!method self.rows(login, scc_system_ids)
  #   @return [String] those rows as JSON, as they are
  #   @raise [Error]
  # @!method self.health
  #   See {RmtRs.health}.
  #   @return [String]
  # @!method self.gauges
  #   See {RmtRs.gauges}.
  #   @return [Hash{Symbol => Integer}, nil]
  # @!method self.take_timings
  #   What this thread's operations have taken since it was asked last.
  #   @return [Array] milliseconds until there was a connection, with one, and to make bodies; how often something was done
  #     again; products that were remembered, and read; announces that were stored by one statement
  # @!method self.session_variables
  #   @return [Hash{String => String}] the variables of a database session, as operations have it
  #   @raise [Error]
  # @!method self.listen(address)
  #   Answers health on an address of its own from now on, until this process ends.
  #   @param address [String] `127.0.0.1:4225`
  #   @return [void]
  #   @raise [InternalError] when that cannot be
  # @!method self.reach
  #   Opens a connection, if none is open, within the configured time.
  #   @return [void]
  #   @raise [Refused, Unavailable]
  # @!method self.shut_down
  #   Closes this process's connections and ends its threads; the next call makes new ones.
  #   @return [void]
  module Native
    # @!parse
    #   # A row of `systems`: `id`, `token` and, as JSON, all `columns`.
    #   class System; end
    #   # What an authentication leaves to the action that follows.
    #   class Note; end
    #   # How answers about the catalog are to look.
    #   class Look; end
    #   # What was found out before an action on a product: `passed?(step)`, `failure(step)` (the message),
    #   # `product_id`, `subscription_id`, and, as JSON or nil, the columns of `product` and `subscription`.
    #   class Checked; end

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
