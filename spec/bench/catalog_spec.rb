# frozen_string_literal: true

require_relative '../../bench/catalog'
require_relative '../../bench/fleet'

RSpec.describe Catalog do
  let(:database) { SuiteDatabase.fresh('catalog') }

  def numbers(query)
    database.with_client { |sql| sql.query(query).first.values }
  end

  # Rows for each value of a column.
  def least_and_most(table, column)
    numbers("SELECT MIN(number), MAX(number) FROM (SELECT COUNT(*) AS number FROM #{table} GROUP BY #{column}) AS counts")
  end

  it 'is of realistic size: 5 service packs, 4 architectures, trees of 22, 5 to 6 repositories each' do
    catalog = described_class.new('realistic')
    expect(catalog.counts).to include('products' => 440, 'repositories' => 2200, 'products_extensions' => 420)
    catalog.load(database)

    expect(numbers('SELECT COUNT(*), COUNT(DISTINCT version), COUNT(DISTINCT arch) FROM products')).to eq([440, 5, 4])
    expect(least_and_most('products_extensions', 'root_product_id')).to eq([21, 21])
    expect(least_and_most('repositories_services', 'service_id')).to eq([5, 6])
    expect(numbers('SELECT COUNT(*) FROM repositories WHERE mirroring_enabled AND last_mirrored_at IS NOT NULL')).to eq([2200])
  end

  it 'nests its recommended modules, and knows them for each base product' do
    catalog = described_class.new('realistic')
    catalog.load(database)
    chain = 'SELECT COUNT(*) FROM products_extensions a JOIN products_extensions b ON b.product_id = a.extension_id ' \
            'JOIN products_extensions c ON c.product_id = b.extension_id ' \
            'WHERE a.recommended AND b.recommended AND c.recommended AND a.product_id = a.root_product_id'
    expect(numbers(chain)).to eq([20])

    base = catalog.bases[7]
    recommended = "SELECT extension_id FROM products_extensions WHERE recommended AND root_product_id = #{base.id}"
    ids = database.with_client { |sql| sql.query(recommended).map { |row| row['extension_id'] } }
    expect(base.service_ids).to contain_exactly(base.id, *ids)
  end

  it 'is large when asked, replaces what was there, and is the same each time' do
    described_class.new('realistic').load(database)
    large = described_class.new('large')
    2.times { large.load(database) }
    expect(numbers('SELECT (SELECT COUNT(*) FROM products), (SELECT COUNT(*) FROM repositories), ' \
                   '(SELECT COUNT(*) FROM products_extensions)')).to eq([4000, 15_000, 30_000])
    expect(described_class.new('large').statements.to_a).to eq(large.statements.to_a)
  end

  it 'sells all of itself with each registration code' do
    described_class.new('realistic').load(database)
    missing = 'SELECT COUNT(*) FROM subscriptions s JOIN products p LEFT JOIN subscription_product_classes c ' \
              'ON c.subscription_id = s.id AND c.product_class = p.product_class WHERE c.id IS NULL'
    expect(numbers(missing)).to eq([0])
    expect(numbers('SELECT COUNT(*) FROM subscriptions')).to eq([described_class::REGCODES.size])
  end

  it 'prints statements that a client program takes' do
    printed = IO.popen([RbConfig.ruby, File.join(Host::PROJECT, 'bench/catalog.rb'), 'realistic'], &:read)
    database.with_client(flags: Mysql2::Client::MULTI_STATEMENTS) do |sql|
      sql.query(printed)
      sql.store_result while sql.next_result
    end
    expect(numbers('SELECT COUNT(*) FROM products')).to eq([440])
  end

  it 'has fleets: systems with all that a client activates' do
    catalog = described_class.new('realistic')
    catalog.load(database)
    Fleet.new(catalog.bases, 700).load(database)
    expect(numbers('SELECT COUNT(*), COUNT(DISTINCT login), COUNT(DISTINCT system_token) FROM systems')).to eq([700, 700, 700])
    expect(least_and_most('activations', 'system_id')).to eq([4, 4])
  end
end
