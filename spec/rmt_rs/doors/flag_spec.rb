# frozen_string_literal: true

require 'json'
require 'net/http'
require 'tmpdir'
require 'yaml'
require 'rmt_rs'
require_relative '../../support/large_tree'

# What the operator wants, and changes while the host app serves requests. Who has stored an announcement is told by its
# statement: only Rust prepares it.
RSpec.describe 'The flag' do
  SECRET = 'a-secret-of-enough-characters' # rubocop:disable Lint/ConstantDefinitionInBlock

  before(:context) do
    @directory = Dir.mktmpdir
    @settings = File.join(@directory, 'rmt.conf')
    @database = SuiteDatabase.fresh('flag')
    @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
  end

  after(:context) { FileUtils.rm_rf(@directory) }

  def set(**settings)
    File.write("#{@settings}.new", YAML.dump('rmt_rs' => settings.transform_keys(&:to_s).transform_values do |value|
      value.is_a?(Hash) ? value.transform_keys(&:to_s) : value
    end))
    File.rename("#{@settings}.new", @settings)
  end

  def with_host(**settings)
    set(**settings)
    # The door is the settings' business.
    host = Host.new(database_url: @database.url, door: '', workers: 0, env: { 'HOST_APP_SETTINGS' => @settings }).start
    @host = host
    yield
  ensure
    host&.stop
  end

  def ask(method, path, body = nil, headers = {})
    uri = URI(@host.url)
    all = { 'Content-Type' => 'application/json', 'Accept' => 'application/json' }.merge(headers)
    request = Net::HTTP.const_get(method.capitalize).new(path, all)
    request.body = JSON.generate(body) if body
    Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.request(request) }
  end

  def announced_by(hostname = 'web01', headers = {})
    before = prepared_statements
    expect(ask('post', '/connect/subscriptions/systems', { hostname: hostname }, headers).code).to eq('201')
    prepared_statements == before ? :ruby : :rust
  end

  def prepared_statements
    @database.with_client { |sql| sql.query("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").first['Value'].to_i }
  end

  def eventually
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
    sleep 0.1 until (value = yield) || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    value
  end

  it 'ends a shadow of all requests' do
    with_host(door: 'rack', shadow: 100) do
      announced_by
      set(door: 'rack')
      expect(eventually { announced_by && File.read(@host.log).include?('shadow: 100.0 is now 0.0') }).to be(true)
    end
  end

  %w[controller rack].each do |door|
    it "is followed by the #{door} door, and by a change of the settings at once" do
      with_host(door: door, override_secret: SECRET) do
        expect(announced_by).to eq(:rust)
        expect(announced_by('web01', 'X-Rmt-Rs' => "ruby #{SECRET}")).to eq(:ruby)
        set(door: door, endpoints: { announce: false })
        expect(eventually { announced_by == :ruby }).to be(true)
        set(door: door, percentage: 50)
        inside, outside = %w[a b c d e f].partition { |name| RmtRs::Flag.place_of(name) < 50 }.map(&:first)
        expect(eventually { announced_by(inside) == :rust }).to be(true)
        expect(announced_by(outside)).to eq(:ruby)
        set(door: 'off')
        expect(eventually { announced_by(inside) == :ruby }).to be(true)
        set(door: door, percentage: 'nonsense')
        refused = 'are left as they were: rmt_rs: percentage: "nonsense" is not allowed'
        expect(eventually { announced_by(inside) == :ruby && File.read(@host.log).include?(refused) }).to be(true)
        set(door: door)
        expect(eventually { announced_by == :rust }).to be(true)
      end
      log = File.read(@host.log)
      expect(log).to include('rmt_rs: the settings were read again: endpoints: all on is now announce off',
                             "door: #{door} is now off", "door: off is now #{door}")
      expect(log).not_to include(SECRET)
    end
  end
end
