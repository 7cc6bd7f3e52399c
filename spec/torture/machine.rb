# frozen_string_literal: true

require 'json'
require 'net/http'

module Torture
  # A machine that registers as SUSEConnect does, and remembers what it was told: the same requests, a new connection for each,
  # and with each the System-Token that came last.
  #
  # @example
  #   machine = Machine.new('http://127.0.0.1:4224', 'web01', catalog.bases.first)
  #   machine.register
  #   machine.services # => [1, 2, 3, 4]
  #   machine.token    # => "0c9a…"
  class Machine
    # A request that did not end as it should. The machine's {Machine#doubt} says whether something may have come of it.
    class Failed < StandardError
      # @return [Integer, nil] the answer's status; nil when there was none
      attr_reader :status

      # @param what [String] the request
      # @param status [Integer, nil]
      # @param detail [String] the answer, or what happened to the connection
      def initialize(what, status, detail)
        super("#{what}: #{status || 'no answer'}: #{detail}")
        @status = status
      end
    end

    # Clients wait as long, and do not try again.
    SECONDS = 60
    HEADERS = { 'Content-Type' => 'application/json', 'User-Agent' => 'SUSEConnect/1.21.0',
                'Accept' => 'application/json,application/vnd.scc.suse.com.v4+json' }.freeze
    # A connection that was not made has carried nothing.
    NOT_SENT = [Errno::ECONNREFUSED, Net::OpenTimeout].freeze
    private_constant :HEADERS, :NOT_SENT

    # `id`, `login`, `password`: as announced; `token`: the one it was told last; `tokens`: all of them; `services`: ids of those
    # whose activation was acknowledged; `revision`: of what it has said of itself, acknowledged; `left`: whether its leave was.
    attr_reader :hostname, :id, :login, :password, :token, :tokens, :services, :revision, :left
    # @return [Array(Symbol, Object), nil] the operation whose fate it does not know, with the service or revision it was about
    attr_reader :doubt
    # `answered`: requests that were answered as they should be; `lost`: those that were sent and not answered at all.
    attr_reader :answered, :lost

    # @param url [String] base URL of the server
    # @param hostname [String] nobody else's
    # @param base [Catalog::Product] what it installs
    # @param profiles [Hash] of its hardware
    # @param sends_token [Boolean] whether it knows of tokens, as clients have for some years
    def initialize(url, hostname, base, profiles: {}, sends_token: true)
      @uri = URI(url)
      @hostname = hostname
      @base = base
      @profiles = profiles
      @sends_token = sends_token
      @tokens = []
      @services = []
      @answered = 0
      @lost = 0
    end

    # @return [self]
    # @raise [Failed]
    def register
      announce
      products.each { |product| activate(product) }
      show
      update
      self
    end

    # @return [Array<Hash>] what it activates, base product first: `service` is its id, the rest names it to the server
    def products
      group = @base.group
      chosen = [@base, *group.extensions.select { |product| @base.service_ids.include?(product.id) }]
      chosen.map do |product|
        { service: product.id, identifier: product.identifier, version: group.version, arch: group.arch }
      end
    end

    # @return [void]
    # @raise [Failed]
    def announce
      body = { hostname:, hwinfo: hwinfo(0), distro_target: "sle-15-#{@base.group.arch}", system_profiles: @profiles }.compact
      answer = ask([:announce, hostname], 'POST', '/connect/subscriptions/systems', 201, body)
      @id, @login, @password = JSON.parse(answer.body).values_at('id', 'login', 'password')
      @revision = 0
    end

    # @param product [Hash] one of {products}
    # @return [void]
    # @raise [Failed]
    def activate(product)
      body = { **product.slice(:identifier, :version, :arch), token: Catalog::REGCODES.first }
      ask([:activate, product[:service]], 'POST', '/connect/systems/products', 201, body)
      @services |= [product[:service]]
    end

    # @param product [Hash] one of {products} that nothing activated depends on
    # @return [void]
    # @raise [Failed]
    def destroy(product)
      ask([:destroy, product[:service]], 'DELETE', '/connect/systems/products', 200, product.slice(:identifier, :version, :arch))
      @services -= [product[:service]]
    end

    # @return [void]
    # @raise [Failed]
    def show
      query = URI.encode_www_form(products.first.slice(:identifier, :version, :arch))
      ask(nil, 'GET', "/connect/systems/products?#{query}", 200)
    end

    # @return [void]
    # @raise [Failed]
    def activations
      ask(nil, 'GET', '/connect/systems/activations', 200)
    end

    # Says something new of itself.
    #
    # @return [void]
    # @raise [Failed]
    def update
      said = (@revision || 0) + 1
      body = { hostname:, hwinfo: hwinfo(said), online_at: ["2026-11-#{format('%02d', (said % 28) + 1)}:#{'1' * 24}"],
               system_profiles: @profiles }
      ask([:update, said], 'PUT', '/connect/systems', 204, body)
      @revision = said
    end

    # @return [void]
    # @raise [Failed]
    def deregister
      ask([:deregister, nil], 'DELETE', '/connect/systems', 204)
      @left = true
    end

    # @return [Boolean] whether it was told its credentials
    def announced?
      !@id.nil?
    end

    # @param revision [Integer]
    # @return [Hash] what it says of its hardware
    def hwinfo(revision)
      { cpus: 4, sockets: 1, hypervisor: 'KVM', arch: @base.group.arch, cloud_provider: 'amazon', mem_total: 16_384, revision: }
    end

    # @return [Integer] profiles it sends
    def profile_count
      @profiles.size
    end

    private

    # @param writes [Array(Symbol, Object), nil] what is in doubt when there is no good answer; nil when it writes nothing
    # @return [Net::HTTPResponse]
    def ask(writes, method, path, expected, body = nil)
      answer = send_request(writes, method, path, body)
      remember_token(answer['System-Token'])
      status = answer.code.to_i
      # With a refusal nothing was done, with a failure who knows.
      @doubt = writes if status >= 500
      raise Failed.new("#{method} #{path}", status, answer.body.to_s[0, 300]) unless status == expected

      @answered += 1
      answer
    end

    def send_request(writes, method, path, body)
      request = Net::HTTPGenericRequest.new(method, !body.nil?, true, path, headers)
      request.body = JSON.generate(body) if body
      # The library would send some requests again by itself.
      Net::HTTP.start(@uri.host, @uri.port, open_timeout: SECONDS, read_timeout: SECONDS, max_retries: 0) do |http|
        http.request(request)
      end
    rescue SystemCallError, IOError, Timeout::Error, Net::HTTPBadResponse => e
      lose(writes) unless NOT_SENT.any? { |error| e.is_a?(error) }
      raise Failed.new("#{method} #{path}", nil, "#{e.class}: #{e.message}")
    end

    def lose(writes)
      @lost += 1
      @doubt = writes
    end

    # Also from errors, as clients do.
    def remember_token(token)
      return if token.nil? || token.empty? || token == @token

      @tokens += [token]
      @token = token
    end

    def headers
      own = @login ? "Basic #{["#{@login}:#{@password}"].pack('m0')}" : "Token token=#{Catalog::REGCODES.first}"
      token = { 'System-Token' => @token.to_s } if @sends_token
      HEADERS.merge('Authorization' => own, **token.to_h)
    end
  end
end
