# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'
require_relative '../support/large_tree'

# What who listens is told of each request, in a host app under Puma.
RSpec.describe RmtRs::Occurrence do
  before(:context) do
    @database = SuiteDatabase.fresh('occurrence').install_triggers
    @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
    @hosts = %w[rack controller].to_h do |door|
      [door, Host.new(database_url: @database.url, door: door, workers: 0, engines: ['observes']).start]
    end
  end

  after(:context) { @hosts&.each_value(&:stop) }

  def ask(door, method, path, body = nil, headers = {})
    host = URI(@hosts.fetch(door).url)
    request = Net::HTTP.const_get(method.capitalize).new(path, { 'Content-Type' => 'application/json' }.merge(headers))
    request.body = body.is_a?(String) ? body : JSON.generate(body) if body
    Net::HTTP.start(host.host, host.port, read_timeout: 30) { |http| http.request(request) }
  end

  # What the observer has heard during the block.
  def observed(door)
    log = @hosts.fetch(door).log
    written = File.size(log)
    yield
    File.read(log).byteslice(written..).scan(/observed (.*)$/).flatten.map { |line| JSON.parse(line, symbolize_names: true) }
  end

  def announced(door)
    answer = JSON.parse(ask(door, 'post', '/connect/subscriptions/systems', { hostname: 'h' }).body)
    { 'Authorization' => "Basic #{[answer.values_at('login', 'password').join(':')].pack('m0')}" }
  end

  %w[rack controller].each do |door|
    describe "at the #{door} door" do
      it 'tells what an announcement has taken' do
        events = observed(door) { announced(door) }
        expect(events).to match([hash_including(event: 'operation', operation: 'announce', door: door, outcome: 'rust',
                                                status: 201, retries: 0, fallbacks: 0, hits: 0, misses: 0, together: 1)])
        event = events.first
        expect(event[:request_id]).to match(/\A[\h-]{36}\z/)
        expect(event[:queue]).to be_between(0, event[:duration]).exclusive
        expect(event[:database]).to be_between(0, event[:duration]).exclusive
        expect(event[:gauges]).to include(pool_size: 7, pool_busy: 0, pool_waiting: 0, catalog_bytes: be_an(Integer))
        expect(event[:gauges][:pool_open]).to be_between(1, 7)
      end

      it 'tells what was remembered, and what was read and rendered' do
        credentials = announced(door)
        activation = LargeTree.product(1).merge(token: LargeTree::REGCODE)
        ask(door, 'post', '/connect/systems/products', activation, credentials)
        events = observed(door) do
          2.times { ask(door, 'post', '/connect/systems/products', LargeTree.product(2), credentials) }
          ask(door, 'get', '/connect/systems/activations', nil, credentials)
        end
        expect(events.map { |it| it.values_at(:operation, :outcome, :status) })
          .to eq([['activate', 'rust', 201], ['activate', 'rust', 201], ['activations', 'rust', 200]])
        expect(events.map { |it| it[:hits] + it[:misses] }).to eq([1, 1, 2])
        expect(events[1..].map { |it| it[:hits] }).to eq([1, 2])
        expect(events.map { |it| it[:render] }).to all(be_positive)
        expect(events.last[:gauges]).to include(catalog_bytes: be_positive, catalog_hits: be >= 3)
      end

      it 'tells what was refused' do
        credentials = announced(door)
        events = observed(door) do
          ask(door, 'post', '/connect/systems/products', { identifier: 'x', version: '1', arch: 'a' }, credentials)
          ask(door, 'get', '/connect/systems/activations', nil, { 'Authorization' => 'Basic bm9ib2R5OnNlY3JldA==' })
          ask(door, 'get', '/connect/systems/activations')
        end
        expect(events.map { |it| it.values_at(:operation, :outcome, :status) })
          .to eq([['activate', 'refused', 422], ['activations', 'refused', 401], ['activations', 'refused', 401]])
      end
    end
  end

  it 'tells what Ruby answers in the place of Rust' do
    events = observed('controller') { ask('controller', 'post', '/connect/subscriptions/systems', { hostname: ['a'] }) }
    expect(events).to match([hash_including(operation: 'announce', outcome: 'fallback', fallbacks: 1)])
  end

  it 'tells what the rack door leaves to Rails, and why, and who answers then' do
    events = observed('rack') do
      ask('rack', 'post', '/connect/subscriptions/systems', 'hostname=a', 'Content-Type' => 'application/x-www-form-urlencoded')
      ask('rack', 'post', '/connect/subscriptions/systems', { hostname: ['a'] })
    end
    expect(events.map { |it| it.values_at(:event, :door, :outcome, :reason).compact }).to eq(
      [['pass', 'another content type'], %w[operation controller rust], %w[operation rack passed],
       ['pass', 'parameters that only Rails understands'], %w[operation controller fallback]]
    )
  end

  it 'tells of what is left to Ruby from the start' do
    host = Host.new(database_url: @database.url, door: 'controller', workers: 0, engines: %w[observes replaces_announce]).start
    @hosts['left'] = host
    events = observed('left') { ask('left', 'post', '/connect/subscriptions/systems', { hostname: 'a' }) }
    expect(events).to match([hash_including(operation: 'announce', door: 'rails', outcome: 'ruby', queue: 0, gauges: nil)])
  end

  it 'is none where nobody listens' do
    expect { |block| described_class.of(:announce, :rack, nil, &block) }.to yield_with_no_args
    expect(described_class.current).to be_nil
  end

  it 'has the request named in each line of the log that RMT would not write' do
    %w[rack controller].each do |door|
      log = @hosts.fetch(door).log
      written = File.size(log)
      answer = ask(door, 'post', '/connect/systems/products', { identifier: 'x' }, announced(door))
      lines = File.read(log).byteslice(written..).lines(chomp: true).grep(/rmt_rs: activate refused/)
      expect(lines).to contain_exactly(/ request_id=#{answer['x-request-id']}\z/)
    end
  end
end
