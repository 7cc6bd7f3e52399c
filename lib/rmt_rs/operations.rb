# frozen_string_literal: true

module RmtRs
  # What RMT does where Rust stands before it. {Survey} looks whether it still does.
  module Operations
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

    # After actions that change a system.
    TOKENS = { 'Api::Connect::BaseController' => %i[refresh_system_token system_token_header] }.freeze

    # What actions get from the step before them.
    CHECKED = %i[activate show upgrade destroy].freeze

    # A controller's methods, in both versions of the API.
    BOTH_VERSIONS = lambda do |controller, methods|
      %w[V3 V4].to_h { |version| ["Api::Connect::#{version}::#{controller}", methods] }
    end
    private_constant :BOTH_VERSIONS

    # What RMT's own way of an operation is: the methods that it calls, besides Rails', by where they
    # are ('Name' for an instance's, 'Name.' for a class's), and the models it stores or deletes.
    ALL = {
      announce: {
        methods: {
          **BOTH_VERSIONS.call('Subscriptions::SystemsController',
                               %i[announce_system process_system_profiles info_params respond_with]),
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
          **BOTH_VERSIONS.call('Systems::SystemsController',
                               %i[update info_params refresh_system_token system_token_header respond_with]),
          'System' => %i[update_system_uptime complete_profiles= system_information_hash create_or_update save save! update],
          'Profile.' => %i[filter_profiles identify_known_profiles ensure_complete_profiles_exist ensure_profile_exists]
        },
        models: %w[System SystemUptime Profile SystemProfile]
      },
      activations: {
        methods: {
          **BOTH_VERSIONS.call('Systems::ActivationsController', %i[index respond_with]),
          'V3::ActivationSerializer' => %i[id system_id service regcode name status starts_at expires_at type attributes],
          **CATALOG
        },
        models: []
      },
      service: {
        methods: { 'ServicesController' => %i[show make_repo_url], **CATALOG },
        models: []
      },
      require_product: {
        methods: { 'Api::Connect::V3::Systems::ProductsController' => %i[require_product require_params],
                   'Product.' => %i[clean_up_version find_by] },
        models: %w[Product]
      },
      check_product_service_and_repositories: {
        methods: {
          'Api::Connect::V3::Systems::ProductsController' => %i[check_product_service_and_repositories],
          'Product' => %i[service repositories friendly_name], 'Repository.' => %i[only_enabled only_fully_mirrored]
        },
        models: []
      },
      load_subscription: {
        methods: {
          'Api::Connect::V3::Systems::ProductsController' => %i[load_subscription],
          'System' => %i[not_applicable? activations], 'Subscription' => %i[expired? products], 'Subscription.' => %i[find_by],
          'Product' => %i[free predecessors successors friendly_name]
        },
        models: %w[Subscription]
      },
      check_base_product_dependencies: {
        methods: {
          'Api::Connect::V3::Systems::ProductsController' => %i[check_base_product_dependencies],
          'System' => %i[products], 'Product' => %i[base? extension? bases root_products friendly_name]
        },
        models: []
      },
      activate: {
        methods: {
          **BOTH_VERSIONS.call('Systems::ProductsController',
                               %i[activate create_product_activation render_service handle_invalid_foreign_key respond_with]),
          **TOKENS, **CATALOG,
          'System' => %i[byos? activations save! update]
        },
        models: %w[System Activation]
      },
      show: {
        methods: {
          **BOTH_VERSIONS.call('Systems::ProductsController', %i[show respond_with]),
          'System' => %i[products], **CATALOG
        },
        models: []
      },
      upgrade: {
        methods: {
          **BOTH_VERSIONS.call('Systems::ProductsController',
                               %i[upgrade remove_previous_product_activations create_product_activation render_service
                                  handle_invalid_foreign_key respond_with]),
          **TOKENS, **CATALOG,
          'System' => %i[byos? activations services save! update]
        },
        models: %w[System Activation]
      },
      destroy: {
        methods: {
          'Api::Connect::V4::Systems::ProductsController' => %i[destroy render_service respond_with],
          **TOKENS, **CATALOG,
          'System' => %i[activations save! update]
        },
        models: %w[System Activation]
      },
      synchronize: {
        methods: {
          'Api::Connect::V4::Systems::ProductsController' => %i[synchronize],
          'Product.' => %i[clean_up_version], **TOKENS, **CATALOG,
          'System' => %i[activations products save! update]
        },
        models: %w[System Activation]
      },
      deregister: {
        methods: {
          **BOTH_VERSIONS.call('Systems::SystemsController', %i[deregister respond_with]),
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
  end
end
