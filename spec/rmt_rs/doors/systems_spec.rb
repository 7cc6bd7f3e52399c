# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'

# Authentication, keepalive and deregistration through RMT's controllers, in a host app under Puma.
# What they answer and write is for the recorded conversations and the core's tests to say.
RSpec.describe 'The controller door of registered systems' do
  before(:context) do
    @database = SuiteDatabase.fresh('door_systems')
    @host = Host.new(database_url: @database.url, door: 'controller', engines: ['neighbour']).start
  end

  after(:context) { @host&.stop }

  before do
    @database.with_client do |sql|
      %w[system_uptimes system_profiles profiles systems].each { |table| sql.query("DELETE FROM #{table}") }
      sql.query('INSERT INTO systems (id, login, password, hostname, system_information, system_token, created_at, updated_at) ' \
                "VALUES (7, 'SCC_a', 's3cret', 'h', 'null', 'one', NOW(), NOW())")
    end
  end

  def request(method, body = nil, login: 'SCC_a', password: 's3cret', token: 'one', host: @host)
    uri = URI("#{host.url}/connect/systems")
    request = Net::HTTP.const_get(method).new(uri, 'Content-Type' => 'application/json', 'User-Agent' => 'SUSEConnect/1')
    request.basic_auth(login, password) if login
    request['System-Token'] = token if token
    request.body = JSON.generate(body) if body
    Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
  end

  def rows(query)
    @database.with_client { |sql| sql.query(query).to_a }
  end

  def log(host = @host)
    File.read(host.log)
  end

  it 'keeps alive in Rust, and rotates the token' do
    prepared = -> { rows("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").first['Value'].to_i }
    before = prepared.call
    answer = request(:Put, { hostname: 'new', hwinfo: { cpus: 2 }, online_at: ["2026-11-20:#{'1' * 24}"] })
    expect(answer.code).to eq('204')
    # The host app's own path does not prepare statements: SELECT; UPDATE, uptimes.
    expect(prepared.call - before).to eq(3)
    system = rows('SELECT * FROM systems').first
    expect(system).to include('id' => 7, 'hostname' => 'new', 'system_token' => answer['System-Token'],
                              'system_information' => '{"user_agent":"SUSEConnect/1","cpus":2}')
    expect(answer['System-Token']).to match(/\A\h{8}-\h{4}-4\h{3}-[89ab]\h{3}-\h{12}\z/)
    expect(rows('SELECT COUNT(*) AS n FROM system_uptimes').first['n']).to eq(1)
    expect(log).to match(/INFO -- : Updated system information for host 'new'$/)
  end

  it 'deregisters in Rust, and tells those who wait for the commit' do
    expect(request(:Delete).code).to eq('204')
    expect(rows('SELECT 1 FROM systems')).to be_empty
    expect(log).to include('shared SCC_a 7 ')
  end

  it 'copies a system whose token is another, and tells those who wait for the commit' do
    answer = request(:Put, { hostname: 'copy' }, token: 'other')
    expect(answer.code).to eq('204')
    systems = rows('SELECT id, hostname, system_token FROM systems ORDER BY id')
    expect(systems.map { |system| system['hostname'] }).to eq(%w[h copy])
    expect(systems.last['system_token']).to eq(answer['System-Token'])
    expect(log).to include("shared SCC_a #{systems.last['id']} ")
  end

  it 'refuses wrong credentials, and logs none' do
    answer = request(:Put, {}, password: 'gu3ssed')
    message = 'Invalid system credentials'
    expect([answer.code, JSON.parse(answer.body)])
      .to eq(['401', { 'type' => 'error', 'error' => message, 'localized_error' => message }])
    expect(log).not_to include('gu3ssed')
    left = log.scan('authenticate left to Ruby').size
    answer = request(:Put, {}, login: "\xFF".b, password: 'gu3ssed')
    expect(answer.code).to eq('401')
    expect(log).not_to include('gu3ssed')
    expect(log.scan('authenticate left to Ruby').size).to eq(left)
    expect(request(:Put, {}, login: nil)['WWW-Authenticate']).to eq('Basic realm="RMT API"')
  end

  it 'rotates no token when it refuses the rest' do
    answer = request(:Put, { hostname: 'x' * 300 })
    expect([answer.code, JSON.parse(answer.body)['error']]).to eq(['422', 'hostname is too long'])
    expect(answer['System-Token']).to eq('one')
    answer = request(:Put, { online_at: ['2026-99-99:1'] })
    expect([answer.code, answer.body]).to eq(['422', REFUSED_BY_RAILS])
    expect(rows('SELECT hostname, system_token FROM systems').first.values).to eq(%w[h one])
  end

  it 'refuses a token that the database would take for another' do
    answer = request(:Put, {}, token: 'ONE')
    expect([answer.code, answer.body]).to eq(['422', REFUSED_BY_RAILS])
    expect(rows('SELECT COUNT(*) AS n FROM systems').first['n']).to eq(1)
  end

  it "repairs what would crash RMT, whatever the client's headers are" do
    expect(request(:Put, { hwinfo: 'text' }, token: nil).code).to eq('204')
    expect(rows('SELECT system_information FROM systems').first.values).to eq(['{"user_agent":"SUSEConnect/1"}'])
    expect(request(:Put, {}, token: "\xFF".b).code.to_i).to be < 500
  end

  describe 'what a system may use' do
    before do
      @database.load_sql(File.join(Host::PROJECT, 'spec/conformance/catalog.sql'))
      @database.with_client do |sql|
        sql.query('INSERT INTO systems (id, login, password, created_at, updated_at) ' \
                  "VALUES (7, 'SCC_a', 's3cret', NOW(), NOW())")
        sql.query('INSERT INTO activations (id, system_id, service_id, created_at, updated_at) VALUES (3, 7, 1, NOW(), NOW())')
      end
    end

    def get(path, login: 'SCC_a')
      uri = URI("#{@host.url}#{path}")
      request = Net::HTTP::Get.new(uri, 'Accept' => 'application/json', 'User-Agent' => 'SUSEConnect/1')
      request.basic_auth(login, 's3cret') if login
      Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }
    end

    it 'is listed in Rust, with the trees that were recorded' do
      answer = get('/connect/systems/activations')
      expect([answer.code, answer['Content-Type']]).to eq(['200', 'application/json; charset=utf-8'])
      listed = JSON.parse(answer.body)
      expect(listed.map { |activation| activation.values_at('id', 'system_id') }).to eq([[3, 7]])
      recorded = JSON.parse(File.read(File.join(Host::PROJECT, 'spec/conformance/cases/activate-base.json')))
      body = recorded['expect']['steps'].last['body'].gsub('<base>', @host.url).gsub('<host>', @host.url)
      expect(listed.first['service']).to eq(JSON.parse(body))
    end

    it 'is told to zypper in Rust, and what is no service by RMT' do
      expect(get('/services/1', login: nil).body).to start_with('<repoindex ttl="86400"><repo ')
      expect(get('/services/999999', login: nil).code).to eq('404')
      expect(get('/services/none', login: nil).code).to eq('404')
    end
  end

  it 'registers what never was, as RMT does' do
    request(:Put, {})
    expect(rows('SELECT registered_at FROM systems').first['registered_at']).not_to be_nil
  end

  it 'leaves systems to Ruby that have columns it does not know' do
    database = SuiteDatabase.fresh('door_columns')
    database.with_client { |sql| sql.query('ALTER TABLE systems ADD future INT DEFAULT 5') }
    host = Host.new(database_url: database.url, door: 'controller').start
    expect(log(host)).to match(/authenticate, update, .*deregister left to Ruby: systems.future is not known$/)
    expect(log(host)).to match(/in Rust: announce, activations, service,/)
  ensure
    host&.stop
  end

  it 'has Ruby answer when Rust cannot reach the database' do
    host = Host.new(database_url: @database.url, door: 'controller', env: { 'RMT_RS_PASSWORD' => 'wrong' }).start
    expect(request(:Put, { hostname: 'ruby' }, host: host).code).to eq('204')
    expect(rows('SELECT hostname FROM systems').first['hostname']).to eq('ruby')
    expect(request(:Delete, token: nil, host: host).code).to eq('204')
    expect(rows('SELECT 1 FROM systems')).to be_empty
    # And what comes after it, in the same request.
    expect(log(host).scan(/ left to Ruby: /).size).to eq(2)
  ensure
    host&.stop
  end
end
