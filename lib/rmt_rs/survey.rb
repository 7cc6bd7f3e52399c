# frozen_string_literal: true

module RmtRs
  # Finds out, once at boot, whether an endpoint is still RMT's own. Other engines replace methods and
  # add callbacks to models; what Rust would pass over has to stay with Ruby. In doubt it does.
  #
  # Rails has no public list of a model's callbacks: this reads `_commit_callbacks` and the like, which
  # are there in Rails 6.1 to 8.1. Should they go, everything stays with Ruby.
  #
  # @example
  #   RmtRs::Survey.new(Rails.root).reasons[:announce]
  #   # => ["announce_system is replaced in engines/scc_proxy/lib/scc_proxy/engine.rb:291"]
  class Survey
    # Model callbacks of others that the doors run themselves, by the method they call.
    # `share_registration`: registration_sharing marks every system that is created.
    HONOURED = %i[share_registration].freeze

    # What services, products and repositories look like.
    CATALOG = {
      'V3::ServiceSerializer' => %i[id name url obsoleted_service_name product attributes],
      'V3::ProductSerializer' => %i[id name identifier former_identifier version release_type release_stage arch
                                    friendly_name product_class cpe free description eula_url repositories product_type
                                    extensions recommended available root_product attributes],
      'V3::RepositorySerializer' => %i[id name url description enabled autorefresh attributes],
      'Product' => %i[mirror? friendly_name recommended_for? extensions repositories service],
      'Service' => %i[name repositories product], 'Repository' => %i[redirect? local_path external_url],
      'RMT::Misc.' => %i[make_repo_url replace_uri_parts], 'RMT::Config.' => %i[redirect_repo_hosts]
    }.freeze

    # What RMT's own way of an operation is: the methods that it calls, besides Rails', by where they
    # are ('Name' for an instance's, 'Name.' for a class's), and the models it stores or deletes.
    OPERATIONS = {
      announce: {
        methods: {
          'Api::Connect::V3::Subscriptions::SystemsController' => %i[announce_system process_system_profiles info_params
                                                                     respond_with],
          'Api::Connect::V4::Subscriptions::SystemsController' => %i[announce_system process_system_profiles info_params
                                                                     respond_with],
          'System' => %i[init complete_profiles= create_or_update save save!],
          'System.' => %i[create! generate_secure_login generate_secure_password build_secure_token],
          'Profile.' => %i[filter_profiles ensure_complete_profiles_exist ensure_profile_exists create!],
          'V3::SystemSerializer' => %i[id login password last_seen_at attributes]
        },
        models: %w[System Profile SystemProfile]
      },
      authenticate: {
        methods: {
          'ApplicationController' => %i[authenticate_system find_system_by_token_header update_user_agent zypper_request?
                                        system_tokens_enabled?],
          'System' => %i[set_system_information system_information_hash create_or_update save save! update touch],
          'System.' => %i[get_by_credentials]
        },
        models: %w[System Activation]
      },
      update: {
        methods: {
          'Api::Connect::V3::Systems::SystemsController' => %i[update info_params refresh_system_token system_token_header
                                                               respond_with],
          'Api::Connect::V4::Systems::SystemsController' => %i[update info_params refresh_system_token system_token_header
                                                               respond_with],
          'System' => %i[update_system_uptime complete_profiles= system_information_hash create_or_update save save! update],
          'Profile.' => %i[filter_profiles identify_known_profiles ensure_complete_profiles_exist ensure_profile_exists]
        },
        models: %w[System SystemUptime Profile SystemProfile]
      },
      activations: {
        methods: {
          'Api::Connect::V3::Systems::ActivationsController' => %i[index respond_with],
          'Api::Connect::V4::Systems::ActivationsController' => %i[index respond_with],
          'V3::ActivationSerializer' => %i[id system_id service regcode name status starts_at expires_at type attributes],
          **CATALOG
        },
        models: []
      },
      service: {
        methods: { 'ServicesController' => %i[show make_repo_url], **CATALOG },
        models: []
      },
      deregister: {
        methods: {
          'Api::Connect::V3::Systems::SystemsController' => %i[deregister respond_with],
          'Api::Connect::V4::Systems::SystemsController' => %i[deregister respond_with],
          'System' => %i[destroy],
          'SystemProfile' => %i[destroy_orphaned_profile]
        },
        models: %w[System Activation SystemUptime SystemProfile Profile DeregisteredSystem]
      },
      legacy_service: {
        methods: {
          'ServicesController' => %i[legacy_service make_repo_url], 'Repository' => %i[redirect? local_path external_url],
          'RMT::Misc.' => %i[make_repo_url make_smt_service_name], 'RMT::Config.' => %i[redirect_repo_hosts]
        },
        models: []
      },
      installer: {
        methods: {
          'Api::Connect::V4::Repositories::InstallerController' => %i[index require_params product_params respond_with],
          'Product.' => %i[clean_up_version], 'Product' => %i[repositories],
          'Repository.' => %i[only_installer_updates only_mirroring_enabled],
          **CATALOG.slice('V3::RepositorySerializer', 'RMT::Misc.')
        },
        models: []
      },
      subscription_products: {
        methods: {
          'Api::Connect::V4::Subscriptions::ProductsController' => %i[index product_query_params product_params
                                                                      authenticate_with_token respond_with],
          'Product.' => %i[clean_up_version], 'Subscription' => %i[products active?],
          **CATALOG
        },
        models: []
      },
      health: { methods: { 'Api::HealthController' => %i[status] }, models: [] }
    }.freeze
    # The kinds of callbacks that storing and deleting run.
    CALLBACKS = %i[initialize validation validate save create update destroy touch before_commit commit].freeze

    # @param root [String, Pathname] the application's root
    # @param own [String] where this gem's code is
    def initialize(root, own: __dir__)
      @root = File.realpath(root)
      @own = File.realpath(own)
      @rails = [ActiveRecord, ActiveModel, ActiveSupport].map { |part| source_directory(part) }
    end

    # @return [Hash{Symbol => Array<String>}] for each operation why it has to stay with Ruby; empty
    #   when it need not
    def reasons
      OPERATIONS.transform_values { |parts| reasons_among(**parts) }
    end

    # @return [Array<Symbol>] callbacks of {HONOURED} that others have on creating a system
    def honoured
      callbacks(::System).select { |filter| HONOURED.include?(filter) }
    end

    private

    def reasons_among(methods:, models:)
      missing = (methods.keys.grep(/Controller/) + models).reject(&:safe_constantize)
      return ["there is no #{missing.first}"] if missing.any?

      (methods.flat_map { |holder, names| replaced(holder, names) } +
        models.flat_map { |name| foreign_callbacks(name) }).uniq
    rescue StandardError => e
      ["it could not be looked at: #{e.class}: #{e.message}"]
    end

    # Methods that are defined outside RMT, Rails and this gem.
    def replaced(name, methods)
      holder = name.delete_suffix('.').safe_constantize or return []
      holder = holder.singleton_class if name.end_with?('.')
      methods.filter_map do |method|
        next unless holder.method_defined?(method) || holder.private_method_defined?(method)

        place = foreign_place(original(holder.instance_method(method)))
        "#{method} is replaced in #{place}" if place
      end
    end

    # The method beneath this gem's own.
    def original(method)
      method = method.super_method while method&.source_location&.first.to_s.start_with?("#{@own}/")
      method
    end

    def foreign_callbacks(name)
      model = name.constantize
      (callbacks(model) - HONOURED).filter_map do |filter|
        place = foreign_place(filter.is_a?(Symbol) ? model.instance_method(filter) : filter)
        "#{name} has a callback in #{place}" if place
      end.uniq
    end

    def callbacks(model)
      CALLBACKS.flat_map do |kind|
        chain = model.public_send("_#{kind}_callbacks")
        # Rails 6.1 keeps what was given to `before_save` & co. as raw_filter, later ones as filter.
        chain.map { |callback| callback.respond_to?(:raw_filter) ? callback.raw_filter : callback.filter }
      end.uniq
    end

    # @return [String, nil] where `code` is, when that is neither Rails, nor a library it or RMT is
    #   built from, nor RMT's own app
    def foreign_place(code)
      file, line = location(code)
      return 'an unknown place' unless file

      file = File.realpath(file) if File.exist?(file)
      return if file.start_with?("#{@root}/app/", "#{@root}/lib/", *@rails, *libraries)

      "#{file.delete_prefix("#{@root}/")}:#{line}"
    end

    def location(code)
      return code.source_location if code.respond_to?(:source_location)

      # An object with callback methods, such as a validator: its class says where it is from.
      code.class.name && Object.const_source_location(code.class.name)
    end

    # Where `respond_with` and the serializers come from.
    def libraries
      @libraries ||= %w[ActionController::Responder ActiveModel::Serializer].filter_map do |name|
        file = name.safe_constantize && Object.const_source_location(name)&.first
        "#{File.dirname(File.realpath(file), 2)}/" if file
      end
    end

    def source_directory(part)
      "#{File.dirname(File.realpath(part.method(:version).source_location.first), 2)}/"
    end
  end
end
