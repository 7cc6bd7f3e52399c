# frozen_string_literal: true

module RmtRs
  # What Rust's statements expect of RMT's tables, and what of it is otherwise. One query finds it out.
  #
  # A column that is missing or altered leaves to Ruby what needs its table. Other columns do no harm, but where Rust
  # reads or copies whole rows: a record made from what it read would lie about them; or where a row cannot be stored
  # without a value for them.
  #
  # @example
  #   schema = RmtRs::Schema.new { |query| ActiveRecord::Base.connection.select_rows(query) }
  #   schema.findings         # => ["systems.hostname is missing"]
  #   schema.reasons[:update] # => ["systems.hostname is missing"]
  class Schema
    # Columns by their kind; those with a question mark may be NULL.
    TABLES = {
      'systems' => { whole: 'id scc_system_id? proxy_byos_mode?',
                     text: 'login? password? hostname? system_token? system_information? instance_data? pubcloud_reg_code?',
                     time: 'registered_at? last_seen_at? created_at updated_at scc_registered_at?' },
      'activations' => { whole: 'id service_id system_id subscription_id?', time: 'created_at updated_at' },
      'profiles' => { whole: 'id', text: 'profile_type identifier data', time: 'created_at updated_at' },
      'system_profiles' => { whole: 'id system_id profile_id', time: 'created_at updated_at' },
      'system_uptimes' => { whole: 'id system_id', day: 'online_at_day', bytes: 'online_at_hours',
                            time: 'created_at updated_at' },
      'deregistered_systems' => { whole: 'id scc_system_id', time: 'created_at updated_at' },
      'products' => { whole: 'id free?',
                      text: 'name? description? shortname? former_identifier? product_type? product_class? release_type? ' \
                            'release_stage? identifier? version? arch? eula_url? cpe? friendly_version?' },
      'products_extensions' => { whole: 'id product_id extension_id recommended? root_product_id' },
      'product_predecessors' => { whole: 'id product_id predecessor_id?' },
      'services' => { whole: 'id product_id' },
      'repositories' => { whole: 'id scc_id? enabled autorefresh installer_updates mirroring_enabled',
                          text: 'name description? external_url local_path', time: 'last_mirrored_at?' },
      'repositories_services' => { whole: 'repository_id service_id' },
      'subscriptions' => { whole: 'id system_limit systems_count virtual_count?', text: 'regcode name kind status',
                           time: 'starts_at? expires_at? created_at updated_at' },
      'subscription_product_classes' => { whole: 'subscription_id', text: 'product_class' }
    }.transform_values do |kinds|
      kinds.flat_map { |kind, names| names.split.map { |name| [name.delete_suffix('?'), [kind, name.end_with?('?')]] } }.to_h
    end.freeze

    # What the database calls them.
    KINDS = {
      whole: %w[tinyint smallint mediumint int bigint], text: %w[char varchar tinytext text mediumtext longtext json],
      time: %w[datetime timestamp], day: %w[date], bytes: %w[binary varbinary]
    }.freeze

    CATALOG = %w[products products_extensions product_predecessors services repositories repositories_services].freeze
    SYSTEMS = %w[systems activations].freeze
    SUBSCRIPTIONS = %w[subscriptions subscription_product_classes].freeze
    # The tables of operations, by their names in {Operations}.
    OPERATIONS = {
      announce: %w[systems profiles system_profiles],
      authenticate: SYSTEMS,
      update: [*SYSTEMS, 'profiles', 'system_profiles', 'system_uptimes'],
      deregister: [*SYSTEMS, 'profiles', 'system_profiles', 'system_uptimes', 'deregistered_systems'],
      activations: ['activations', 'subscriptions', *CATALOG],
      service: CATALOG,
      legacy_service: %w[activations repositories repositories_services],
      installer: %w[products services repositories repositories_services],
      subscription_products: [*SUBSCRIPTIONS, *CATALOG],
      synchronize: [*SYSTEMS, *CATALOG, 'subscriptions'],
      **%i[require_product check_product_service_and_repositories load_subscription check_base_product_dependencies activate
           show upgrade destroy].to_h { |step| [step, [*SYSTEMS, *CATALOG, *SUBSCRIPTIONS]] }
    }.freeze

    # Tables of which rows are read or copied as a whole, and the operations that do.
    WHOLE_ROWS = {
      %i[authenticate update deregister] => SYSTEMS, %i[subscription_products] => %w[subscriptions],
      %i[require_product load_subscription activate show upgrade destroy synchronize] =>
        %w[systems activations products subscriptions]
    }.freeze
    # Tables that Rust writes to.
    WRITTEN = %w[systems activations profiles system_profiles system_uptimes deregistered_systems].freeze
    # Columns that are compared with each other; otherwise the database refuses to.
    ALIKE = [%w[products product_class], %w[subscription_product_classes product_class]].freeze
    private_constant :KINDS, :CATALOG, :SYSTEMS, :SUBSCRIPTIONS, :OPERATIONS, :WHOLE_ROWS, :ALIKE

    # A column as it is.
    Column = Struct.new(:table, :name, :type, :nullable, :default, :collation, :extra) do
      # @return [Boolean] whether a row needs a value for it
      def demanding?
        nullable == 'NO' && default.nil? && !extra.to_s.include?('auto_increment') && !extra.to_s.include?('GENERATED')
      end

      # @return [String]
      def to_s
        "#{table}.#{name}"
      end
    end
    private_constant :Column

    # @yieldparam query [String]
    # @yieldreturn [Array<Array>] its rows
    def initialize
      names = TABLES.keys.map { |name| "'#{name}'" }.join(', ')
      rows = yield 'SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, extra ' \
                   "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN (#{names})"
      @columns = rows.map { |row| Column.new(*row) }.group_by(&:table)
    end

    # @return [Array<String>] what is otherwise, each thing once
    def findings
      reasons.values.flatten.uniq
    end

    # @return [Hash{Symbol => Array<String>}] for each operation that has to stay with Ruby why
    def reasons
      @reasons ||= OPERATIONS.to_h { |operation, tables| [operation, reasons_of(operation, tables)] }
                             .reject { |_, reasons| reasons.empty? }
    end

    private

    def reasons_of(operation, tables)
      whole = WHOLE_ROWS.find { |operations, _| operations.include?(operation) }&.last.to_a
      tables.flat_map { |table| altered(table) + unknown(table, whole.include?(table)) } + unlike(tables)
    end

    # Of what Rust knows.
    def altered(table)
      return ["the table #{table} is missing"] unless @columns.key?(table)

      there = columns(table)
      TABLES.fetch(table).filter_map do |name, (kind, nullable)|
        column = there[name]
        next "#{table}.#{name} is missing" unless column

        trouble = trouble_with(column, kind, nullable)
        "#{column} #{trouble}" if trouble
      end
    end

    def trouble_with(column, kind, nullable)
      return "is of type #{column.type}" unless KINDS.fetch(kind).include?(column.type)

      may = column.nullable == 'YES'
      return 'may be NULL' if may && !nullable

      'may not be NULL' if !may && nullable && WRITTEN.include?(column.table)
    end

    # What Rust does not know.
    def unknown(table, whole)
      columns(table).except(*TABLES.fetch(table).keys).values.filter_map do |column|
        next "#{column} is not known" if whole

        "#{column} has no default" if WRITTEN.include?(table) && column.demanding?
      end
    end

    def unlike(tables)
      return [] unless ALIKE.all? { |table, name| tables.include?(table) && columns(table)[name] }

      both = ALIKE.map { |table, name| columns(table)[name] }
      return [] if both.map(&:collation).uniq.size == 1

      ["#{both.join(' and ')} have different collations"]
    end

    def columns(table)
      @columns.fetch(table, []).to_h { |column| [column.name, column] }
    end
  end
end
