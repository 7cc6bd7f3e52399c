# frozen_string_literal: true

require 'English'
require 'json'
require 'net/http'
require 'rmt_rs'
require 'tmpdir'
require_relative '../support/large_tree'

# What is remembered of the catalog, in a host app under Puma, while another process changes every table of it.
RSpec.describe 'What is remembered of the catalog' do
  # All that rmt-cli does to it, and more.
  changes = [
    # A product with all that belongs to it.
    "INSERT INTO products (id, name, identifier, version, arch, product_type, product_class) VALUES
       (900, 'New', 'new', '1', 'x86_64', 'module', 'N')",
    'INSERT INTO services (id, product_id, created_at, updated_at) VALUES (900, 900, NOW(), NOW())',
    'INSERT INTO products_extensions (product_id, extension_id, root_product_id) VALUES (1, 900, 1)',
    "INSERT INTO repositories (id, scc_id, name, external_url, local_path, enabled, mirroring_enabled) VALUES
       (900, 900, 'R900', 'http://x/n', '/n', 1, 1)",
    'INSERT INTO repositories_services (repository_id, service_id) VALUES (900, 900), (900, 2), (900, 1)',
    'INSERT INTO product_predecessors (product_id, predecessor_id) VALUES (900, 1)',
    # One row, many rows, rows that stay as they are.
    "UPDATE products SET name = 'Renamed' WHERE id = 900",
    "UPDATE products SET description = 'For many.'",
    'UPDATE products SET eula_url = eula_url',
    'UPDATE repositories SET mirroring_enabled = 0 WHERE id = 900',
    'UPDATE repositories SET mirroring_enabled = 1, last_mirrored_at = NOW() WHERE id = 900',
    "UPDATE repositories SET local_path = CONCAT(local_path, 'moved/')",
    'UPDATE products_extensions SET recommended = NOT IFNULL(recommended, 0)',
    'UPDATE product_predecessors SET kind = 1',
    'UPDATE repositories_services SET repository_id = 11 WHERE repository_id = 900 AND service_id = 900',
    'UPDATE services SET updated_at = NOW()',
    "INSERT INTO products (id, name, identifier, version, arch) VALUES (900, 'Again', 'new', '1', 'x86_64')
       ON DUPLICATE KEY UPDATE name = VALUES(name)",
    "REPLACE INTO repositories_services (id, repository_id, service_id) SELECT id, 11, 900 FROM repositories_services
       WHERE service_id = 900",
    'INSERT IGNORE INTO products_extensions (product_id, extension_id, root_product_id) VALUES (2, 900, 1)',
    # What rmt-cli sync does to each root.
    ['START TRANSACTION', 'DELETE FROM products_extensions WHERE root_product_id = 1',
     'INSERT INTO products_extensions (product_id, extension_id, root_product_id) VALUES (1, 3, 1), (3, 900, 1)', 'COMMIT'],
    ['START TRANSACTION', "UPDATE products SET name = 'Never'", 'DELETE FROM products_extensions', 'ROLLBACK'],
    ['START TRANSACTION', "UPDATE products SET name = 'Part'", 'SAVEPOINT a', "UPDATE repositories SET name = 'Not'",
     'ROLLBACK TO SAVEPOINT a', 'COMMIT'],
    # Deleted, by itself and by what leads to it.
    'DELETE FROM repositories WHERE id = 900',
    'DELETE FROM product_predecessors WHERE product_id = 900',
    'DELETE FROM repositories_services WHERE service_id = 2 LIMIT 1',
    'DELETE FROM products_extensions WHERE product_id = 1',
    'DELETE FROM services WHERE id = 900',
    'DELETE FROM products WHERE id = 900',
    'DELETE products_extensions FROM products_extensions JOIN products ON products.id = extension_id'
  ].map { |change| Array(change) }

  paths = ['/connect/systems/products?identifier=p1&version=15.6&arch=x86_64',
           '/connect/systems/products?identifier=p3&version=15.6&arch=x86_64',
           '/connect/systems/activations', '/services/1', '/services/2']

  def database(name)
    SuiteDatabase.fresh(name).tap do |database|
      database.with_client do |sql|
        LargeTree.statements.each { |statement| sql.query(statement) }
        sql.query('INSERT INTO systems (id, login, password, system_information, last_seen_at, created_at, updated_at) ' \
                  "VALUES (7, 'SCC_a', 's3cret', '{}', NOW(), NOW(), NOW())")
        sql.query('INSERT INTO activations (id, service_id, system_id, created_at, updated_at) ' \
                  'SELECT id, id, 7, NOW(), NOW() FROM services WHERE id < 4')
      end
    end
  end

  # The same changes happen to a database without triggers, of which nothing is remembered.
  before(:context) do
    @database = database('catalog_versions').install_triggers
    @plain_database = database('catalog_versions_plain')
    @host = Host.new(database_url: @database.url, door: 'controller').start
    @plain = Host.new(database_url: @plain_database.url, door: 'controller').start
  end

  after(:context) do
    @host&.stop
    @plain&.stop
  end

  def get(host, path)
    uri = URI("#{host.url}#{path}")
    request = Net::HTTP::Get.new(uri, 'User-Agent' => 'zypp', 'Host' => 'rmt.example.com')
    request.basic_auth('SCC_a', 's3cret')
    answer = Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
    [answer.code, answer.body]
  end

  # Another process, which carries out what it is told line by line.
  def with_writer
    program = <<~RUBY
      require 'json'
      require 'mysql2'
      databases = ARGV.map { |options| Mysql2::Client.new(**JSON.parse(options, symbolize_names: true)) }
      $stdout.sync = true
      $stdin.each_line do |line|
        databases.each { |sql| JSON.parse(line).each { |statement| sql.query(statement) } }
        puts 'done'
      end
    RUBY
    options = [@database, @plain_database].map do |database|
      url = URI(database.url)
      JSON.generate(host: url.host, port: url.port, username: url.user, password: url.password, database: database.name)
    end
    IO.popen([RbConfig.ruby, '-e', program, *options], 'r+') do |child|
      yield(lambda do |statements|
        child.puts(JSON.generate(statements))
        raise "#{statements} failed" unless child.gets == "done\n"
      end)
    end
  end

  it 'is never old, whatever changes while requests run' do
    ended = false
    right = paths.to_h { |path| [path, [get(@plain, path)]] }
    readers = paths.map do |path|
      Thread.new do
        seen = []
        seen |= [get(@host, path)] until ended
        [path, seen]
      end
    end
    with_writer do |write|
      changes.each do |statements|
        write.call(statements)
        paths.each do |path|
          now = get(@plain, path)
          # Each of the workers has its own memory.
          3.times { expect(get(@host, path)).to eq(now), "#{path} after #{statements.join('; ')}" }
          right[path] |= [now]
        end
      end
    end
    ended = true
    readers.map(&:value).each do |path, seen|
      expect(seen - right[path]).to eq([]), path
      expect(seen.size).to be > 2, path
    end
    # The changes are no small matter.
    expect(right.values.map(&:size)).to all(be > 3)
  end

  it 'is said not to be, where the triggers are missing' do
    expect(File.read(@plain.log)).to include('run rails generate rmt_rs:install')
    expect(File.read(@host.log)).not_to include('rmt_rs:install')
  end

  describe 'the generators' do
    generate = <<~RUBY
      require 'rails'
      require 'rails/generators'
      require 'active_record'
      require 'rmt_rs'
      require 'generators/rmt_rs/install/install_generator'
      require 'generators/rmt_rs/uninstall/uninstall_generator'
      directory, generator, behavior, url = ARGV
      ActiveRecord::Base.establish_connection(url) if url
      RmtRs::Generators.const_get(generator).start([], behavior: behavior.to_sym, destination_root: directory)
    RUBY
    # As `rails db:migrate` does, and undone as `rails db:migrate:down`.
    migrate = <<~RUBY
      require 'rails'
      require 'active_record'
      directory, url, direction = ARGV
      ActiveRecord::Base.establish_connection(url)
      ActiveRecord::Migration.verbose = false
      # Since Rails 7.1 it knows by itself where is noted what was carried out.
      arguments = [File.join(directory, 'db/migrate'), ActiveRecord::SchemaMigration]
      context = ActiveRecord::MigrationContext.new(*arguments.first(ActiveRecord.version < Gem::Version.new('7.1') ? 2 : 1))
      direction == 'up' ? context.up : context.down(0)
    RUBY

    def ruby(program, *arguments)
      library = File.join(Host::PROJECT, 'lib')
      output = IO.popen([RbConfig.ruby, '-I', library, '-e', program, *arguments, { err: %i[child out] }], &:read)
      expect($CHILD_STATUS).to be_success, output
      output
    end

    def traces(database)
      database.with_client do |sql|
        triggers = sql.query('SHOW TRIGGERS').to_a
        migrations = sql.query('SELECT version FROM schema_migrations').to_a if database.tables.include?('schema_migrations')
        [triggers, migrations.to_a, database.tables & %w[rmt_rs_catalog_versions]]
      end
    end

    it 'make a migration that can be carried out and undone, and goes with it' do
      database = SuiteDatabase.fresh('catalog_versions_generated')
      url = database.url.sub('mysql:', 'mysql2:')
      Dir.mktmpdir do |directory|
        expect(ruby(generate, directory, 'InstallGenerator', 'invoke')).to include('rails db:migrate')
        expect(Dir.children(File.join(directory, 'db/migrate'))).to match([/\A\d+_install_rmt_rs_catalog_versions\.rb\z/])
        2.times do
          ruby(migrate, directory, url, 'up')
          expect(database.triggers?).to be(true)
          ruby(migrate, directory, url, 'down')
          expect(traces(database)).to eq([[], [], []])
        end
        ruby(generate, directory, 'InstallGenerator', 'revoke')
        expect(Dir.children(File.join(directory, 'db/migrate'))).to eq([])
      end
    end

    it 'take everything away again at once, however far it was installed' do
      database = SuiteDatabase.fresh('catalog_versions_uninstalled')
      url = database.url.sub('mysql:', 'mysql2:')
      [[], ['InstallGenerator'], %w[InstallGenerator up]].each do |generator, direction|
        Dir.mktmpdir do |directory|
          ruby(generate, directory, generator, 'invoke') if generator
          ruby(migrate, directory, url, direction) if direction
          expect(database.triggers?).to be(!direction.nil?)
          FileUtils.mkdir_p(File.join(directory, 'tmp/rmt_rs/shadow'))
          # A second time it finds nothing.
          2.times { expect(ruby(generate, directory, 'UninstallGenerator', 'invoke', url)).to include('take the gem out') }
          expect(traces(database)).to eq([[], [], []])
          expect(Dir.glob('**/*.rb', base: directory)).to eq([])
          expect(File.exist?(File.join(directory, 'tmp/rmt_rs'))).to be(false)
        end
      end
    end

    it 'keep the migration when the database cannot be left' do
      database = SuiteDatabase.fresh('catalog_versions_kept')
      away = database.url.sub('mysql:', 'mysql2:').sub(/:\d+/, ":#{Processes.free_port}")
      Dir.mktmpdir do |directory|
        ruby(generate, directory, 'InstallGenerator', 'invoke')
        expect { ruby(generate, directory, 'UninstallGenerator', 'invoke', away) }
          .to raise_error(RSpec::Expectations::ExpectationNotMetError, /connect/i)
        expect(Dir.children(File.join(directory, 'db/migrate')).size).to eq(1)
      end
    end
  end
end
