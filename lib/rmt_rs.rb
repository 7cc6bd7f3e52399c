# frozen_string_literal: true

require 'set'
require_relative 'rmt_rs/version'
require_relative 'rmt_rs/errors'
require_relative 'rmt_rs/quoted'
require_relative 'rmt_rs/counters'
require_relative 'rmt_rs/doorkeeper'
require_relative 'rmt_rs/configuration'
require_relative 'rmt_rs/catalog_versions'
require_relative 'rmt_rs/flag'
require_relative 'rmt_rs/metrics'
require_relative 'rmt_rs/native'
require_relative 'rmt_rs/occurrence'
require_relative 'rmt_rs/schema'

# RMT's registration path in Rust.
#
# Loaded by Bundler (in RMT's Gemfile) or by RMT itself (as `engines/rmt_rs/lib/rmt_rs.rb`), it hooks
# into Rails by {Railtie} and does nothing until the flag says so: see {Configuration}.
module RmtRs
  # Models that Rails asks for their columns before an action, because records are made of what Rust read, or controllers
  # are named after them.
  ASKED_FOR_COLUMNS = %w[System Activation Product Subscription Service].freeze
  # As many looks of answers are remembered.
  LOOKS = 32
  # The operations that can do without reading the catalog.
  REMEMBERING = %i[require_product activate show upgrade destroy activations service].freeze
  private_constant :ASKED_FOR_COLUMNS, :LOOKS, :REMEMBERING

  @counters = Counters.new
  @operations = Set.new
  @honoured_callbacks = {}
  @looks = {}
  @onlookers = {}
  @plugin_urls = false

  class << self
    # @return [Logger, nil] Rails' logger
    attr_accessor :logger

    # @param model [Class] System or Activation
    # @return [Array<Symbol>] what others want called on every record of it that is created or deleted
    def honoured_callbacks(model)
      @honoured_callbacks.fetch(model.name, [])
    end

    # @return [Boolean] whether URLs of services and repositories are those of SUSE's zypper plugin in
    #   public clouds, because an engine has replaced what makes them
    def plugin_urls?
      @plugin_urls
    end

    # @param controller [Class]
    # @return [Boolean] whether code of others runs around its actions, and may look at what RMT leaves in `@system` and
    #   the like; found out when it is first asked
    def onlookers?(controller)
      @onlookers.fetch(controller.name) { |name| @onlookers[name] = @survey.onlookers(controller).any? }
    end

    # @return [Hash{Array(Symbol, Symbol) => Integer}] see {Counters}
    # @example
    #   RmtRs.counters # => { [:announce, :rust] => 1000 }
    def counters
      @counters.to_h
    end

    # How full what this process holds is, and what it has counted since it began: `pool_size`, `pool_open`, `pool_busy`
    # and `pool_waiting` (connections, and operations that wait for one), `announces_waiting` (to share a statement),
    # `shared_statements` and `shared_systems` (statements for several announces, and what they stored), `catalog_bytes`
    # (of memory), `catalog_hits` and `catalog_misses` (products that were remembered, or had to be read).
    #
    # @return [Hash{Symbol => Integer}, nil] nil before the first operation
    # @example
    #   RmtRs.gauges[:pool_busy] # => 2
    def gauges
      Native.gauges if Native.respond_to?(:gauges)
    end

    # @api private
    def count(operation, outcome)
      @counters.count(operation, outcome)
      Occurrence.current&.counted(operation, outcome)
    end

    # @api private
    def line(text, request_id)
      request_id ? "#{text} request_id=#{request_id}" : text
    end

    # @param operation [Symbol]
    # @return [Boolean] whether Rust carries it out
    def takes?(operation)
      @operations.include?(operation)
    end

    # @return [Flag] what the operator wants at this moment
    attr_reader :flag

    # Switches on, at the end of boot: loads the library, tells it where the database is, and takes
    # over what other code has left to RMT. One log line says what came of it.
    #
    # A library that cannot be used is logged, and RMT goes on without it.
    #
    # @param configuration [Configuration]
    # @param application [Rails::Application]
    # @param database [Hash{Symbol => Object}] ActiveRecord's configuration_hash
    # @return [void]
    # @raise [ConfigurationError]
    def switch_on(configuration, application:, database:)
      Credentials.check(configuration) if configuration.hashes?
      Native.load!
      Native.configure(configuration.to_native(configuration.off? ? nil : database))
      take_over(configuration, application) unless configuration.off?
      Credentials.report(configuration) if configuration.hashes?
    rescue LoadError, InternalError => e
      Credentials.unusable(configuration, e) if configuration.hashes?
      @operations = Set.new
      logger&.error("rmt_rs #{VERSION}: off, Ruby answers everything: #{e.message}")
    end

    # Carries out announce.
    #
    # @param parameters [Hash] the request's parameters
    # @return [Announced]
    # @raise [Error]
    # @example
    #   RmtRs.announce('hostname' => 'web01', 'hwinfo' => { 'cpus' => 2 }).login # => "SCC_…"
    def announce(parameters)
      Announced.new(*Native.announce(json(parameters)))
    end

    # Finds the system that sends credentials, and notes that it was seen.
    #
    # @param caller_of_action [Array] login, password, whether `System-Token` was sent, the token, the user agent, whether
    #   tokens are enabled, whether to leave all alone when several systems have the credentials, and whether what
    #   is to be noted is left to {update}, {act} and the like, or to {note}
    # @return [Recognised]
    # @raise [Error] {RmtError} with status 401 when nobody has them
    def authenticate(caller_of_action)
      Recognised.new(*Native.authenticate(caller_of_action))
    end

    # @param columns [Hash] of a system
    # @return [Native::System]
    # @raise [Error] when they are not understood
    def system(columns)
      Native.system(json(columns))
    end

    # Stores what a system says of itself.
    #
    # @param authorised [Array] {Native::System}, the {Native::Note} of its authentication or nil, and whether its token is
    #   to be rotated
    # @param parameters [Hash] the request's parameters
    # @return [Kept]
    # @raise [Error]
    def update(authorised, parameters)
      Kept.new(*Native.update(authorised, json(parameters)))
    end

    # Writes what an authentication has left to an action that did not happen.
    #
    # @param note [Native::Note] of {authenticate} or {check}
    # @return [void]
    # @raise [Error]
    def note(note)
      Native.note(note)
    end

    # Finds out what RMT does before an action on a product.
    #
    # @param action [String] activate, show, upgrade or destroy
    # @param parameters [Hash] the request's parameters
    # @param caller_of_action [Array, nil] as for {authenticate}
    # @param system [Array(Integer, Integer), nil] id and proxy_byos_mode of a system that others have authenticated
    # @return [Array(Native::Checked, Recognised)] what the action needs, and who has called if that was asked
    # @raise [Error] as {authenticate}
    def check(action, parameters, caller_of_action: nil, system: nil)
      checked, recognised = Native.check(action, caller_of_action, system, json(parameters))
      [checked, recognised && Recognised.new(*recognised)]
    end

    # @param base_url [String] what the client believes to be talking to
    # @return [Native::Look] what an answer about the catalog depends on besides the catalog
    # @raise [Error]
    def look(base_url)
      appearance = self.appearance
      key = [base_url, appearance[:redirect_hosts]]
      # Clients choose what they call the server.
      @looks = {} if @looks.size >= LOOKS
      @looks[key] ||= Native.look(json(base_url: base_url, appearance: appearance))
    end

    # How answers about the catalog differ from one RMT to another.
    #
    # @return [Hash{Symbol => Object}] free_as_stored (whether products are free when their row says so), plugin_urls,
    #   credentials_in_repoindex (whether URLs of repositories name their service), redirect_hosts (whose repositories
    #   clients get from there)
    def appearance
      { free_as_stored: defined?(::SccProxy::Engine) ? true : false, plugin_urls: plugin_urls?,
        credentials_in_repoindex: defined?(::StrictAuthentication::Engine) ? true : false,
        redirect_hosts: (::RMT::Config.redirect_repo_hosts if defined?(::RMT::Config)) || [] }
    end

    # @param checked [Native::Checked]
    # @param look [Native::Look]
    # @return [String] the product in its tree, the answer's body
    # @raise [Error] {RmtError} when the system has not activated it
    def show(checked, look)
      Native.show(checked, look)
    end

    # Activates a product, upgrades it (which puts it in the place of another version), or destroys its activation.
    #
    # @param action [String] activate, upgrade or destroy
    # @param checked [Native::Checked]
    # @param authorised [Array] as for {update}
    # @param subscription_id [Integer, nil] what pays for it
    # @param look [Native::Look]
    # @return [Acted]
    # @raise [Error] {RmtError} when RMT would not
    def act(action, checked, authorised, subscription_id, look)
      Acted.new(*Native.act(action, checked, authorised, subscription_id, look))
    end

    # Deactivates what a system does not name.
    #
    # @param authorised [Array] as for {update}
    # @param parameters [Hash] the request's parameters
    # @param look [Native::Look]
    # @return [Acted]
    # @raise [Error]
    def synchronize(authorised, parameters, look)
      Acted.new(*Native.synchronize(authorised, json(parameters), look))
    end

    # Deletes a system and what is only its.
    #
    # @param system [Native::System]
    # @return [void]
    # @raise [Error]
    def deregister(system)
      Native.deregister(system)
    end

    # @param system_id [Integer]
    # @param look [Native::Look]
    # @return [String] its activations, as the answer's body
    # @raise [Error]
    def activations(system_id, look)
      Native.activations(system_id, look)
    end

    # @param service_id [Integer]
    # @param look [Native::Look]
    # @return [String, nil] its repositories as XML, the answer's body; nil when there is no such service
    # @raise [Error]
    def service(service_id, look)
      Native.service(service_id, look)
    end

    # @param system_id [Integer]
    # @param look [Native::Look]
    # @return [String] the mirrored repositories of all that it has activated as XML, the answer's body
    # @raise [Error]
    def legacy_service(system_id, look)
      Native.legacy_service(system_id, look)
    end

    # @param parameters [Hash] the request's parameters: identifier, version, arch, release_type, payload
    # @param look [Native::Look]
    # @return [String] the repositories with updates of a product's installer, as the answer's body
    # @raise [Error] {RmtError} when parameters are missing or there is no such product
    # @example
    #   RmtRs.installer({ 'identifier' => 'SLES', 'version' => '15.6', 'arch' => 'x86_64' }, look)
    def installer(parameters, look)
      Native.installer(json(parameters), look)
    end

    # @param regcode [String] a registration code
    # @return [Hash{String => Object}] the columns of the active subscription that has it
    # @raise [Error] {RmtError} with status 401 when there is none
    def subscription(regcode)
      JSON.parse(Native.subscription(regcode))
    end

    # @param subscription_id [Integer]
    # @param parameters [Hash] the request's parameters: identifier, version, arch, release_type
    # @param look [Native::Look]
    # @return [String] its products with their trees, as the answer's body
    # @raise [Error]
    def subscription_products(subscription_id, parameters, look)
      Native.subscription_products(subscription_id, json(parameters), look)
    end

    # @return [String] that this process answers, as the answer's body
    # @example
    #   RmtRs.health # => '{"state":"online"}'
    def health
      Native.health
    end

    # What the columns of `systems` hold when nothing is said: for a record that is made without
    # asking the database. Rails asks it once for the columns, before it wraps parameters for the
    # first time, and waits as long as its client library does (120 s) for a database that is silent;
    # so Rust tries first, which waits as long as it was told.
    #
    # @return [Hash{String => String, nil}]
    # @raise [Unavailable] when the database is silent
    # @raise [ActiveRecord::ActiveRecordError] when Rails cannot reach it
    def system_defaults
      @system_defaults || learn_columns
    end

    private

    def take_over(configuration, application)
      survey = Survey.new(application.root)
      reasons = survey.reasons
      @operations = reasons.select { |_, why| why.empty? }.keys.to_set
      @flag = Flag.new(configuration) { open_rack_door }
      @honoured_callbacks = survey.honoured if @operations.any?
      @plugin_urls = survey.plugin_urls?
      @survey = survey
      @looks = {}
      @onlookers = {}
      @rack_door = -> { Doors::Rack.open(application, survey) }
      learn_columns_at_boot if @operations.any?
      report(configuration, reasons.reject { |_, why| why.empty? })
    end

    def learn_columns
      reach
      # What wraps the parameters asks for the names.
      ASKED_FOR_COLUMNS.filter_map(&:safe_constantize).each(&:attribute_names)
      leave_altered_tables_to_ruby
      @system_defaults = ::System.columns_hash.transform_values(&:default).freeze
      # What may be answered there is known with the columns.
      open_rack_door
      @system_defaults
    end

    # Once it is wanted, and it is known what may be answered there.
    def open_rack_door
      return unless @rack_door && @system_defaults && (@flag.rack? || @flag.shadow.positive?)

      @rack_door.tap { @rack_door = nil }.call
    end

    def json(value)
      JSON.generate(value)
    rescue JSON::GeneratorError, JSON::NestingError, SystemStackError
      # Infinity, for one, which JSON cannot say; or text in no encoding.
      raise Declined, 'parameters that JSON cannot express'
    end

    def leave_altered_tables_to_ruby
      schema = Schema.new { |query| ActiveRecord::Base.connection.select_rows(query) }
      left = schema.reasons.slice(*@operations)
      return if left.empty?

      @operations -= left.keys
      logger&.warn("rmt_rs: #{left.keys.join(', ')} left to Ruby: #{left.values.flatten.uniq.join(', ')}")
    end

    def reach
      Native.reach
    rescue Refused
      # At once: so it will be with Rails, which may even be let in.
      nil
    end

    # Now rather than with the first request. A worker that boots while the database is away tries
    # again with every request.
    def learn_columns_at_boot
      system_defaults
      say_when_nothing_is_remembered
    rescue Error, ActiveRecord::ActiveRecordError => e
      logger&.warn("rmt_rs: the database was not reached at boot: #{e.message}")
    ensure
      # A worker that is forked from this process makes its own.
      ActiveRecord::Base.connection_handler.clear_all_connections!
      Native.shut_down
    end

    def say_when_nothing_is_remembered
      return if (@operations & REMEMBERING).empty?
      return if CatalogVersions.complete? { |query| ActiveRecord::Base.connection.select_values(query) }

      logger&.warn('rmt_rs: the catalog is read for each request: for it to be remembered, run rails generate ' \
                   'rmt_rs:install and rails db:migrate, then restart')
    end

    def report(configuration, reasons)
      ruby = reasons.map { |operation, why| "#{operation} (#{why.join('; ')})" }.join(', ')
      rust = @operations.empty? ? 'nothing' : @operations.to_a.join(', ')
      ruby = "; left to Ruby: #{ruby}" unless ruby.empty?
      logger&.info("rmt_rs #{VERSION}: #{configuration.door} door, in Rust: #{rust}#{ruby}")
    end
  end
end

require_relative 'rmt_rs/railtie' if defined?(Rails::Railtie)
