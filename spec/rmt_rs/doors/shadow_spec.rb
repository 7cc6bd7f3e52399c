# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'
require 'rmt_rs/shadow'
require_relative '../../support/large_tree'

# Requests that Ruby answers and Rust rehearses, in the host app.
RSpec.describe 'Shadow mode' do
  ledgers = File.expand_path('../../host_app/tmp/rmt_rs/shadow', __dir__)

  def self.host(name, **options)
    before(:context) do
      @database = SuiteDatabase.fresh(name)
      @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
      @database.install_triggers
      FileUtils.rm_rf(File.expand_path('../../host_app/tmp/rmt_rs', __dir__))
      @host = Host.new(database_url: @database.url, workers: 0, env: { 'RMT_RS_SHADOW' => '100' }, **options).start
    end
    after(:context) { @host&.stop }
  end

  def ask(method, path, body = nil, headers = {})
    uri = URI(@host.url)
    all = { 'Content-Type' => 'application/json', 'Accept' => 'application/json', 'User-Agent' => 'suseconnect-ng/1' }
    request = Net::HTTP.const_get(method.capitalize).new(path, all.merge(headers))
    request.basic_auth(*@credentials) if @credentials
    request['System-Token'] = @token if @token
    request.body = JSON.generate(body) if body
    answer = Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
    @token = answer['System-Token'] if answer['System-Token']
    answer.code.to_i
  end

  def announce
    @credentials = @token = nil
    uri = URI("#{@host.url}/connect/subscriptions/systems")
    profiles = { pci_data: { identifier: 'abc', data: 'pci' } }
    body = JSON.generate(hostname: 'web01', hwinfo: { cpus: 2, tag: '<a>' }, system_profiles: profiles)
    answer = Net::HTTP.post(uri, body, 'Content-Type' => 'application/json')
    expect(answer.code).to eq('201')
    @token = ''
    @credentials = JSON.parse(answer.body).values_at('login', 'password')
  end

  def activate(number)
    ask('post', '/connect/systems/products', LargeTree.product(number).merge(token: LargeTree::REGCODE))
  end

  def count(table)
    @database.with_client { |sql| sql.query("SELECT COUNT(*) AS n FROM #{table}").first['n'] }
  end

  # The counts of all that has ended by now.
  def report(ledgers)
    @host.stop
    RmtRs::Shadow::Ledger.report(ledgers)
  end

  # As far as the host app's Ruby does what RMT's does.
  describe 'where both do the same' do
    host 'shadow', door: 'rack'

    it 'finds no difference, and stores everything once' do
      3.times { announce }
      expect(ask('post', '/connect/systems/products', { identifier: 'none', version: '1', arch: 'x86_64' })).to eq(422)
      expect(ask('delete', '/connect/systems')).to eq(204)
      expect(ask('get', '/connect/systems/activations')).to eq(401)
      expect([count('systems'), count('system_profiles')]).to eq([2, 2])
      result = report(ledgers)
      expect(result.differences.keys.grep(/announce|activations|deregister: number of rows in systems/)).to be_empty
      expect(result.compared).to include('announce' => 3, 'activate' => 1, 'deregister' => 1, 'activations' => 1)
      expect(result.skipped.keys).to all(start_with('health', 'rack'))
    end
  end

  # That one keeps no uptimes.
  describe 'where Ruby does otherwise' do
    host 'shadow_differs', door: 'controller'

    it 'says what, in the log too, shows no secret, and what Ruby has done counts' do
      announce
      expect(activate(1)).to eq(201)
      uptimes = ["2026-11-20:#{'1' * 24}", '2026-11-21:1']
      expect(ask('put', '/connect/systems', { hostname: 'web02', online_at: uptimes })).to eq(204)
      expect([count('systems'), count('activations'), count('system_uptimes')]).to eq([1, 1, 0])
      result = report(ledgers)
      expect(result.differences).to include('update: number of rows in system_uptimes' => 1, 'activate: keys of body' => 1)
      log = File.read(@host.log)
      expect(log).to match(/rmt_rs: shadow: update differs: .*number of rows in system_uptimes \(Rust 2, Ruby 0\)/)
      expect(log).not_to include(@credentials.last)
    end
  end
end
