# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'

# Products through RMT's controllers, step by step, in a host app under Puma. What they answer and
# write is for the recorded conversations and the core's tests to say.
RSpec.describe 'The controller door of products' do
  before(:context) do
    @database = SuiteDatabase.fresh('door_products')
    @host = Host.new(database_url: @database.url, door: 'controller', engines: ['neighbour']).start
  end

  after(:context) { @host&.stop }

  before do
    @database.load_sql(File.join(Host::PROJECT, 'spec/conformance/catalog.sql'))
    @database.with_client do |sql|
      sql.query('INSERT INTO systems (id, login, password, hostname, system_information, system_token, last_seen_at, ' \
                "created_at, updated_at) VALUES (7, 'SCC_a', 's3cret', 'h', 'null', 'one', '2026-01-01', NOW(), NOW())")
    end
  end

  seen = 'last_seen_at > NOW() - INTERVAL 1 HOUR'
  sles = { 'identifier' => 'SLES', 'version' => '15.6', 'arch' => 'x86_64' }
  basesystem = sles.merge('identifier' => 'sle-module-basesystem')

  def request(method, body, token: 'one', host: @host, path: '/connect/systems/products', headers: {})
    uri = URI("#{host.url}#{path}")
    request = Net::HTTP.const_get(method).new(uri, { 'Content-Type' => 'application/json', 'User-Agent' => 'SUSEConnect/1' }
                                                     .merge(headers))
    request.basic_auth('SCC_a', 's3cret')
    request['System-Token'] = token if token
    request.body = body.is_a?(String) ? body : JSON.generate(body)
    Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
  end

  def rows(query)
    @database.with_client { |sql| sql.query(query).to_a }
  end

  def value(query)
    rows(query).first.values.first
  end

  def log(host = @host)
    File.read(host.log)
  end

  it 'activates in Rust, in two trips, with the callbacks of others in between' do
    prepared = -> { rows("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").first['Value'].to_i }
    before = prepared.call
    answer = request('Post', sles.merge('token' => 'OK-631dff'))
    # SELECTs for the system, the product, its tree and its subscription; UPDATE, INSERT.
    expect(prepared.call - before).to eq(6)
    expect(answer.code).to eq('201')
    expect(answer['System-Token']).to match(/\A\h{8}-/).and eq(value('SELECT system_token FROM systems'))
    expect(JSON.parse(answer.body)['product']['identifier']).to eq('SLES')
    expect(rows('SELECT service_id, subscription_id FROM activations').first.values).to eq([1, 1])
    expect(log).to include('verifies SUSE Linux Enterprise Server false OK-631dff SCC_a')
    expect(log).to include('shared activation of 1 by SCC_a')
    # As RMT does, which rotates the token after that.
    expect(log).to include('exports SUSE Linux Enterprise Server of SCC_a with token one')
  end

  it 'tells those who wait for the commit of what was removed, too' do
    told = ->(service) { log.scan("shared activation of #{service} by SCC_a").size }
    before = [2, 7].map(&told)
    request('Post', sles, token: nil)
    request('Post', basesystem, token: nil)
    expect(request('Delete', basesystem, token: nil).code).to eq('200')
    expect(told.call(2) - before.first).to eq(2)
    expect(log).to match(/INFO -- : Product 'Basesystem Module 15 SP6 x86_64' deactivated$/)
    answer = request('Put', sles.merge('version' => '15.7'), token: nil)
    expect(JSON.parse(answer.body)['obsoleted_service_name']).to eq('SUSE_Linux_Enterprise_Server_x86_64')
    expect(told.call(7) - before.last).to eq(1)
    synchronize = '/connect/systems/products/synchronize'
    answer = request('Post', { products: [basesystem] }, path: synchronize)
    expect([answer.code, answer.body, answer['System-Token']])
      .to eq(['200', '[]', value('SELECT system_token FROM systems')])
    expect(told.call(7) - before.last).to eq(2)
    expect(log).to match(/INFO -- : Product 'SUSE Linux Enterprise Server 15 SP7 x86_64' de-activated on system 7$/)
  end

  it 'answers when others fail at what is done, for the client needs its new token' do
    rows("UPDATE systems SET hostname = 'nobody'")
    answer = request('Post', sles)
    expect([answer.code, answer['System-Token']]).to eq(['201', value('SELECT system_token FROM systems')])
    expect(value('SELECT COUNT(*) FROM activations')).to eq(1)
    expect(log).to match(/share_registration of Activation \d+ failed: Errno::EACCES/)
  end

  it 'registers a system that never was together with what it saves' do
    zypper = { 'User-Agent' => 'ZYpp 17' }
    left = -> { log.scan('left to Ruby').size }
    before = left.call
    expect(request('Post', sles, token: nil, headers: zypper).code).to eq('201')
    expect(value('SELECT registered_at > NOW() - INTERVAL 1 HOUR FROM systems')).to eq(1)
    rows('UPDATE systems SET registered_at = NULL')
    expect(request('Put', sles.merge('version' => '15.7'), token: nil, headers: zypper).code).to eq('201')
    expect(value('SELECT registered_at > NOW() - INTERVAL 1 HOUR FROM systems')).to eq(1)
    expect(left.call).to eq(before)
  end

  it 'refuses to synchronize under a host that no URL can be made of' do
    request('Post', sles)
    before = rows('SELECT service_id FROM activations')
    token = value('SELECT system_token FROM systems')
    answer = request('Post', { products: [basesystem] }, token: token, path: '/connect/systems/products/synchronize',
                                                         headers: { 'Host' => 'a!b' })
    expect(answer).to be_refused_with(400, 'The Host header names no host')
    expect([rows('SELECT service_id FROM activations'), value('SELECT system_token FROM systems')]).to eq([before, token])
  end

  it 'notes that a system was seen whose request others refuse' do
    answer = request('Post', sles.merge('email' => 'nobody'))
    expect([answer.code, answer['System-Token']]).to eq(%w[422 one])
    expect(rows("SELECT #{seen}, system_token FROM systems").first.values).to eq([1, 'one'])
    expect(value('SELECT COUNT(*) FROM activations')).to eq(0)
  end

  it 'refuses in the order of the steps, and rotates no token' do
    expect(request('Post', {})).to be_refused_with(422, 'Required parameters are missing or empty: identifier, version, arch')
    expect(request('Get', sles.merge('version' => '1'))).to be_refused_with(422, 'No product found')
    answer = request('Delete', sles)
    message = 'The product "SUSE Linux Enterprise Server" is a base product and cannot be deactivated'
    expect(answer).to be_refused_with(422, message)
    expect(answer['System-Token']).to eq('one')
    expect(rows("SELECT #{seen}, system_token FROM systems").first.values).to eq([1, 'one'])
  end

  it 'runs nothing after an action that it refuses, as RMT, which raises' do
    exported = log.scan('exports SUSE').size
    answer = request('Get', sles)
    expect(answer).to be_refused_with(422, "The requested product 'SUSE Linux Enterprise Server 15 SP6 x86_64' " \
                                           'is not activated on this system.')
    expect(log.scan('exports SUSE').size).to eq(exported)
  end

  it 'takes a token back that a failing callback keeps from the client' do
    expect(request('Post', sles.merge('email' => 'full')).code).to eq('500')
    expect(rows('SELECT system_token, (SELECT COUNT(*) FROM activations) FROM systems').first.values).to eq(['one', 1])
  end

  it 'lets two activations of the same product at a time both succeed' do
    answers = Array.new(8) { Thread.new { Array.new(3) { request('Post', sles, token: nil).code } } }.flat_map(&:value)
    expect(answers.tally).to eq('201' => 24)
    expect(value('SELECT COUNT(*) FROM activations')).to eq(1)
  end

  it 'is never surprised by what is sent' do
    synchronize = '/connect/systems/products/synchronize'
    answers = [
      request('Post', sles.merge('version' => 15.6), token: nil), request('Post', sles.merge('identifier' => [['x']])),
      request('Put', sles.merge('arch' => { 'a' => 1 })), request('Delete', sles.merge('identifier' => "\u{1F600}")),
      request('Post', sles.merge('token' => { 'a' => 1 })), request('Get', sles.merge('payload' => '{')),
      request('Post', '[1]'), request('Post', { products: 'x' }, path: synchronize), request('Post', {}, path: synchronize),
      request('Post', { products: [1] }, path: synchronize), request('Post', '{"products":[{"version":[1]}]', path: synchronize)
    ]
    expect(answers.map(&:code)).to eq(%w[201 422 422 422 422 422 422 422 400 422 400])
    expect(value('SELECT COUNT(*) FROM activations')).to eq(1)
  end

  it 'leaves to Ruby what comes in parts, and notes the system all the same' do
    parts = sles.map { |name, value| "--x\r\nContent-Disposition: form-data; name=\"#{name}\"\r\n\r\n#{value}\r\n" }
    answer = request('Post', "#{parts.join}--x--\r\n", headers: { 'Content-Type' => 'multipart/form-data; boundary=x' })
    expect(answer.code).to eq('201')
    expect(log).to include('require_product left to Ruby: a multipart body')
    expect(value("SELECT #{seen} FROM systems")).to eq(1)
  end

  it 'makes records where somebody looks at them' do
    host = Host.new(database_url: @database.url, door: 'controller', engines: ['reads_records']).start
    expect(request('Post', sles.merge('token' => 'OK-631dff'), host: host).code).to eq('201')
    expect(log(host)).to include('reads System 7').and include('reads Product').and include('reads Subscription')
    expect(log(host)).not_to match(/rmt_rs: \w+ left to Ruby/)
  ensure
    host&.stop
  end

  it 'gives RMT the records that nobody has looked at when it goes on in Ruby' do
    host = Host.new(database_url: @database.url, door: 'controller').start
    # Rust has authenticated the system and has found everything by the time it is to answer.
    answer = request('Post', sles, host: host, headers: { 'Host' => 'a!b' })
    expect(answer.code).to eq('201')
    expect(value('SELECT COUNT(*) FROM activations')).to eq(1)
    expect(log(host)).to match(/activate left to Ruby: /)
  ensure
    host&.stop
  end

  it 'has the step that somebody replaced done by them, and the others in Rust' do
    host = Host.new(database_url: @database.url, door: 'controller', engines: ['replaces_step']).start
    expect(request('Post', sles.merge('token' => 'OK-631dff'), host: host).code).to eq('201')
    expect(rows('SELECT service_id, subscription_id FROM activations').first.values).to eq([1, 3])
    expect(log(host)).to include('subscriptions are our business')
    expect(log(host)).to match(/in Rust: [^;]*\bactivate\b[^;]*; left to Ruby: load_subscription \(load_subscription is replaced/)
    expect(log(host)).not_to match(/rmt_rs: \w+ left to Ruby/)
  ensure
    host&.stop
  end

  it 'has Ruby answer when Rust cannot reach the database' do
    host = Host.new(database_url: @database.url, door: 'controller', env: { 'RMT_RS_PASSWORD' => 'wrong' }).start
    expect(request('Post', sles, host: host).code).to eq('201')
    expect(value('SELECT COUNT(*) FROM activations')).to eq(1)
    # After that the rest of the request is Ruby's, too.
    expect(log(host).scan(/rmt_rs: (\w+) left to Ruby/)).to eq([%w[authenticate]])
  ensure
    host&.stop
  end
end
