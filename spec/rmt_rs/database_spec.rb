# frozen_string_literal: true

require 'mysql2'
require_relative '../support/native_session'

RSpec.describe RmtRs::Database do
  let(:base) { { adapter: 'mysql2', username: 'rmt', password: 'x', database: 'rmt' } }

  def resolve(changes = {}, environment = {})
    described_class.resolve(base.merge(changes), environment: environment)
  end

  it 'fills in what Rails leaves open' do
    expect(resolve(host: 'db')).to include(host: 'db', port: 3306, pool: 5, encoding: 'utf8', tls: { mode: 'preferred' })
    expect(resolve(host: 'db')).not_to have_key(:socket)
  end

  it 'takes string keys as well' do
    expect(described_class.resolve(base.transform_keys(&:to_s), environment: {})).to include(username: 'rmt')
  end

  {
    { ssl_mode: 'VERIFY_IDENTITY', sslca: __FILE__ } => { mode: 'verify_identity', ca: __FILE__ },
    { ssl_mode: :required } => { mode: 'required' },
    { ssl_mode: 'ssl_mode_preferred' } => { mode: 'preferred' },
    { sslca: __FILE__ } => { mode: 'verify_ca', ca: __FILE__ },
    { sslca: __FILE__, sslverify: true } => { mode: 'verify_identity', ca: __FILE__ },
    { sslcert: __FILE__, sslkey: __FILE__ } => { mode: 'required', cert: __FILE__, key: __FILE__ }
  }.each do |options, tls|
    it "understands #{options}" do
      expect(resolve(options)[:tls]).to eq(tls)
    end
  end

  {
    { adapter: 'sqlite3' } => /database adapter "sqlite3": allowed are mysql2, trilogy/,
    { database: nil } => /no database is named/,
    { ssl_mode: 'maybe' } => /ssl_mode "maybe": allowed are disabled/,
    { init_command: 'SET x' } => /init_command is not supported/,
    { sslca: '/nowhere' } => %r{sslca? "/nowhere": no readable file},
    { pool: 'many' } => /pool "many": allowed are whole numbers from 1 to 1000/,
    { pool: 0 } => /pool 0/,
    { host: 'db', port: 70_000 } => /port 70000/,
    { encoding: "utf8' --" } => /encoding "utf8' --": allowed are letters/,
    { variables: { 'a b' => 1 } } => /"a b": no name of a variable/
  }.each do |options, complaint|
    it "refuses #{options}" do
      expect { resolve(options) }.to raise_error(RmtRs::ConfigurationError, complaint)
    end
  end

  it 'reads what a URL can only say as text' do
    expect(resolve(strict: 'false', wait_timeout: '100', pool: '7'))
      .to include(pool: 7, session: a_string_including("'STRICT_ALL_TABLES', ''", 'wait_timeout = 100'))
    expect(resolve(max_connections: 9)).to include(pool: 9)
  end

  it 'takes a socket of trilogy only when one is named' do
    expect(resolve(adapter: 'trilogy', host: 'localhost')).to include(host: 'localhost', port: 3306)
    expect(resolve(adapter: 'trilogy', host: 'localhost')).not_to have_key(:socket)
  end

  {
    [{ host: '10.0.0.1', port: 1 }, { socket: '/s' }] => { socket: '/s', host: 'localhost' },
    [{ host: 'localhost', socket: '/s' }, { port: 4406 }] => { host: '127.0.0.1', port: 4406 },
    [{ host: 'db', port: 1 }, { port: 4406 }] => { host: 'db', port: 4406 },
    [{ socket: '/s', port: 1 }, { host: 'db' }] => { host: 'db', port: 3306 },
    [{ host: 'db', port: 1 }, { username: 'other' }] => { host: 'db', port: 1, username: 'other' }
  }.each do |(rails, own), result|
    it "lets #{own} replace what Rails says with #{rails}" do
      resolved = described_class.resolve(described_class.override(base.merge(rails), own), environment: {})
      expect(resolved).to include(result)
      expect(resolved.key?(:socket)).to be(result.key?(:socket))
    end
  end

  it 'quotes the values of variables' do
    expect(resolve(variables: { 'sql_mode' => "A'\\B" })[:session]).to include("@@SESSION.sql_mode = 'A\\'\\\\B'")
  end

  # The client library decides between socket and TCP: ask it, and see that Rust does the same.
  describe 'next to the mysql2 client' do
    let(:mariadb) { SuiteDatabase.mariadb }

    before { SuiteDatabase.fresh('address') }

    # @return [String] how the newest other connection of this user came: "tcp" or "socket"
    def way(sql)
      row = sql.query("SELECT HOST FROM information_schema.PROCESSLIST WHERE DB = 'address' AND ID <> CONNECTION_ID() " \
                      'ORDER BY ID DESC LIMIT 1').first
      row['HOST'] == 'localhost' ? 'socket' : 'tcp'
    end

    def ways(config, environment)
      sql = mariadb.client('address')
      client = Mysql2::Client.new(config)
      ruby = way(sql)
      client.close
      configuration = RmtRs::Configuration.new({ door: 'controller' }, {})
      RmtRs::Native.load!
      RmtRs::Native.configure(configuration.to_native(config.merge(adapter: 'mysql2'), environment: environment))
      RmtRs.announce({})
      [ruby, way(sql)]
    ensure
      RmtRs::Native.shut_down
      sql&.close
    end

    {
      'a socket and no host' => ->(m) { { socket: m.socket } },
      'a socket and localhost' => ->(m) { { socket: m.socket, host: 'localhost' } },
      'a socket, localhost and a port' => ->(m) { { socket: m.socket, host: 'localhost', port: m.port } },
      'a socket and an address' => ->(m) { { socket: m.socket, host: '127.0.0.1', port: m.port } },
      'an address and a port' => ->(m) { { host: '127.0.0.1', port: m.port } }
    }.each do |what, address|
      it "goes the same way with #{what}" do
        config = { username: PrivateMariadb::USER, password: PrivateMariadb::PASSWORD, database: 'address' }
                 .merge(address.call(mariadb))
        ruby, rust = ways(config, {})
        expect(rust).to eq(ruby)
      end
    end

    # The client library reads these once, when it is first used: hence a process of its own.
    {
      'localhost' => 'socket',
      '127.0.0.1' => 'tcp'
    }.each do |host, expected|
      it "takes MYSQL_UNIX_PORT and MYSQL_TCP_PORT as it does for #{host}" do
        environment = { 'MYSQL_UNIX_PORT' => mariadb.socket, 'MYSQL_TCP_PORT' => mariadb.port.to_s }
        script = <<~RUBY
          require 'mysql2'
          require 'rmt_rs'
          config = { host: '#{host}', username: '#{PrivateMariadb::USER}', password: '#{PrivateMariadb::PASSWORD}',
                     database: 'address' }
          Mysql2::Client.new(config).query('INSERT INTO profiles VALUES (1, "ruby", "x", "x", NULL, NOW(), NOW())')
          RmtRs::Native.load!
          RmtRs::Native.configure(RmtRs::Configuration.new({ door: 'controller' }, {})
                                    .to_native(config.merge(adapter: 'mysql2')))
          RmtRs.announce({ 'hostname' => 'rust' })
          sql = Mysql2::Client.new(config)
          hosts = sql.query("SELECT HOST FROM information_schema.PROCESSLIST WHERE DB = 'address'").map { |r| r['HOST'] }
          print hosts.map { |host| host == 'localhost' ? 'socket' : 'tcp' }.uniq.join
        RUBY
        output, status = Open3.capture2e(environment, RbConfig.ruby, "-I#{Host::PROJECT}/lib", '-e', script)
        expect([status.success?, output]).to eq([true, expected])
      end
    end
  end
end
