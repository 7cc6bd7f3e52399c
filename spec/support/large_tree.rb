# frozen_string_literal: true

# A base product with 21 modules in a tree, 5 repositories each, all of them mirrored, and a
# registration code for all of it.
module LargeTree
  REGCODE = 'LARGE-TREE'
  PRODUCTS = 22

  # @param number [Integer] 1 is the base product
  # @return [Hash] how a client names the product
  def self.product(number)
    { 'identifier' => "p#{number}", 'version' => '15.6', 'arch' => 'x86_64' }
  end

  # @return [Array<String>] SQL statements, for empty tables
  def self.statements
    (1..PRODUCTS).flat_map { |number| product_statements(number) } + [
      'INSERT INTO subscriptions (id, regcode, name, kind, status, system_limit, systems_count, created_at, updated_at) ' \
      "VALUES (1, '#{REGCODE}', 'All', 'full', 'ACTIVE', 1, 0, NOW(), NOW())",
      "INSERT INTO subscription_product_classes (subscription_id, product_class) VALUES (1, 'P')"
    ]
  end

  def self.product_statements(number)
    product = 'INSERT INTO products (id, name, identifier, version, arch, product_type, product_class, description) ' \
              "VALUES (#{number}, 'Product #{number}', 'p#{number}', '15.6', 'x86_64', " \
              "'#{number == 1 ? 'base' : 'module'}', 'P', '#{'text ' * 50}')"
    service = "INSERT INTO services (id, product_id, created_at, updated_at) VALUES (#{number}, #{number}, NOW(), NOW())"
    [product, service, *place(number), *(1..5).flat_map { |index| repository(number, index) }]
  end

  # Every product has two below it.
  def self.place(number)
    return [] if number == 1

    ['INSERT INTO products_extensions (product_id, extension_id, root_product_id, recommended) ' \
     "VALUES (#{number / 2}, #{number}, 1, #{number < 5})"]
  end

  def self.repository(number, index)
    id = (number * 10) + index
    ['INSERT INTO repositories (id, scc_id, name, external_url, local_path, enabled, mirroring_enabled, last_mirrored_at) ' \
     "VALUES (#{id}, #{id}, 'R#{id}', 'https://updates.example.com/#{id}', '/#{id}', 1, 1, NOW())",
     "INSERT INTO repositories_services (repository_id, service_id) VALUES (#{id}, #{number})"]
  end
  private_class_method :product_statements, :place, :repository
end
