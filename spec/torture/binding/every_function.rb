# frozen_string_literal: true

require 'json'
require 'uri'
require 'rmt_rs'
require_relative '../../support/large_tree'

# Calls every function of the native library, with good arguments and bad ones, and ends with a word on each that it has not
# called, or that does what it must not. What is held over from call to call is used again after the collector had its way.
# A program:
#
#   ruby -I lib spec/torture/binding/every_function.rb plain|stress|compact ROUNDS < configuration.json
#
# The database has the tables of RMT and {LargeTree}.
class EveryFunction
  BASE = LargeTree.product(1)
  MODULE = LargeTree.product(2)
  USER_AGENT = 'SUSEConnect/1.21.0'
  SETTINGS = { 'operations' => %w[announce authenticate update deregister show activate upgrade destroy synchronize activations
                                  service installer subscription_products health],
               'tokens_enabled' => true, 'appearance' => RmtRs.appearance }.freeze
  # Functions that are Ruby's, not the library's.
  RUBY = %i[load! library].freeze
  private_constant :BASE, :MODULE, :USER_AGENT, :SETTINGS, :RUBY

  # @param configuration [String] as {RmtRs::Native.configure} takes it
  # @param mode [String] what the collector does meanwhile: `plain`, `stress` or `compact`
  def initialize(configuration, mode)
    @configuration = configuration
    @mode = mode
    @called = {}
    @searching = {}
  end

  # @return [Array<String>] what is wrong with functions
  def run(rounds)
    rounds.times { round }
    (functions - @called.keys).map { |name| "#{name} was not called" } +
      @searching.keys.map { |name| "#{name} looks for a class" }
  end

  private

  def functions
    own = RmtRs::Native.singleton_methods(false) - RUBY
    classes = RmtRs::Native.constants.map { |name| RmtRs::Native.const_get(name) }.grep(Class)
    own.map { |name| "Module##{name}" } +
      classes.flat_map { |type| type.instance_methods(false).map { |name| "#{type}##{name}" } } +
      classes.select { |type| type.singleton_methods(false).include?(:new) }.map { 'Class#new' }.uniq
  end

  def round
    native(:configure, @configuration)
    native(:reach)
    expect(native(:health) == '{"state":"online"}')
    register
    keep
    read
    serve
    hash_passwords
    measure
    refuse
    native(:shut_down)
  end

  # Calls a function, during which the collector is as busy as it can be.
  def native(name, *arguments, on: RmtRs::Native)
    function = "#{on.class}##{name}"
    @called[function] = true
    GC.stress = true if @mode == 'stress'
    result = watched(function) { on.public_send(name, *arguments) }
    GC.stress = false
    GC.verify_compaction_references(double_heap: true, toward: :empty) if @mode == 'compact'
    result
  ensure
    GC.stress = false
  end

  # A class of the library's that is looked for when an object of it is made is looked for behind a lock, by Ruby, which may
  # let another thread have its turn: that one can wait for the lock for ever.
  def watched(name, &)
    search = TracePoint.new(:c_call) { |point| @searching[name] = true if point.method_id == :const_get }
    search.enable(&)
  end

  def expect(truth)
    truth || raise("wrong at #{caller(1, 1).first}")
  end

  def json(value)
    JSON.generate(value)
  end

  def who(token: '', later: true, password: @password, agent: USER_AGENT)
    [@login, password, true, token, agent, true, false, later]
  end

  def register
    profiles = { pci_data: { identifier: 'aaaa', data: 'Slot 00' } }
    announced = native(:announce, json(hostname: 'web01', hwinfo: { cpus: 2, text: 'ä' * 500 }, system_profiles: profiles))
    @id, @login, @password = announced
    expect(announced.last.include?(@login))
    @look = native(:look, json(base_url: 'http://rmt.example.com', appearance: RmtRs.appearance))
    activate(BASE, '')
    activate(MODULE, @system.token)
    act('upgrade', MODULE)
  end

  def activate(product, token)
    act('activate', product, check: ['activate', who(token: token), nil])
  end

  def act(action, product, check: [action, who(token: @system&.token), nil])
    checked, recognised = native(:check, *check, json(product.merge('token' => LargeTree::REGCODE)))
    system, note = recognised
    look_into(checked)
    acted = native(:act, action, checked, [system, note, true], checked.subscription_id, @look)
    @system = acted.first
    expect(acted.last.include?('Product'))
  end

  def look_into(checked)
    expect(native(:passed?, 'require_product', on: checked))
    expect(native(:failure, 'require_product', on: checked).nil?)
    expect(JSON.parse(native(:product, on: checked))['id'] == native(:product_id, on: checked))
    native(:subscription, on: checked)
    native(:subscription_id, on: checked)
  end

  def keep
    expect(native(:id, on: @system) == @id)
    columns = JSON.parse(native(:columns, on: @system))
    expect(columns['login'] == @login)
    again = native(:system, json(columns))
    # Another program is something to be noted.
    recognised = native(:authenticate, who(token: native(:token, on: again), agent: 'SUSEConnect/1.22.0'))
    native(:note, recognised[1])
    said = json(hostname: 'web02', hwinfo: { cpus: 3 }, online_at: ['2026-11-28:1'])
    @system, = native(:update, [recognised.first, nil, true], said)
    @system, = native(:synchronize, [@system, nil, true], json(products: [BASE, MODULE]), @look)
    act('destroy', MODULE)
  end

  def read
    checked, = native(:check, 'show', who(token: @system.token), nil, json(BASE))
    expect(native(:show, checked, @look).include?('"identifier":"p2"'))
    expect(native(:activations, @id, @look).include?('Product 1'))
    expect(native(:service, 1, @look).include?('<repoindex'))
    expect(native(:service, 4711, @look).nil?)
    native(:legacy_service, @id, @look)
    native(:installer, json(BASE), @look)
    subscription = JSON.parse(native(:subscription, LargeTree::REGCODE))
    expect(native(:subscription_products, subscription['id'], json({}), @look).include?('Product 1'))
  end

  # Requests as a middleware has them.
  def serve
    settings = native(:new, json(SETTINGS), on: RmtRs::Native::Settings)
    requests.each do |expected, environment, body|
      environment['CONTENT_LENGTH'] = body.bytesize.to_s unless body.empty?
      understand = -> { native(:understand, settings, environment.values_at(*RmtRs::Native::PARTS), body.b) }
      understood = understand.call
      next expect(expected == String) if understood.is_a?(String)

      rehearse(settings, understand.call, expected)
      %i[operation controller action format id machine].each { |part| native(part, on: understood) }
      answer = native(:serve, settings, understood)
      expect(answer.is_a?(Array) && answer.first == expected)
    end
  end

  def rehearse(settings, understood, expected)
    answer, login, ids, rows = native(:rehearse, settings, understood)
    expect(answer.first == expected)
    expect(JSON.parse(rows).key?('systems') && native(:rows, login, ids)) if login
  end

  def hash_passwords
    stored = native(:password_to_store, @login, @password)
    expect(native(:compare_passwords, @login, @password, [stored, 'none']).size == 2)
    expect(native(:count_passwords, 0) && native(:convert_passwords, 0) && native(:hashes_computed))
  end

  def measure
    expect(native(:take_timings).size == 7)
    expect(native(:gauges).any? && native(:session_variables).any?)
    native(:listen, '127.0.0.1:0')
  end

  def requests
    credentials = "Basic #{["#{@login}:#{@password}"].pack('m0')}"
    own = { 'HTTP_AUTHORIZATION' => credentials, 'HTTP_SYSTEM_TOKEN' => @system.token }
    [[201, request('POST', '/connect/subscriptions/systems'), json(hostname: 'web03', hwinfo: {})],
     [200, request('GET', '/connect/systems/products', **own, 'QUERY_STRING' => URI.encode_www_form(BASE)), ''],
     [401, request('GET', '/connect/systems/activations'), ''],
     [200, request('GET', '/services/1/repo/repoindex.xml'), ''],
     [200, request('GET', '/api/health/status'), ''],
     [String, request('POST', '/connect/subscriptions/systems'), '{"hostname":'],
     [String, request('GET', '/connect/nothing'), ''],
     [204, request('DELETE', '/connect/systems', **own), '']]
  end

  def request(method, path, **more)
    { 'REQUEST_METHOD' => method, 'PATH_INFO' => path, 'QUERY_STRING' => '', 'SCRIPT_NAME' => '',
      'HTTP_HOST' => 'rmt.example.com', 'SERVER_NAME' => 'rmt.example.com', 'SERVER_PORT' => '80', 'REMOTE_ADDR' => '127.0.0.1',
      'CONTENT_TYPE' => 'application/json', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'HTTP_VERSION' => 'HTTP/1.1',
      'rack.url_scheme' => 'http', **more.transform_keys(&:to_s) }
  end

  def refuse
    refused(RmtRs::InternalError) { native(:system, '{') }
    refused(RmtRs::InternalError) { native(:look, '[]') }
    refused(RmtRs::InternalError) { native(:new, '{', on: RmtRs::Native::Settings) }
    refused(RmtRs::BadInput) { native(:announce, json(hostname: 'x' * 300)) }
    refused(RmtRs::RmtError) { native(:authenticate, who(password: 'wrong')) }
    refused(TypeError) { native(:announce, nil) }
    refused(TypeError) { native(:deregister, Object.new) }
    announced = native(:announce, json({}))
    @id, @login, @password = announced
    system, = native(:authenticate, who(later: false))
    native(:deregister, system)
  end

  def refused(error)
    yield
    raise "nothing was refused at #{caller(1, 1).first}"
  rescue error
    nil
  end
end

mode, rounds = ARGV
RmtRs::Native.load!
wrong = EveryFunction.new($stdin.read, mode).run(Integer(rounds))
abort wrong.join(', ') if wrong.any?
puts "#{rounds} rounds"
