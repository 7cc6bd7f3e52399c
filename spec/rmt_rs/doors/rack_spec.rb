# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'net/http'
require 'tmpdir'
require 'rmt_rs'
require 'rmt_rs/survey'
require_relative '../../support/large_tree'

# The rack door in a host app under Puma. What it answers is held against the recordings elsewhere; here it is held
# against the controller door, which has Rails around it.
RSpec.describe 'The rack door', :rack_door do
  # Starts hosts on one database, by their doors.
  def self.hosts(database, *doors, **options)
    before(:context) do
      @database = SuiteDatabase.fresh(database)
      @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
      @hosts = doors.to_h { |door| [door, Host.new(database_url: @database.url, door: door, workers: 0, **options).start] }
    end
    after(:context) { @hosts&.each_value(&:stop) }
    before { @database.with_client { |sql| sql.query('DELETE FROM systems') } }
  end

  JSON_HEADERS = { 'Content-Type' => 'application/json', 'Accept' => 'application/json' }.freeze # rubocop:disable Lint/ConstantDefinitionInBlock

  def ask(method, path, body = nil, headers = {}, door: 'rack')
    host = URI(@hosts.fetch(door).url)
    request = Net::HTTP.const_get(method.capitalize).new(path, JSON_HEADERS.merge('Host' => 'rmt.example.com').merge(headers))
    request.body = body.is_a?(String) ? body : JSON.generate(body) if body
    Net::HTTP.start(host.host, host.port, read_timeout: 30) { |http| http.request(request) }
  end

  # The lines that a block adds to the log, without what differs each time.
  def logged(door)
    log = @hosts.fetch(door).log
    written = File.size(log)
    yield
    File.read(log).byteslice(written..).lines(chomp: true).filter_map do |line|
      next if line.match?(/Rendered ActiveModel/)

      line.sub(/\A.*? -- : /, '').gsub(/SCC_\h{32}|\h{8}-\h{4}-\h{4}-\h{4}-\h{12}/, '*').sub(/ at \d{4}-.*/, '')
          .sub(/ in \d+ms \(.*\)/, '')
    end
  end

  def announced(door: 'rack', **headers)
    answer = ask('post', '/connect/subscriptions/systems', { hostname: 'web01', hwinfo: { cpus: 2 } }, headers, door: door)
    JSON.parse(answer.body).values_at('login', 'password')
  end

  # Rails sends bodies in chunks, the rack door sends them with their length.
  def headers_of(answer)
    answer.to_hash.except('x-runtime', 'x-request-id', 'transfer-encoding', 'content-length')
  end

  def basic(credentials)
    { 'Authorization' => "Basic #{[credentials.join(':')].pack('m0')}", 'User-Agent' => 'SUSEConnect/1.20' }
  end

  describe 'beside the controller door' do
    hosts 'rack_beside', 'rack', 'controller'

    def log
      File.read(@hosts.fetch('rack').log)
    end

    it 'says at boot where it stands and what it answers' do
      all = %w[announce update deregister show activate upgrade destroy synchronize activations service installer
               subscription_products health].join(', ')
      expect(log).to include("rmt_rs: the rack door answers #{all}, at the front of the stack\n")
    end

    # Each with a system of its own; {{login}} stands for its credentials.
    conversations = {
      'an announcement' => [['post', '/connect/subscriptions/systems', { hostname: 'a', password: 'x', hwinfo: { a: [nil] } }]],
      'an activation and what follows' => [
        ['post', '/connect/systems/products', LargeTree.product(1).merge(token: LargeTree::REGCODE), { 'System-Token' => '' }],
        ['get', "/connect/systems/products?#{URI.encode_www_form(LargeTree.product(1))}", nil, {}],
        ['get', '/connect/systems/products', LargeTree.product(1), {}],
        ['get', '/connect/systems/activations', nil, {}],
        ['put', '/connect/systems', { hostname: 'b', hwinfo: { cpus: 4 } }, {}],
        ['delete', '/connect/systems/products', LargeTree.product(1), {}],
        ['post', '/connect/systems/products/synchronize', { products: [LargeTree.product(1)] }, {}],
        ['put', '/connect/systems/products', { identifier: 'unknown', version: '1', arch: 'x86_64' }, {}],
        ['delete', '/connect/systems', nil, {}]
      ],
      'what is refused' => [
        ['post', '/connect/systems/products', { identifier: 'SLES' }, {}],
        ['post', '/connect/systems/products', LargeTree.product(2), {}],
        ['get', '/connect/systems/products', LargeTree.product(1), { 'Authorization' => 'Basic bm9ib2R5OnNlY3JldA==' }],
        ['get', '/connect/systems/products', LargeTree.product(1), { 'Authorization' => '' }],
        ['get', '/connect/repositories/installer', nil, {}],
        ['get', '/connect/subscriptions/products', nil, { 'Authorization' => 'Token token=unknown' }]
      ],
      'what needs no system' => [
        ['get', '/api/health/status', nil, {}],
        ['get', '/services/1', nil, { 'Accept' => '*/*' }],
        ['get', '/services/1/repo/repoindex.xml?credentials=a', nil, { 'User-Agent' => 'ZYpp 17', 'Accept' => '*/*' }]
      ]
    }

    conversations.each do |what, requests|
      it "answers #{what} with the same status, headers and body, and logs the same" do
        seen = %w[rack controller].map do |door|
          credentials = basic(announced(door: door))
          answers = nil
          lines = logged(door) do
            answers = requests.map do |method, path, body, headers|
              ask(method, path, body, credentials.merge(headers.to_h), door: door)
            end
          end
          headers = answers.map do |it|
            headers_of(it).merge('system-token' => it['system-token'].to_s.gsub(/\h/, '*'), 'etag' => it.key?('etag'))
          end
          bodies = answers.map { |it| it.body.to_s.gsub(/"id":\d+,"login":"SCC_\h+","password":"\h+"|"(system_)?id":\d+/, '') }
          { statuses: answers.map(&:code), headers: headers, bodies: bodies, lines: lines }
        end
        seen.first.each { |part, value| expect(value).to eq(seen.last[part]) }
        expect(seen.first[:lines].grep(/rmt_rs: .* left to/)).to be_empty
      end
    end

    it 'writes what a client says on one line, whatever that holds' do
      sent = { hostname: "web01' announced\nSystem 'web02\e[2J\u0085", hwinfo: {}, online_at: ["x\ny"] }
      %w[rack controller].each do |door|
        lines = logged(door) do
          credentials = basic(announced(door: door))
          expect(ask('post', '/connect/subscriptions/systems', sent, door: door).code).to eq('201')
          expect(ask('put', '/connect/systems', sent, credentials, door: door).code).to eq('204')
        end
        expect(lines).to include("System 'web01' announced?System 'web02?[2J?' announced", "Uptime data is malformed 'x?y'",
                                 "Updated system information for host 'web01' announced?System 'web02?[2J?'")
      end
    end

    it 'sends large answers whole, one after the other on a connection that is kept' do
      host = URI(@hosts.fetch('rack').url)
      headers = JSON_HEADERS.merge(basic(announced))
      body = JSON.generate(LargeTree.product(1).merge(token: LargeTree::REGCODE))
      answers = Net::HTTP.start(host.host, host.port) do |http|
        Array.new(3) { http.post('/connect/systems/products', body, headers) }
      end
      answers.each do |answer|
        expect(answer.body.bytesize).to be > 8192
        expect(answer['content-length'].to_i).to eq(answer.body.bytesize)
        expect(JSON.parse(answer.body).dig('product', 'identifier')).to eq('p1')
      end
    end

    it 'has a request id and tells how long it took, as Rails does' do
      answer = ask('get', '/api/health/status')
      expect(answer['x-request-id']).to match(/\A\h{8}-\h{4}-4\h{3}-\h{4}-\h{12}\z/)
      expect(answer['x-runtime']).to match(/\A0\.\d{6}\z/)
      sent = { 'X-Request-Id' => 'a b/c-d@e!' }
      answers = %w[rack controller].map { |door| ask('get', '/api/health/status', nil, sent, door: door) }
      expect(answers.map { |it| it['x-request-id'] }).to eq(%w[abc-d@e abc-d@e])
    end

    it 'logs the address of who sent it through proxies' do
      sent = { 'X-Forwarded-For' => '198.51.100.7, 10.0.0.1' }
      lines = %w[rack controller].map { |door| logged(door) { ask('get', '/api/health/status', nil, sent, door: door) }.first }
      expect(lines).to all(eq('Started GET "/api/health/status" for 198.51.100.7'))
    end

    it 'answers 304 to who has it already' do
      credentials = basic(announced)
      ask('post', '/connect/systems/products', LargeTree.product(1).merge(token: LargeTree::REGCODE), credentials)
      path = "/connect/systems/products?#{URI.encode_www_form(LargeTree.product(1))}"
      etag = ask('get', path, nil, credentials)['etag']
      answers = %w[rack controller].map { |door| ask('get', path, nil, credentials.merge('If-None-Match' => etag), door: door) }
      expect(answers.map(&:code)).to eq(%w[304 304])
      headers = answers.map { |it| headers_of(it) }
      expect(headers.first).to eq(headers.last)
    end

    it 'leaves to Rails what it does not understand for certain' do
      form = { 'Content-Type' => 'application/x-www-form-urlencoded' }
      strange = [['post', '/connect/subscriptions/systems', 'hostname=a', form],
                 ['post', '/connect/subscriptions/systems', '{"hostname":', {}],
                 ['post', '/connect/subscriptions/systems/', { hostname: 'a' }, {}],
                 ['get', '/connect/unknown', nil, {}], ['head', '/api/health/status', nil, {}]]
      answers = %w[rack controller].map do |door|
        answers = strange.map { |method, path, body, headers| ask(method, path, body, headers, door: door) }
        answers.map { |it| [it.code, it.body.to_s.sub(/"id".*/, '')] }
      end
      expect(answers.first).to eq(answers.last)
      expect(answers.first.map(&:first)).to eq(%w[201 400 201 404 200])
    end
  end

  describe 'asked for more' do
    hosts 'rack_debug', 'rack', env: { 'RAILS_LOG_LEVEL' => 'debug' }

    it 'says what it leaves to Rails, and why' do
      lines = logged('rack') do
        ask('post', '/connect/subscriptions/systems', 'hostname=a', { 'Content-Type' => 'application/x-www-form-urlencoded' })
        ask('get', '/connect/systems/products?identifier[]=a')
        ask('get', '/api/health/status')
      end
      expect(lines.grep(/goes on to Rails/)).to eq(
        ['rmt_rs: POST /connect/subscriptions/systems goes on to Rails: another content type',
         'rmt_rs: GET /connect/systems/products goes on to Rails: a strange query']
      )
    end
  end

  describe 'when the database is gone' do
    before(:context) { @mariadb = PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-failing')).start }
    after(:context) { @mariadb&.stop }

    it 'answers 503, health all the same, and recovers; so does a door that was shut at boot' do
      database = @mariadb.database('rack_failing').drop.create.load_sql(SuiteDatabase::STRUCTURE)
      @hosts = { 'rack' => Host.new(database_url: database.url, door: 'rack', workers: 0).start }
      @mariadb.stop
      @hosts['late'] = Host.new(database_url: database.url, door: 'rack', workers: 0).start
      gone = @hosts.keys.map { |door| ask('post', '/connect/subscriptions/systems', { hostname: 'gone' }, door: door) }
      expect(gone).to all(be_refused_with(503, Refusals::UNAVAILABLE))
      expect(@hosts.keys.map { |door| ask('get', '/api/health/status', door: door).code }).to eq(%w[200 200])
      @mariadb.start
      @hosts.each_key do |door|
        back = Processes.wait_until(20, pause: 0.1) do
          ask('post', '/connect/subscriptions/systems', {}, door: door).code == '201'
        end
        expect(back).to be(true), door
      end
      lines = logged('late') { ask('get', '/api/health/status', door: 'late') }
      expect(lines).to include('Started GET "/api/health/status" for 127.0.0.1')
      expect(File.read(@hosts['late'].log)).to include('rmt_rs: the rack door answers announce, update')
    ensure
      @hosts&.each_value(&:stop)
    end
  end

  describe 'next to a middleware it does not know' do
    hosts 'rack_middleware', 'rack', engines: ['unknown_middleware']

    it 'stands behind it, and says so' do
      expect(File.read(@hosts['rack'].log))
        .to match(/rack door answers announce.*, at the end of the stack; why not more: UnknownMiddleware is not known$/)
      answer = nil
      lines = logged('rack') { answer = ask('post', '/connect/subscriptions/systems', { hostname: 'behind' }) }
      expect([answer.code, answer['x-passed']]).to eq(%w[201 yes])
      expect(answer['x-request-id'].to_s.length).to eq(36)
      expect(lines.grep(/Started/).size).to eq(1)
    end
  end

  describe 'with a middleware behind it that it does not know' do
    hosts 'rack_middleware_last', 'rack', engines: ['unknown_middleware'], env: { 'UNKNOWN_IS_LAST' => '1' }

    it 'answers nothing, and says so' do
      expect(File.read(@hosts['rack'].log)).to match(/rack door answers nothing; why not more: UnknownMiddleware is not known$/)
      answer = ask('post', '/connect/subscriptions/systems', { hostname: 'before' })
      expect([answer.code, answer['x-passed']]).to eq(%w[201 yes])
    end
  end

  describe 'next to engines with callbacks' do
    hosts 'rack_neighbour', 'rack', engines: ['neighbour']

    it 'leaves to Rails what they change, and says why' do
      log = File.read(@hosts['rack'].log)
      expect(log).to match(/rack door answers service, installer, health, at the front of the stack; why not more: announce \(/)
      lines = logged('rack') { announced }
      expect(lines).to include(/^shared \* \d+/)
    end
  end

  describe 'next to who listens to events' do
    hosts 'rack_listens', 'rack', engines: ['listens']

    it 'tells what Rails would' do
      lines = logged('rack') { announced }
      heard = lines.find { |it| it.start_with?('heard the start of') }
      expect(JSON.parse(heard.delete_prefix('heard the start of '))).to eq(
        'controller' => 'Api::Connect::V4::Subscriptions::SystemsController', 'action' => 'announce_system', 'format' => 'json',
        'method' => 'POST', 'path' => '/connect/subscriptions/systems',
        'params' => { 'hostname' => 'web01', 'hwinfo' => { 'cpus' => 2 }, 'system' => { 'hostname' => 'web01' },
                      'format' => 'json', 'controller' => 'api/connect/v4/subscriptions/systems',
                      'action' => 'announce_system' }
      )
      expect(lines).to include('heard the end of announce_system: 201 application/json true true')
    end
  end
end
