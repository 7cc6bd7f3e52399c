# frozen_string_literal: true

require 'json'
require_relative 'framing'
require_relative 'values'

module Torture
  # What nobody of good will sends. Each input is a whole request, as bytes.
  #
  # @example
  #   Inputs.new('SCC_a', 'secret', 32 << 20).each { |input| wire.exchange(*input.pieces) }
  class Inputs
    include Enumerable
    include Framing

    # `pieces`: the request, in as many writes; `silent`: that the server says nothing is an answer as well; `kind`: those that
    # differ in their values only have it in common.
    Input = Struct.new(:name, :pieces, :silent, :answers, :kind)

    ANNOUNCE = ['POST', '/connect/subscriptions/systems'].freeze
    SYNCHRONIZE = ['POST', '/connect/systems/products/synchronize'].freeze
    UPDATE = ['PUT', '/connect/systems'].freeze
    # All but the one that a system leaves by: that would be no test of what comes after.
    OPERATIONS = [
      ANNOUNCE, UPDATE, SYNCHRONIZE, ['GET', '/connect/systems/products'], ['POST', '/connect/systems/products'],
      ['PUT', '/connect/systems/products'], ['DELETE', '/connect/systems/products'], ['GET', '/connect/systems/activations'],
      ['GET', '/connect/repositories/installer'], ['GET', '/connect/subscriptions/products'], ['GET', '/api/health/status'],
      ['GET', '/services/1'], ['GET', '/services/1/repo/repoindex.xml']
    ].freeze
    HEADERS = { 'Host' => Values::HOSTS, 'X-Forwarded-Host' => Values::HOSTS, 'X-Forwarded-Proto' => Values::PROTOCOLS,
                'Accept' => Values::ACCEPTS, 'Authorization' => Values::AUTHORIZATIONS, 'User-Agent' => Values::AGENTS }.freeze
    private_constant :HEADERS

    # @param login [String] of a system
    # @param password [String] its
    # @param size [Integer] bytes of the largest body
    def initialize(login, password, size)
      @basic = "Basic #{["#{login}:#{password}"].pack('m0')}"
      @size = size
    end

    # @yieldparam input [Input]
    # @return [void]
    def each(&)
      [bodies, products, updates, headers, targets, framing].each { |inputs| inputs.each(&) }
    end

    # @param operation [Array(String, String)] method and path
    # @param body [String]
    # @param headers [Hash{String => String}] instead of the usual; nil leaves one out
    # @return [String]
    def request(operation, body = '', headers = {})
      usual = { 'Host' => 'rmt.example.com', 'Authorization' => @basic, 'User-Agent' => 'SUSEConnect/1.21.0',
                'Accept' => 'application/json,application/vnd.scc.suse.com.v4+json', 'Connection' => 'close' }
      usual.merge!('Content-Type' => 'application/json', 'Content-Length' => body.bytesize.to_s) unless body.empty?
      lines = usual.merge(headers).compact.map { |name, value| "#{name}: ".b << value.b << "\r\n" }
      "#{operation.join(' ')} HTTP/1.1\r\n".b << lines.join << "\r\n" << body.b
    end

    private

    def input(name, *pieces, silent: false, answers: 1, kind: nil)
      Input.new(name.scrub, pieces, silent, answers, kind)
    end

    # Each of `values` to each of `operations`.
    def to_all(what, values, operations = OPERATIONS)
      values.each_with_index.flat_map do |value, number|
        operations.map { |operation| input("#{what} #{number} to #{operation.join(' ')}", yield(operation, value), kind: what) }
      end
    end

    def bodies
      large = [texts, nests, lists].inject(:merge)
      to_all('body', Values::BODIES) { |operation, body| request(operation, body) } +
        large.map { |name, body| input("#{name} to announce", request(ANNOUNCE, body)) } +
        to_all('type', Values::TYPES, [ANNOUNCE, UPDATE]) do |operation, type|
          request(operation, '{"hostname":"a"}', 'Content-Type' => type)
        end
    end

    def texts
      { 'nothing' => '', 'spaces' => ' ' * @size, 'one text' => "{\"hostname\":\"#{'x' * (@size - 20)}\"}",
        'zeros' => "\0" * @size,
        'one number' => "{\"hostname\":#{'9' * (@size - 20)}}", 'digits' => "{\"hwinfo\":{\"a\":0.#{'1' * 100_000}}}",
        'large hwinfo' => JSON.generate(hwinfo: { a: 'x' * (@size - 30) }),
        'escapes' => "{\"hostname\":\"#{'\u0041' * (@size / 6)}\"}",
        'a large profile' => JSON.generate(system_profiles: { a: { identifier: 'large', data: 'x' * (@size - 100) } }),
        'quotes' => '"' * @size, 'backslashes' => "\"#{'\\' * @size}" }
    end

    def nests
      hwinfo = ->(depth) { "{\"hwinfo\":#{'{"a":' * depth}1#{'}' * depth}}" }
      { 'arrays in arrays' => '[' * 10_000, 'closed arrays' => "{\"hwinfo\":#{'[' * 10_000}#{']' * 10_000}}",
        'objects in objects' => "#{'{"a":' * 10_000}1#{'}' * 10_000}", 'objects in hwinfo' => hwinfo.call(40),
        'deep hwinfo' => hwinfo.call(98) }
    end

    # In 32 MiB a million keys.
    def lists
      keys = "{#{(1..@size / 33).map { |number| "\"k#{number}\":#{number}#{' ' * 10}" }.join(',')}}"
      profiles = (1..@size / 100).to_h { |number| ["p#{number}", { identifier: 'a', data: 'b' }] }
      { 'many keys' => keys, 'many keys in hwinfo' => "{\"hwinfo\":#{keys}}",
        'many profiles' => JSON.generate(system_profiles: profiles),
        'the same key' => "{#{"\"hostname\":\"a\",#{' ' * 50}" * (@size / 70)}\"hostname\":\"b\"}" }
    end

    def many
      @many ||= Array.new(@size / 100) { |number| "v#{number}" }
    end

    def products
      product = { identifier: 'SLES', version: '15.6', arch: 'x86_64' }
      odd = [many, [''] * 20, [''] * 21, [[]], {}, { 'a' => many }, nil, 1, 1.5, true, '', ' ', 'x' * 70_000, *Values::FRAGMENTS]
      products = odd.flat_map { |value| %i[identifier version arch token].map { |name| product.merge(name => value) } }
      operations = OPERATIONS.select { |_, path| path.end_with?('products', 'installer') }
      to_all('product', products, operations) { |operation, body| request(operation, JSON.generate(body)) } +
        [[product] * 400, [product.merge(identifier: many)], [{}] * 500, [{}] * 501, many].each_with_index.map do |list, number|
          input("products #{number}", request(SYNCHRONIZE, JSON.generate(products: list)))
        end
    end

    def updates
      [{ online_at: many }, { online_at: ['2026-11-01:1'] * 1001 }, { online_at: Values::FRAGMENTS },
       { online_at: '2026-11-01:1' },
       { hwinfo: many }, { hostname: many }, { hostname: { a: 1 } }].each_with_index.map do |body, number|
        input("update #{number}", request(UPDATE, JSON.generate(body)))
      end
    end

    def headers
      HEADERS.flat_map { |name, values| to_all(name, values) { |operation, value| request(operation, '', name => value) } } +
        to_all('System-Token', Values::TOKENS, [['GET', '/connect/systems/activations'], UPDATE]) do |operation, token|
          request(operation, '', 'System-Token' => token)
        end
    end

    def targets
      Values::PATHS.map { |path| input("GET #{path[0, 60]}", request(['GET', path])) } +
        Values::METHODS.flat_map do |method|
          OPERATIONS.map(&:last).uniq.map { |path| input("#{method[0, 9]} #{path}", request([method, path]), kind: 'method') }
        end
    end
  end
end
