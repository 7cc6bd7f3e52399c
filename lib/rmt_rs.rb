# frozen_string_literal: true

require_relative 'rmt_rs/version'
require_relative 'rmt_rs/errors'
require_relative 'rmt_rs/counters'
require_relative 'rmt_rs/configuration'
require_relative 'rmt_rs/catalog_versions'
require_relative 'rmt_rs/native'

# RMT's registration path in Rust.
#
# Loaded by Bundler (in RMT's Gemfile) or by RMT itself (as `engines/rmt_rs/lib/rmt_rs.rb`), it hooks
# into Rails by {Railtie} and does nothing until the flag says so: see {Configuration}.
module RmtRs
  # The columns of what Rust reads or copies as a whole.
  COLUMNS = {
    'System' => %w[id login password hostname registered_at last_seen_at created_at updated_at scc_registered_at
                   scc_system_id system_token system_information instance_data proxy_byos_mode pubcloud_reg_code],
    'Activation' => %w[id service_id system_id created_at updated_at subscription_id],
    'Product' => %w[id name description shortname former_identifier product_type product_class release_type
                    release_stage identifier version arch eula_url free cpe friendly_version],
    'Subscription' => %w[id regcode name kind status starts_at expires_at system_limit systems_count virtual_count
                         created_at updated_at]
  }.freeze
  # The operations that do, and of which models.
  READING = {
    %i[authenticate update deregister] => %w[System Activation], %i[subscription_products] => %w[Subscription],
    %i[require_product load_subscription activate show upgrade destroy synchronize] => COLUMNS.keys
  }.freeze
  # Models that Rails asks for their columns before an action: those, and others that controllers are named after.
  ASKED_FOR_COLUMNS = [*COLUMNS.keys, 'Service'].freeze
  # The operations that can do without reading the catalog.
  REMEMBERING = %i[require_product activate show upgrade destroy activations service].freeze
  private_constant :COLUMNS, :READING, :ASKED_FOR_COLUMNS, :REMEMBERING

  @counters = Counters.new
  @operations = []
  @honoured_callbacks = {}
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

    # @return [Hash{Array(Symbol, Symbol) => Integer}] see {Counters}
    # @example
    #   RmtRs.counters # => { [:announce, :rust] => 1000 }
    def counters
      @counters.to_h
    end

    # @api private
    def count(operation, outcome)
      @counters.count(operation, outcome)
    end

    # @param operation [Symbol]
    # @return [Boolean] whether Rust carries it out
    def takes?(operation)
      @operations.include?(operation)
    end

    # Switches on, at the end of boot: loads the library, tells it where the database is, and takes
    # over what other code has left to RMT. One log line says what came of it.
    #
    # A library that cannot be used is logged, and RMT goes on without it.
    #
    # @param configuration [Configuration]
    # @param root [String] the application's root
    # @param database [Hash{Symbol => Object}] ActiveRecord's configuration_hash
    # @return [void]
    # @raise [ConfigurationError]
    def switch_on(configuration, root:, database:)
      native = configuration.to_native(database)
      Native.load!
      Native.configure(native)
      survey = Survey.new(root)
      reasons = survey.reasons
      @operations = reasons.select { |_, why| why.empty? }.keys
      @honoured_callbacks = survey.honoured if @operations.any?
      @plugin_urls = survey.plugin_urls?
      learn_columns_at_boot if @operations.any?
      report(configuration, reasons.reject { |_, why| why.empty? })
    rescue LoadError, InternalError => e
      @operations = []
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
    # @param caller_of_action [Hash] login, password, token_sent, token, user_agent, tokens_enabled,
    #   skip_on_duplicated, defer
    # @return [Hash{String => Object}] system (its columns, or nil), token_echo, copied, log, and note: what
    #   `defer` has left to {update}, {activate} and the like, or to {note}
    # @raise [Error] {RmtError} with status 401 when nobody has them
    def authenticate(caller_of_action)
      JSON.parse(Native.authenticate(json(caller_of_action)))
    end

    # Stores what a system says of itself.
    #
    # @param authorised [Hash] system (its columns), note (of its authentication), rotate_token
    # @param parameters [Hash] the request's parameters
    # @return [Hash{String => Object}] system (its columns), clear_profile_cache, log
    # @raise [Error]
    def update(authorised, parameters)
      JSON.parse(Native.update(json(authorised), json(parameters)))
    end

    # Writes what an authentication has left to an action that did not happen.
    #
    # @param note [Hash] of {authenticate} or {check}
    # @return [void]
    # @raise [Error]
    def note(note)
      Native.note(json(note))
    end

    # Finds out what RMT does before an action on a product.
    #
    # @param question [Hash] action (activate, show, upgrade or destroy) and either caller, as for
    #   {authenticate}, or system (id, proxy_byos_mode)
    # @param parameters [Hash] the request's parameters
    # @return [Array(Native::Checked, Hash)] what the action needs, and for Ruby: recognised (as
    #   {authenticate} returns it), product and subscription (their columns), passed (RMT's names of steps),
    #   failed (step, message)
    # @raise [Error] as {authenticate}
    def check(question, parameters)
      checked, findings = Native.check(json(question), json(parameters))
      [checked, JSON.parse(findings)]
    end

    # @param checked [Native::Checked]
    # @param look [Hash] as for {activations}
    # @return [String] the product in its tree, the answer's body
    # @raise [Error] {RmtError} when the system has not activated it
    def show(checked, look)
      Native.show(checked, json(look))
    end

    # Activates a product.
    #
    # @param checked [Native::Checked]
    # @param authorised [Hash] as for {update}, and subscription_id
    # @param look [Hash] as for {activations}
    # @return [Array(Hash, String)] system (its columns), created and removed (ids of activations and of
    #   their services), log; and the answer's body
    # @raise [Error]
    def activate(checked, authorised, look)
      outcome(Native.activate(checked, json(authorised), json(look)))
    end

    # Activates a product in the place of another version of it. As {activate}.
    def upgrade(checked, authorised, look)
      outcome(Native.upgrade(checked, json(authorised), json(look)))
    end

    # Deactivates a product. As {activate}.
    #
    # @raise [RmtError] when RMT would not
    def destroy(checked, authorised, look)
      outcome(Native.destroy(checked, json(authorised), json(look)))
    end

    # Deactivates what a system does not name. As {activate}.
    #
    # @param parameters [Hash] the request's parameters
    def synchronize(authorised, parameters, look)
      outcome(Native.synchronize(json(authorised), json(parameters), json(look)))
    end

    # Deletes a system and what is only its.
    #
    # @param system [Hash] its columns
    # @return [void]
    # @raise [Error]
    def deregister(system)
      Native.deregister(json(system))
    end

    # @param system_id [Integer]
    # @param look [Hash] base_url, free_as_stored, plugin_urls, credentials_in_repoindex, redirect_hosts
    # @return [String] its activations, as the answer's body
    # @raise [Error]
    def activations(system_id, look)
      Native.activations(system_id, json(look))
    end

    # @param service_id [Integer]
    # @param look [Hash] as for {activations}
    # @return [String, nil] its repositories as XML, the answer's body; nil when there is no such service
    # @raise [Error]
    def service(service_id, look)
      Native.service(service_id, json(look))
    end

    # @param system_id [Integer]
    # @param look [Hash] as for {activations}
    # @return [String] the mirrored repositories of all that it has activated as XML, the answer's body
    # @raise [Error]
    def legacy_service(system_id, look)
      Native.legacy_service(system_id, json(look))
    end

    # @param parameters [Hash] the request's parameters: identifier, version, arch, release_type, payload
    # @param look [Hash] as for {activations}
    # @return [String] the repositories with updates of a product's installer, as the answer's body
    # @raise [Error] {RmtError} when parameters are missing or there is no such product
    # @example
    #   RmtRs.installer({ 'identifier' => 'SLES', 'version' => '15.6', 'arch' => 'x86_64' }, look)
    def installer(parameters, look)
      Native.installer(json(parameters), json(look))
    end

    # @param regcode [String] a registration code
    # @return [Hash{String => Object}] the columns of the active subscription that has it
    # @raise [Error] {RmtError} with status 401 when there is none
    def subscription(regcode)
      JSON.parse(Native.subscription(regcode))
    end

    # @param subscription_id [Integer]
    # @param parameters [Hash] the request's parameters: identifier, version, arch, release_type
    # @param look [Hash] as for {activations}
    # @return [String] its products with their trees, as the answer's body
    # @raise [Error]
    def subscription_products(subscription_id, parameters, look)
      Native.subscription_products(subscription_id, json(parameters), json(look))
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
      @system_defaults ||= begin
        reach
        # What wraps the parameters asks for the names.
        ASKED_FOR_COLUMNS.filter_map(&:safe_constantize).each(&:attribute_names)
        leave_unknown_columns_to_ruby
        ::System.columns_hash.transform_values(&:default).freeze
      end
    end

    private

    def outcome(answer)
      outcome, body = answer
      [JSON.parse(outcome), body]
    end

    def json(value)
      JSON.generate(value)
    rescue JSON::GeneratorError, JSON::NestingError, SystemStackError
      # Infinity, for one, which JSON cannot say; or text in no encoding.
      raise Declined, 'parameters that JSON cannot express'
    end

    # Rust reads and copies the columns it knows: with others, a record made from what it read would
    # lie about them.
    def leave_unknown_columns_to_ruby
      READING.each do |operations, models|
        unknown = models.flat_map { |model| unknown_columns(model) }
        next if unknown.empty? || (@operations & operations).empty?

        @operations -= operations
        logger&.warn("rmt_rs: #{operations.join(', ')} left to Ruby: the columns #{unknown.join(', ')} are not known")
      end
    end

    def unknown_columns(name)
      model = name.safe_constantize or return []
      (model.column_names - COLUMNS.fetch(name)).map { |column| "#{model.table_name}.#{column}" }
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
      return if (@operations & REMEMBERING).empty? || CatalogVersions.complete?(ActiveRecord::Base.connection)

      logger&.warn('rmt_rs: the catalog is read for each request: for it to be remembered, run rails generate ' \
                   'rmt_rs:install and rails db:migrate, then restart')
    end

    def report(configuration, reasons)
      ruby = reasons.map { |operation, why| "#{operation} (#{why.join('; ')})" }.join(', ')
      rust = @operations.empty? ? 'nothing' : @operations.join(', ')
      ruby = "; left to Ruby: #{ruby}" unless ruby.empty?
      logger&.info("rmt_rs #{VERSION}: #{configuration.door} door, in Rust: #{rust}#{ruby}")
    end
  end
end

require_relative 'rmt_rs/railtie' if defined?(Rails::Railtie)
