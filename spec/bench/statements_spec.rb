# frozen_string_literal: true

require 'json'
require 'net/http'
require_relative '../../bench/measurement'
require_relative '../support/large_tree'

# What a registration asks of the database, as the server counts it: through Puma and Rails,
# queries of theirs included.
RSpec.describe 'The statements of a registration' do
  before(:context) do
    @database = SuiteDatabase.fresh('statements')
    @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
    @database.install_triggers
    @host = Host.new(database_url: @database.url, door: 'controller', workers: 1, threads: 1).start
    # The first time connections are opened, statements prepared, and the catalog is read.
    register
    @counts = fewest(Array.new(5) { register })
  end

  after(:context) { @host&.stop }

  def request(method, path, body)
    uri = URI("#{@host.url}#{path}")
    request = Net::HTTP.const_get(method).new(uri, 'Content-Type' => 'application/json', 'User-Agent' => 'suseconnect-ng/1')
    request.basic_auth(@credentials['login'], @credentials['password']) if @credentials
    request['System-Token'] = @token.to_s
    request.body = JSON.generate(body)
    answer = Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
    raise "#{method} #{path}: #{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPSuccess)

    @token = answer['System-Token'] if answer['System-Token']
    answer
  end

  # @return [Array(Integer, Integer)] statements and commits that wrote
  def counted(&)
    spent = Measurement.of(@host, @database, &)
    [spent.statements, spent.commits]
  end

  def activate(number)
    request('Post', '/connect/systems/products', LargeTree.product(number).merge('token' => LargeTree::REGCODE))
  end

  # As a client registers: every request's token is the one it was given last.
  def register
    @credentials = @token = nil
    counts = {
      'announce' => counted do
        answer = request('Post', '/connect/subscriptions/systems', { hostname: 'web01', hwinfo: { cpus: 2 } })
        @credentials = JSON.parse(answer.body)
      end,
      'activate' => counted { activate(1) },
      'show' => counted { request('Get', '/connect/systems/products', LargeTree.product(1)) }
    }
    (2..4).each { |number| counts["activate module #{number}"] = counted { activate(number) } }
    counts['update'] = counted do
      request('Put', '/connect/systems', { hostname: 'web01', hwinfo: { cpus: 4 }, online_at: ["2026-11-20:#{'1' * 24}"] })
    end
    counts['update alone'] = counted { request('Put', '/connect/systems', { hostname: 'web02', hwinfo: { cpus: 8 } }) }
    counts
  end

  # A request that comes in another second than the one before it writes when the system was seen, and the server counts
  # what others ask of it, too. Neither happens each time.
  def fewest(registrations)
    registrations.first.keys.to_h { |request| [request, registrations.map { |counts| counts[request] }.transpose.map(&:min)] }
  end

  it 'are few for each request' do
    most = { 'announce' => 1, 'activate' => 5, 'show' => 1, 'activate module 2' => 5, 'activate module 3' => 5,
             'activate module 4' => 5, 'update' => 5, 'update alone' => 2 }
    expect(@counts.transform_values(&:first)).to match(most.transform_values { |limit| be <= limit })
    activations = Array.new(3) { counted { request('Get', '/connect/systems/activations', {}) }.first }
    expect(activations.min).to be <= 6
  end

  it 'are few for all of it, and few of them write' do
    expect(@counts.values.sum(&:first)).to be_between(7, 29), @counts.inspect
    expect(@counts.values.sum(&:last)).to be_between(6, 10), @counts.inspect
  end
end
