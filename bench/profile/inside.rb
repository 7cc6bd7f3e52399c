# frozen_string_literal: true

# Runs inside the application (`rails runner`), in one process and without a web server: performs registrations by
# calling it as Rack does, and writes down what they cost. bench/profile.rb starts it and says what it is to do.

require 'json'
require 'rack/mock'
require_relative 'layers'

# A client that calls the application itself.
class Client
  # As SUSEConnect sends them.
  HEADERS = { 'CONTENT_TYPE' => 'application/json', 'HTTP_ACCEPT' => 'application/json,application/vnd.scc.suse.com.v4+json',
              'HTTP_USER_AGENT' => 'SUSEConnect/1.21.0', 'HTTP_HOST' => 'rmt.example.com' }.freeze
  # What it costs, by endpoint.
  Cost = Struct.new(:requests, :process, :thread, :objects)

  # @return [Hash{String => Cost}]
  attr_reader :costs

  # @param product [Hash] identifier, version and arch of a base product
  # @param regcode [String]
  def initialize(product, regcode)
    @application = Rails.application
    @product = product
    @regcode = regcode
    @costs = {}
  end

  # Announce, activate, show, activate what is recommended, update.
  #
  # @return [void]
  def register
    @authorization = nil
    @token = ''
    information = { hostname: 'instance-1', hwinfo: { cpus: 4, sockets: 1, hypervisor: 'KVM', arch: @product['arch'],
                                                      uuid: '00000000-0000-4000-8000-000000000001', mem_total: 16_384 } }
    credentials = JSON.parse(ask('announce', 'POST', '/connect/subscriptions/systems', information, 201))
    @authorization = "Basic #{["#{credentials['login']}:#{credentials['password']}"].pack('m0')}"
    activate('activate', @product)
    tree = ask('show', 'GET', '/connect/systems/products', @product, 200)
    @extensions ||= recommended(JSON.parse(tree))
    @extensions.each { |extension| activate('activate-module', extension) }
    ask('update', 'PUT', '/connect/systems', information, 204)
  end

  # A Rails action that touches no database.
  #
  # @return [void]
  def health
    ask('health', 'GET', '/api/health/status', nil, 200)
  end

  private

  def activate(endpoint, product)
    ask(endpoint, 'POST', '/connect/systems/products', product.merge('token' => @regcode), 201)
  end

  def recommended(tree)
    tree['extensions'].select { |it| it['recommended'] && it['available'] }
                      .flat_map { |it| [it.slice('identifier', 'version', 'arch'), *recommended(it)] }
  end

  def ask(endpoint, method, path, body, status)
    environment = Rack::MockRequest.env_for(path, method: method, input: body && JSON.generate(body)).merge(HEADERS)
    environment.delete('CONTENT_TYPE') unless body
    environment['HTTP_AUTHORIZATION'] = @authorization if @authorization
    environment['HTTP_SYSTEM_TOKEN'] = @token if @authorization
    answer = +''
    got, headers, = metered(endpoint) { @application.call(environment).tap { |it| drain(it.last, answer) } }
    raise "#{endpoint}: #{got} instead of #{status}: #{answer[0, 300]}" unless got == status

    @token = headers['System-Token'] || @token
    answer
  end

  def drain(body, answer)
    body.each { |part| answer << part }
  ensure
    body.close if body.respond_to?(:close)
  end

  def metered(endpoint)
    before = meters
    yield
  ensure
    spent = meters.zip(before).map { |now, past| now - past }
    cost = @costs[endpoint] ||= Cost.new(0, 0.0, 0.0, 0)
    [1, *spent].each_with_index { |value, index| cost[index] += value }
  end

  def meters
    [Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :float_millisecond),
     Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID, :float_millisecond), GC.stat(:total_allocated_objects)]
  end
end

order = JSON.parse(ENV.fetch('PROFILE_ORDER'))
client = Client.new(order['product'], order['regcode'])
order['warmup'].times { client.register && client.health }
rounds = Array.new(order['rounds']) do
  GC.start
  client.costs.clear
  order['registrations'].times { client.register }
  order['registrations'].times { client.health }
  client.costs.transform_values(&:to_h)
end
order['load_paths'].each { |path| $LOAD_PATH.unshift(path) }
require 'stackprof'
# The kernel's clock ticks slowly (250 or 100 times a second), so it takes a while until there are samples enough.
cpu = StackProf.run(mode: :cpu, interval: 1000, raw: true) do
  ending = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) + order['seconds']
  client.register while Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) < ending
end
# Every hundredth object that is made.
objects = StackProf.run(mode: :object, interval: 100, raw: true) { order['registrations'].times { client.register } }
library = defined?(RmtRs) ? File.dirname(RmtRs.method(:count).source_location.first) : __dir__
layers = Layers.new(library)
counters = defined?(RmtRs) ? RmtRs.counters.transform_keys { |key| key.join(' ') } : {}
File.write(order['out'], JSON.generate(rounds: rounds, samples: layers.count(cpu), objects: layers.count(objects),
                                       own: [layers.own_methods(cpu), layers.own_methods(objects)], counters: counters))
