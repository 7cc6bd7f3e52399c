# frozen_string_literal: true

module Property
  # The products, services and subscriptions of a server, and what the contract says of them.
  class Catalog
    # @param player [Player] whose database is read
    def initialize(player)
      tables = %w[products services products_extensions product_predecessors subscriptions].to_h do |table|
        [table, player.read("SELECT * FROM #{table} ORDER BY id")]
      end
      @products = tables['products'].to_h { |product| [product['id'], product] }
      @services = tables['services'].to_h { |service| [service['product_id'], service['id']] }
      @extensions = tables['products_extensions']
      @predecessors = tables['product_predecessors']
      @subscriptions = tables['subscriptions']
      @classes = player.read('SELECT * FROM subscription_product_classes').group_by { |row| row['subscription_id'] }
      @repositories = player.read('SELECT repositories.*, service_id FROM repositories JOIN repositories_services ' \
                                  'ON repository_id = repositories.id ORDER BY repositories.id').group_by { _1['service_id'] }
    end

    # As the database compares texts: neither case nor spaces at the end count.
    #
    # @return [Boolean]
    def self.alike?(one, other)
      one && other ? one.downcase.sub(/ +\z/, '') == other.downcase.sub(/ +\z/, '') : false
    end

    # @param wanted [Hash] identifier, version and arch, each a text or nil
    # @return [Hash, nil] the product's row
    def product(wanted)
      versions = [wanted['version'], wanted['version']&.tr('-', '.')&.delete_suffix('.0')]
      @products.values.find do |product|
        Catalog.alike?(product['identifier'], wanted['identifier']) && Catalog.alike?(product['arch'], wanted['arch']) &&
          versions.any? { |version| Catalog.alike?(product['version'], version) }
      end
    end

    # @param service [Integer] id of a service
    # @return [Hash, nil] the row of its product
    def product_of(service)
      @products[@services.key(service)]
    end

    # @param product [Hash]
    # @return [Integer, nil] id of its service
    def service(product)
      @services[product['id']]
    end

    # @param service [Integer] id of a service
    # @return [Array<Hash>] rows of its repositories
    def repositories(service)
      @repositories.fetch(service, [])
    end

    # @param product [Hash]
    # @return [Array<Integer>] ids, at SCC, of the repositories that should be mirrored and are not
    def not_mirrored(product)
      mandatory = repositories(service(product)).select { |repository| repository['enabled'] == 1 }
      mandatory.reject { |repository| repository['mirroring_enabled'] == 1 && repository['last_mirrored_at'] }
               .map { |repository| repository['scc_id'] }
    end

    # @param product [Hash]
    # @return [String] as messages call it
    def friendly_name(product)
      product.values_at('name', 'friendly_version', 'release_type').push(arch(product)).compact.join(' ')
    end

    # @param product [Hash]
    # @return [String] as zypper calls its service
    def service_name(product)
      product.values_at('name', 'release_type').push(arch(product)).compact.join('_').tr(' ', '_')
    end

    # @param product [Hash]
    # @return [Array<Hash>] what it extends, once for each root it does so for
    def bases(product)
      rows_of_extension(product).map { |row| @products[row['product_id']] }
    end

    # @param product [Hash]
    # @return [Array<Hash>] the base products it is offered on
    def roots(product)
      rows_of_extension(product).map { |row| @products[row['root_product_id']] }.uniq
    end

    # @param product [Hash]
    # @return [Array<Hash>] what extends it, on whatever root
    def extensions(product)
      @extensions.select { |row| row['product_id'] == product['id'] }.map { |row| @products[row['extension_id']] }.uniq
    end

    # @param product [Hash]
    # @return [Array<Integer>] ids of all products in its tree, without itself
    def tree(product, root = product)
      children = @extensions.select { |row| row.values_at('product_id', 'root_product_id') == [product['id'], root['id']] }
      children.flat_map { |row| [row['extension_id'], *tree(@products[row['extension_id']], root)] }
    end

    # @param product [Hash]
    # @return [Array<Integer>] ids of the services of the product, its predecessors and successors
    def family(product)
      id = product['id']
      relatives = @predecessors.filter_map do |row|
        next row['predecessor_id'] if row['product_id'] == id

        row['product_id'] if row['predecessor_id'] == id
      end
      [id, *relatives].filter_map { |relative| @services[relative] }
    end

    # @param code [String]
    # @return [Hash, nil] the row of the subscription with this registration code
    def subscription(code)
      @subscriptions.find { |subscription| Catalog.alike?(subscription['regcode'], code) }
    end

    # @param subscription [Hash]
    # @param product [Hash]
    # @return [Boolean] whether the product needs no subscription or this one includes it
    def includes?(subscription, product)
      product['free'] == 1 ||
        @classes.fetch(subscription['id'], []).any? { |row| row['product_class'] == product['product_class'] }
    end

    private

    def arch(product)
      product['arch'] unless product['arch'] == 'unknown'
    end

    def rows_of_extension(product)
      @extensions.select { |row| row['extension_id'] == product['id'] }
    end
  end
end
