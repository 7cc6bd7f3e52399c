# frozen_string_literal: true

require_relative 'catalog/repository'
require_relative 'catalog/shape'

# A catalog of products as SUSE's is: invented, always the same, mirrored as a whole, for the tables
# of RMT and of the host app. As a program it prints the statements:
#
#   ruby bench/catalog.rb realistic | mariadb some_rmt
#
# @example
#   catalog = Catalog.new('realistic')
#   catalog.load(database)
#   catalog.bases.first.triplet # => "SLES/15.3/x86_64"
class Catalog
  # What is loaded, and in which number. `groups` are versions times architectures; in each there are
  # `bases` with a tree of `tree` extensions, taken out of `extensions` that they share.
  Size = Struct.new(:versions, :bases, :extensions, :tree, :repositories, keyword_init: true)

  ARCHITECTURES = { 'x86_64' => '7261', 'aarch64' => 'SLES-ARM64', 'ppc64le' => 'SLES-PPC', 's390x' => 'SLES-Z' }.freeze
  SIZES = {
    # 440 products in 20 trees of 22, 2,200 repositories, 5 to 6 of them for each product.
    'realistic' => Size.new(versions: %w[15.3 15.4 15.5 15.6 15.7], bases: 1, extensions: 21, tree: 21,
                            repositories: [5]),
    # 4,000 products in 1,200 trees of 26, 15,000 repositories, 30,000 rows of extensions.
    'large' => Size.new(versions: %w[12.3 12.4 12.5 15.1 15.2 15.3 15.4 15.5 15.6 15.7], bases: 30, extensions: 70,
                        tree: 25, repositories: [3, 4, 4, 4])
  }.freeze

  # Codes with which any of the products may be registered.
  REGCODES = Array.new(20) { |number| format('BENCH-%016d', number) }.freeze
  # All that {#statements} fill, parents first.
  TABLES = %w[products products_extensions product_predecessors services repositories repositories_services subscriptions
              subscription_product_classes].freeze
  # When everything happened.
  TIME = '2026-01-01 00:00:00'
  # Rows of one statement: the server takes packets up to a size.
  BATCH = 500

  # `service_ids` of a base product: its own and those of what clients activate with it.
  Product = Struct.new(:id, :group, :identifier, :name, :type, :product_class, :about, :service_ids, :shape,
                       keyword_init: true) do
    # @return [String] as clients write it
    def triplet
      "#{identifier}/#{group.version}/#{group.arch}"
    end

    def base?
      type == 'base'
    end
  end

  # A version on an architecture.
  Group = Struct.new(:version, :arch, :products, keyword_init: true) do
    # @return [String] such as "15-SP6"
    def release
      version.sub('.', '-SP')
    end

    def bases
      products.select(&:base?)
    end

    def extensions
      products.reject(&:base?)
    end
  end

  # @return [Array<Product>] the base products that systems register: the first of each group
  attr_reader :bases

  # @param name [String] one of {SIZES}
  # @raise [KeyError] when it is none
  def initialize(name)
    @size = SIZES.fetch(name)
    @last_id = 0
    @groups = @size.versions.product(ARCHITECTURES.keys).map { |version, arch| group(version, arch) }
    @products = @groups.flat_map(&:products)
    @bases = @groups.map { |it| it.bases.first }
  end

  # @return [Hash{String => Integer}] rows by table
  def counts
    @counts ||= rows.to_h { |table, (_, all)| [table, all.count] }
  end

  # @yieldparam statement [String] SQL, one after the other; the tables are to be empty
  # @return [Enumerator, nil] without a block
  def statements
    return enum_for(:statements) unless block_given?

    rows.each do |table, (columns, all)|
      all.each_slice(BATCH) do |batch|
        values = batch.map { |row| "(#{row.map { |value| literal(value) }.join(',')})" }
        yield "INSERT INTO #{table} (#{columns.join(',')}) VALUES #{values.join(',')}"
      end
    end
  end

  # Puts it in the place of whatever catalog there is.
  #
  # @param database [MysqlDatabase] with RMT's tables
  # @return [void]
  def load(database)
    database.with_client do |sql|
      sql.query('SET FOREIGN_KEY_CHECKS = 0')
      TABLES.each { |table| sql.query("TRUNCATE #{table}") }
      sql.query('START TRANSACTION')
      statements { |statement| sql.query(statement) }
      sql.query('COMMIT')
      # Or the optimizer would learn of them some time during the first measurement.
      sql.query("ANALYZE TABLE #{TABLES.join(', ')}").to_a
    end
  end

  private

  def group(version, arch)
    group = Group.new(version: version, arch: arch, products: [])
    @size.bases.times { |number| group.products << base(group, number) }
    shapes.each { |shape| group.products << extension(group, shape) }
    group.bases.each { |base| base.service_ids = [base, *recommended(group)].map(&:id) }
    group
  end

  def recommended(group)
    group.extensions.select { |product| product.shape.recommended }
  end

  def base(group, number)
    suffix = number.zero? ? '' : format('_EDITION%02d', number)
    Product.new(id: next_id, group: group, identifier: "SLES#{suffix}", type: 'base',
                name: "SUSE Linux Enterprise Server#{suffix.tr('_', ' ').capitalize}",
                product_class: ARCHITECTURES.fetch(group.arch), about: 'a server for workloads of every kind')
  end

  def extension(group, shape)
    Product.new(id: next_id, group: group, identifier: shape.identifier, name: shape.name, type: shape.type,
                product_class: shape.product_class, about: shape.about, shape: shape)
  end

  # Those that have names, and as many more as the size asks for.
  def shapes
    @shapes ||= Shape::EXTENSIONS + Array.new(@size.extensions - Shape::EXTENSIONS.size) do |number|
      Shape::Extension.new(identifier: format('sle-module-addition-%02d', number), name: "Addition #{number} Module",
                           parent: 'sle-module-basesystem', recommended: false, type: 'module', product_class: 'MODULE',
                           about: 'an addition that some editions offer')
    end
  end

  def next_id
    @last_id += 1
  end

  # @return [Hash{String => Array(Array<String>, Enumerator)}] columns and rows by table, parents first
  def rows
    product_rows.merge(repository_rows).merge(subscription_rows)
  end

  def product_rows
    {
      'products' => [%w[id name description shortname former_identifier product_type product_class release_stage identifier
                        version arch eula_url free cpe friendly_version], @products.lazy.map { |product| columns_of(product) }],
      'services' => [%w[id product_id created_at updated_at], @products.lazy.map { |it| [it.id, it.id, TIME, TIME] }],
      'products_extensions' => [%w[product_id extension_id root_product_id recommended], @groups.lazy.flat_map { |it| tree(it) }],
      'product_predecessors' => [%w[product_id predecessor_id kind], predecessors]
    }
  end

  def repository_rows
    {
      'repositories' => [Repository::COLUMNS, repositories.lazy.map { |repository| repository.columns(TIME) }],
      'repositories_services' => [%w[repository_id service_id],
                                  [repositories.lazy.map { |it| [it.id, it.product.id] }, shared].lazy.flat_map(&:itself)]
    }
  end

  def subscription_rows
    classes = @products.map(&:product_class).uniq
    numbers = REGCODES.each_index.map { |index| index + 1 }
    {
      'subscriptions' => [%w[id regcode name kind status starts_at expires_at system_limit systems_count created_at updated_at],
                          numbers.lazy.map do |id|
                            [id, REGCODES[id - 1], 'SUSE Linux Enterprise, all of it', 'full', 'ACTIVE', TIME,
                             '2099-12-31 00:00:00', 100_000, 0, TIME, TIME]
                          end],
      'subscription_product_classes' => [%w[subscription_id product_class], numbers.product(classes).lazy]
    }
  end

  def columns_of(product)
    version = product.group.version
    [product.id, product.name, description(product), "#{product.identifier}#{product.group.release}", product.identifier,
     product.type, product.product_class, 'released', product.identifier, version, product.group.arch,
     "https://updates.suse.com/SUSE/Products/#{product.identifier}/#{product.group.release}/#{product.group.arch}/product.license/",
     product.product_class == 'MODULE' ? 1 : 0, "cpe:/o:suse:#{product.identifier.downcase}:#{version.tr('.', ':')}",
     version.sub('.', ' SP')]
  end

  # As long as SUSE's, and HTML like them.
  def description(product)
    "<p>#{product.name} #{product.group.version} offers #{product.about}. It is meant for servers & workstations that are " \
      'operated for many years, and is updated for as long as general support lasts. Security fixes and corrections are ' \
      "delivered through its repositories, which a registered system finds without further ado.</p><p>On #{product.group.arch} " \
      'it has been tested with the hardware of all important makers; what does not apply to this architecture is left out.</p>'
  end

  def tree(group)
    by_identifier = group.extensions.to_h { |product| [product.identifier, product] }
    group.bases.each_with_index.flat_map do |base, number|
      in_tree_of(number, group).map do |product|
        parent = product.shape.parent == Shape::BASE ? base : by_identifier.fetch(product.shape.parent)
        [parent.id, product.id, base.id, product.shape.recommended ? 1 : 0]
      end
    end
  end

  # Every base product has those with names; the others are dealt out in turn.
  def in_tree_of(number, group)
    named = Shape::EXTENSIONS.size
    others = group.extensions.drop(named)
    group.extensions.first(named) + others.rotate(number * (@size.tree - named)).first(@size.tree - named)
  end

  def predecessors
    @groups.group_by(&:arch).values.lazy.flat_map do |versions|
      versions.each_cons(2).flat_map do |before, after|
        after.products.zip(before.products).map { |product, predecessor| [product.id, predecessor.id, 0] }
      end
    end
  end

  def repositories
    @repositories ||= offered.each.with_index(1).map do |(product, kind), id|
      Repository.new(id: id, product: product, kind: kind)
    end
  end

  def offered
    counts = @size.repositories.cycle
    @products.flat_map { |product| Repository::KINDS.fetch(product.base?).first(counts.next).map { |kind| [product, kind] } }
  end

  # Every fourth extension also offers the updates of the first base product of its group.
  def shared
    updates = repositories.select { |it| it.kind == 'Updates' && it.product.base? }.to_h { |it| [it.product.id, it.id] }
    @groups.lazy.flat_map do |group|
      group.extensions.each_slice(4).map { |(product)| [updates.fetch(group.bases.first.id), product.id] }
    end
  end

  # Nothing here has a quote or a backslash in it.
  def literal(value)
    value.is_a?(Integer) ? value.to_s : "'#{value}'"
  end
end

if $PROGRAM_NAME == __FILE__
  size = ARGV.first
  abort "usage: ruby bench/catalog.rb #{Catalog::SIZES.keys.join('|')} > FILE" unless Catalog::SIZES.key?(size)
  Catalog.new(size).statements { |statement| puts "#{statement};" }
end
