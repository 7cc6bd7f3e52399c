# frozen_string_literal: true

require 'json'
require 'uri'
require_relative '../conformance/conversation'
require_relative 'generator/chance'
require_relative 'generator/contents'
require_relative 'generator/oddities'

module Property
  # Makes up conversations: machines that announce themselves, activate products, upgrade, keep alive and
  # leave, in any order, with right and wrong tokens, products and registration codes. The same seed gives
  # the same conversation.
  #
  # A conversation has the form of the recorded ones (spec/conformance/README.md), and besides: a step may
  # have `sql` instead of a request, for what happens elsewhere; a variable that nobody has saved is empty;
  # `{{swapcase:x}}` is x in the other case.
  #
  # @example
  #   Property::Generator.new(7).conversation.steps.first['request']['path'] # => "/connect/subscriptions/systems"
  class Generator
    include Chance
    include Contents

    # Everything a conversation can be about.
    OPERATIONS = %i[announce update deregister activations service activate show upgrade destroy synchronize].freeze

    # How often what is asked for.
    WEIGHTS = { announce: 5, update: 14, deregister: 4, activations: 8, service: 5,
                activate: 26, show: 12, upgrade: 9, destroy: 9, synchronize: 6 }.freeze

    STEPS = (2..12)
    # One conversation in so many has oddities in it: numbers, arrays and the like for texts.
    ODD_ONES = 3

    # Where machines start in that list.
    STARTS = [0, 0, 0, 7, 9, 13, 16, 17].freeze

    USER_AGENTS = ['SUSEConnect/1.21.0', 'SUSEConnect/1.21.0', 'SUSEConnect/1.22.0', 'ZYpp 17.31.31', 'zypp', ''].freeze
    V4 = 'application/json,application/vnd.scc.suse.com.v4+json'
    V3 = 'application/json,application/vnd.scc.suse.com.v3+json'

    TOKENS = %w[invented-1 INVENTED-1 9d0c6c4b-6d12-4a42-9d1d-5a1f10b1a111].freeze

    HOUR_PASSES = {
      'why' => 'an hour passes',
      'sql' => ['UPDATE systems SET registered_at = registered_at - INTERVAL 1 HOUR, ' \
                'last_seen_at = last_seen_at - INTERVAL 1 HOUR, created_at = created_at - INTERVAL 1 HOUR, ' \
                'updated_at = updated_at - INTERVAL 1 HOUR, scc_registered_at = scc_registered_at - INTERVAL 1 HOUR',
                'UPDATE activations SET created_at = created_at - INTERVAL 1 HOUR, updated_at = updated_at - INTERVAL 1 HOUR']
    }.freeze
    SCC_HEARS = {
      'why' => 'SCC is told of all systems',
      'sql' => ['SET @last = (SELECT COALESCE(MAX(scc_system_id), 4000) FROM systems)',
                'UPDATE systems SET scc_registered_at = UTC_TIMESTAMP(), ' \
                'scc_system_id = COALESCE(scc_system_id, @last := @last + 1) ORDER BY id']
    }.freeze
    MIRRORED = 'UPDATE repositories SET mirroring_enabled = 1 WHERE id = 105'
    ELSEWHERE = [
      HOUR_PASSES, HOUR_PASSES, SCC_HEARS, SCC_HEARS,
      { 'why' => 'a repository of SLES 15 SP7 is no longer mirrored', 'sql' => [MIRRORED.sub('= 1', '= 0')] },
      { 'why' => 'it is again', 'sql' => [MIRRORED] }
    ].freeze

    # A machine: in which variables its credentials and tokens are, where in {PRODUCTS} it is, and which
    # of them it has asked for.
    Machine = Struct.new(:login, :password, :token, :older_token, :next_product, :products)

    # @param seed [Integer]
    # @param operations [Array<Symbol>] of {OPERATIONS}, what to ask for
    def initialize(seed, operations: OPERATIONS)
      @seed = seed
      @random = Random.new(seed)
      @weights = WEIGHTS.slice(*operations)
    end

    # @return [Conformance::Case]
    def conversation
      @machines = []
      @oddities = one_in?(ODD_ONES) ? Oddities.new(@random) : nil
      steps = [announced]
      steps += Array.new(@random.rand(5)) { registering } if @weights.key?(:activate) && !one_in?(3)
      steps += Array.new(@random.rand(STEPS)) { step }
      Conformance::Case.new(name: "seed #{@seed}", why: 'made up', given: [MIRRORED], steps: steps)
    end

    private

    # What a machine does that registers as it should.
    def registering
      machine = @machines.last
      asked = { **planned(machine), 'basic' => basic(machine) }
      asked['headers'] = { 'Accept' => V4, 'User-Agent' => USER_AGENTS.first, 'System-Token' => "{{#{machine.token}}}",
                           **asked.fetch('headers', {}) }
      { 'request' => asked, 'save' => { machine.token => 'header.System-Token' } }
    end

    def step
      return pick(ELSEWHERE) if one_in?(7)

      operation = weighted(@weights)
      return announced if operation == :announce || @machines.empty?

      machine = pick(@machines)
      asked = { **send(operation, machine), **credentials(machine) }
      tokens = operation == :service && !one_in?(4) ? {} : token(machine)
      asked['headers'] = { **headers, **tokens, **asked.fetch('headers', {}) }
      { 'request' => asked, 'save' => kept(machine) }.compact
    end

    # Now and then the answer gets lost, and the machine keeps the token it had.
    def kept(machine)
      return if one_in?(10)

      wishes = { machine.token => 'header.System-Token' }
      wishes[machine.older_token] = 'header.System-Token' if one_in?(4)
      # Another machine that was made from this one's disk.
      wishes[clone(machine).token] = 'header.System-Token' if one_in?(12)
      wishes
    end

    def clone(machine)
      machine.dup.tap do |clone|
        clone.token, clone.older_token = numbered('token', 'older')
        clone.products = machine.products.dup
        @machines << clone
      end
    end

    def numbered(*names)
      @number = @number.to_i + 1
      names.map { |name| "#{name}#{@number}" }
    end

    def announced
      machine = Machine.new(*numbered('login', 'password', 'token', 'older'), pick(STARTS), [])
      @machines << machine
      asked = request('POST', '/connect/subscriptions/systems', {
        **hostname, **hardware, **profiles, **maybe(2, 'distro_target' => 'sle-15-x86_64')
                      })
      asked['headers'] = { 'Accept' => pick([V4, V4, V4, V3]), 'User-Agent' => USER_AGENTS.first, **asked.fetch('headers', {}) }
      { 'request' => asked,
        'save' => { machine.login => 'body.login', machine.password => 'body.password' } }
    end

    def update(_machine)
      profiles = profiles()
      # The reference would store the days before it finds out about the profile.
      uptime = profiles.to_s.include?('blank') ? {} : uptime()
      request('PUT', '/connect/systems', { **hostname, **hardware, **profiles, **uptime })
    end

    def deregister(machine)
      @machines.delete(machine) unless one_in?(4)
      request('DELETE', '/connect/systems')
    end

    def activations(_machine)
      request('GET', '/connect/systems/activations')
    end

    def service(_machine)
      asked = request('GET', "/services/#{pick([1, 2, 3, 7, 14, 15, 4711])}")
      one_in?(2) ? { **asked, 'headers' => { 'User-Agent' => 'ZYpp 17.31.31' } } : asked
    end

    def activate(machine)
      return planned(machine) unless one_in?(3)

      activation(machine, pick(PRODUCTS))
    end

    def planned(machine)
      product = PRODUCTS[machine.next_product]
      machine.next_product = [machine.next_product + 1, PRODUCTS.size - 1].min unless one_in?(6)
      activation(machine, product)
    end

    def activation(machine, product)
      machine.products |= [product]
      request('POST', '/connect/systems/products', { **wanted(product), **maybe(3, 'token' => code) })
    end

    def show(machine)
      wanted = wanted(near(machine))
      return request('GET', '/connect/systems/products', wanted) unless one_in?(2) && wanted.values.all?(String)

      request('GET', "/connect/systems/products?#{URI.encode_www_form(wanted)}")
    end

    def upgrade(machine)
      product = one_in?(2) ? near(machine) : pick(PRODUCTS.first(18).select { _1[1].start_with?('15.') })
      request('PUT', '/connect/systems/products', { **wanted(product), **maybe(5, 'token' => code) })
    end

    def destroy(machine)
      # Who goes from the last to the first succeeds.
      product = machine.products.pop if machine.products.size > 1 && !one_in?(3)
      request('DELETE', '/connect/systems/products', wanted(product || near(machine)))
    end

    def synchronize(machine)
      list = Array.new(@random.rand(1..4)) { wanted(near(machine)) }
      list = [] if one_in?(12)
      request('POST', '/connect/systems/products/synchronize', one_in?(12) ? {} : { 'products' => odd(list) })
    end

    # A product that this machine may well have.
    def near(machine)
      one_in?(5) || machine.products.empty? ? pick(PRODUCTS) : pick(machine.products)
    end

    def request(method, path, parameters = nil)
      asked = { 'method' => method, 'path' => path }
      return asked if parameters.nil?
      return { **asked, **spoilt } if one_in?(60)
      return { **asked, **form(parameters) } if one_in?(15) && parameters.values.all?(String)

      { **asked, 'json' => parameters }
    end

    def form(parameters)
      { 'raw' => URI.encode_www_form(parameters), 'headers' => { 'Content-Type' => 'application/x-www-form-urlencoded' } }
    end

    def spoilt
      pick([{ 'raw' => '{"identifier":', 'headers' => { 'Content-Type' => 'application/json' } }, { 'json' => [1, 2] },
            { 'raw' => 'identifier: SLES', 'headers' => { 'Content-Type' => 'text/yaml' } }])
    end

    def headers
      accept = one_in?(10) ? V3 : V4
      agent = one_in?(4) ? odd(pick(USER_AGENTS), :user_agent) : USER_AGENTS.first
      { 'Accept' => accept, 'User-Agent' => agent }
    end

    def credentials(machine)
      case @random.rand(60)
      when 0 then {}
      when 1 then { 'basic' => "{{#{machine.login}}}:wrong" }
      when 2 then { 'basic' => "{{swapcase:#{machine.login}}} :{{#{machine.password}}}" }
      else { 'basic' => basic(machine) }
      end
    end

    def basic(machine)
      "{{#{machine.login}}}:{{#{machine.password}}}"
    end

    def token(machine)
      case @random.rand(40)
      when 0..4 then {}
      when 5, 6 then { 'System-Token' => '' }
      when 7, 8 then { 'System-Token' => @oddities && one_in?(3) ? @oddities.one(:token) : pick(TOKENS) }
      when 9, 10 then { 'System-Token' => "{{swapcase:#{machine.token}}}" }
      when 11, 12 then { 'System-Token' => "{{#{machine.older_token}}}" }
      when 13 then { 'System-Token' => "{{#{pick([machine, *@machines]).token}}}" }
      else { 'System-Token' => "{{#{machine.token}}}" }
      end
    end
  end
end
