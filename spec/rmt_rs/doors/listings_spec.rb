# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'

# What RMT lists for clients that are no systems yet, and for those of SMT, in a host app under Puma.
# What is in the lists is for the recorded conversations and the core's tests to say.
RSpec.describe 'The controller door of listings' do
  catalog = File.join(Host::PROJECT, 'spec/conformance/catalog.sql')
  sles = '?identifier=SLES&version=15.6&arch=x86_64'
  code = 'OK-631dff'

  # @return [Net::HTTPResponse]
  def get(path, headers = {}, method: 'Get', body: nil, host: @host)
    uri = URI("#{host.url}#{path}")
    request = Net::HTTP.const_get(method).new(uri, { 'Accept' => 'application/json' }.merge(headers))
    request.basic_auth('SCC_a', 's3cret') if headers.key?('System-Token')
    request.body = body
    Net::HTTP.start(uri.host, uri.port, read_timeout: 10) { |http| http.request(request) }
  end

  def installer(query = '', **options)
    get("/connect/repositories/installer#{query}", **options)
  end

  def products(query = '', token: nil, **options)
    get("/connect/subscriptions/products#{query}", token ? { 'Authorization' => "Token token=\"#{token}\"" } : {}, **options)
  end

  def legacy_service(**options)
    get('/repo/repoindex.xml', { 'System-Token' => '' }, **options)
  end

  def log(host = @host)
    File.read(host.log)
  end

  # How many statements of a kind the block makes the server carry out.
  def statements(kind)
    read = -> { @database.with_client { |sql| sql.query("SHOW GLOBAL STATUS LIKE '#{kind}'").first['Value'].to_i } }
    before = read.call
    yield
    read.call - before
  end

  def add_system(database)
    database.with_client do |sql|
      sql.query('INSERT INTO systems (id, login, password, system_information, created_at, updated_at) ' \
                "VALUES (7, 'SCC_a', 's3cret', '{}', NOW(), NOW())")
      sql.query('INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES (7, 1, NOW(), NOW())')
    end
  end

  describe 'switched on' do
    before(:context) do
      @database = SuiteDatabase.fresh('door_listings').load_sql(catalog)
      add_system(@database)
      # One process: what it needs for its first request only is then no matter of chance.
      @host = Host.new(database_url: @database.url, door: 'controller', workers: 1,
                       engines: ['neighbour']).start
      products(token: code)
    end

    after(:context) { @host&.stop }

    it "lists an installer's repositories in Rust" do
      answer = nil
      # The host app's own path does not prepare statements.
      expect(statements('Com_stmt_execute') { answer = installer(sles) }).to eq(2)
      expect([answer.code, answer['Content-Type']]).to eq(['200', 'application/json; charset=utf-8'])
      expect(JSON.parse(answer.body).map { |repository| repository['id'] }).to eq([104])
    end

    it 'refuses probes without a statement' do
      answer = nil
      expect(statements('Com_select') { answer = installer }).to eq(0)
      expect(answer).to be_refused_with(422, 'Required parameters are missing or empty: identifier, version, arch')
    end

    it 'names what it does not have, and logs it so that nobody can forge a line' do
      answer = installer("?identifier=a%1B%00b&version=1.0&arch=#{'x' * 300}")
      expect(answer).to be_refused_with(422, "No product found on RMT for: a\e\0b 1.0 1 #{'x' * 300}")
      expect(log).to match(/rmt_rs: installer refused: No product found on RMT for: a\?\?b 1\.0 1 x+\.\.\. request_id=[\h-]{36}$/)
    end

    it 'answers what would crash RMT' do
      json = { 'Content-Type' => 'application/json' }
      path = '/connect/repositories/installer'
      answer = get(path, json, body: '{"identifier":"SLES","version":15.6,"arch":"x86_64"}')
      expect(JSON.parse(answer.body).size).to eq(1)
      answer = get(path, json, body: '{"identifier":["SLES"],"version":1e400,"arch":{"a":1e400}}')
      expect(answer).to be_refused_with(422, 'No product found on RMT for: Infinity')
      expect(get(path, json, body: "{\"\xFF\":1}".b)).to be_refused_with(400, 'The request is not valid UTF-8')
      expect(installer("#{sles}&payload=%7B")).to be_refused_with(422, 'payload is no JSON object')
      answer = get("#{path}#{sles}", json, body: '{"payload":1e400}')
      expect(JSON.parse(answer.body).size).to eq(1)
      ['a b', ':80'].each do |host|
        answer = get("#{path}#{sles}", { 'X-Forwarded-Host' => host })
        expect(answer).to be_refused_with(400, 'The Host header names no host')
      end
    end

    it 'takes parts of a form for what they are' do
      part = "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n"
      form = [%w[identifier SLES], %w[version 1], ['arch"; filename="f', 'x']].map { |pair| format(part, *pair) }
      answer = get('/connect/repositories/installer', { 'Content-Type' => 'multipart/form-data; boundary=b' },
                   body: "#{form.join}--b--\r\n")
      expect(answer).to be_refused_with(422, 'No product found on RMT for: SLES 1')
    end

    it 'answers HEAD, and other formats than JSON, as respond_with does' do
      expect(installer(sles, method: 'Head').code).to eq('204')
      expect(installer(method: 'Head').code).to eq('422')
      expect(get("/connect/repositories/installer.xml#{sles}").code).to eq('406')
      expect(get('/connect/repositories/installer.xml').code).to eq('422')
      expect(products(token: code, method: 'Head').code).to eq('204')
    end

    it "lists a subscription's products in Rust, and leaves the subscription to those who come after" do
      answer = nil
      # Without a question of Rails' own.
      expect(statements('Com_select') { answer = products('?version=15.6', token: code) }).to eq(3)
      expect(JSON.parse(answer.body).map { |product| product['id'] }).to include(1, 2, 20)
      expect(log).to include('listed for SLES subscription, 6, 2020')
    end

    it 'logs who may list products, but no code' do
      expect(products(token: 'S3CRET-unknown')).to be_refused_with(401, 'Unknown Registration Code.')
      expect(products(token: 'NOTACT-55').code).to eq('401')
      expect(products(token: "\xFF".b).code).to eq('401')
      expect(log).to match(/INFO -- : Authenticated with token$/)
      expect(log).to match(/rmt_rs: subscription_products refused: Not yet activated Registration Code/)
      expect(log).not_to match(/S3CRET-unknown|NOTACT-55|#{code}/i)
    end

    it 'asks for a token' do
      answer = products
      expect([answer.code, answer['WWW-Authenticate'], answer.body])
        .to eq(['401', 'Token realm="Application"', "HTTP Token: Access denied.\n"])
    end

    it "lists all of a system's repositories for clients of SMT, in Rust" do
      answer = nil
      # The system, the time it was seen, the list.
      expect(statements('Com_stmt_execute') { answer = legacy_service }).to eq(3)
      expect([answer.code, answer['Content-Type']]).to eq(['200', 'application/xml; charset=utf-8'])
      expect(answer.body).to start_with('<repoindex><repo url=').and include('?credentials=SMT-http_127_0_0_1:')
      expect(get('/repo/repoindex.xml').code).to eq('401')
    end

    it 'is healthy, whatever the body' do
      answer = nil
      expect(statements('Com_select') { answer = get('/api/health/status') }).to eq(0)
      expect([answer.code, answer['Content-Type'], answer.body])
        .to eq(['200', 'application/json; charset=utf-8', '{"state":"online"}'])
      answer = get('/api/health/status', { 'Content-Type' => 'application/json' }, body: "{\"\xFF\":1}".b)
      expect(answer).to be_refused_with(400, 'The request is not valid UTF-8')
    end
  end

  describe 'switched off, and when Rust cannot reach the database' do
    before(:context) do
      @database = SuiteDatabase.fresh('door_listings_ruby').load_sql(catalog)
      add_system(@database)
    end

    # The host app's own answers are shorter than RMT's.
    def expect_ruby(host)
      listed = installer('?identifier=SLES&version=15.6&arch=x86_64', host: host)
      [listed, products(token: 'OK-631dff', host: host)].each do |answer|
        expect(JSON.parse(answer.body).first.keys).to eq(%w[id name])
      end
      expect(legacy_service(host: host).body).to include('<name>SLES15-SP6-Pool</name>')
      expect(get('/api/health/status', host: host).body).to eq('{"state":"online"}')
    end

    it 'is Ruby that answers' do
      host = Host.new(database_url: @database.url, door: 'off').start
      expect_ruby(host)
      expect(log(host)).not_to include('rmt_rs')
    ensure
      host&.stop
    end

    it 'is Ruby that answers after all' do
      host = Host.new(database_url: @database.url, door: 'controller', env: { 'RMT_RS_PASSWORD' => 'wr0ng' }).start
      expect_ruby(host)
      %w[installer subscription_products authenticate].each do |operation|
        expect(log(host)).to match(/WARN -- : rmt_rs: #{operation} left to Ruby: no database connection/)
      end
      expect(log(host)).not_to include('health left to Ruby')
    ensure
      host&.stop
    end
  end

  it 'leaves subscriptions to Ruby that have columns it does not know' do
    database = SuiteDatabase.fresh('door_listings_columns').load_sql(catalog)
    database.with_client { |sql| sql.query('ALTER TABLE subscriptions ADD future INT DEFAULT 5') }
    host = Host.new(database_url: database.url, door: 'controller').start
    expect(log(host)).to match(/subscription_products left to Ruby: subscriptions.future is not known$/)
    expect(JSON.parse(products(token: code, host: host).body).first.keys).to eq(%w[id name])
    expect(JSON.parse(installer(sles, host: host).body).first.keys).to include('url')
  ensure
    host&.stop
  end

  # A server of its own, for it is frozen.
  describe 'while the database is silent' do
    before(:context) do
      @mariadb = PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-failing')).start
      @database = @mariadb.database('door_listings').drop.create.load_sql(SuiteDatabase::STRUCTURE).load_sql(catalog)
      Process.kill(:STOP, @mariadb.pid)
      # Health is what tells that it has booted.
      @host = Host.new(database_url: @database.url, door: 'controller').start
    end

    after(:context) do
      @host&.stop
      Process.kill(:CONT, @mariadb.pid)
      @mariadb&.stop
    end

    it 'is healthy, refuses probes, and has no lists' do
      json = { 'Content-Type' => 'application/json' }
      expect(get('/api/health/status', json, body: '{"a":1}').body).to eq('{"state":"online"}')
      expect(get('/connect/repositories/installer', json, body: '{"a":1}').code).to eq('422')
      unavailable = Refusals::UNAVAILABLE
      expect(installer(sles)).to be_refused_with(503, unavailable)
      expect(products(token: code)).to be_refused_with(503, unavailable)
      expect(legacy_service).to be_refused_with(503, unavailable)
    end
  end
end
