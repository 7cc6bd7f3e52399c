# frozen_string_literal: true

require 'net/http'
require_relative '../../bench/catalog'
require_relative 'until_stopped'

module Torture
  # Clients that ask for what is not registering, or ask wrongly: each request is of another kind than the one before.
  #
  # @example
  #   passers_by = PassersBy.new(host.url, threads: 2).start
  #   passers_by.stop.answered # => 1200
  class PassersBy
    include UntilStopped

    JSON_TYPE = { 'Content-Type' => 'application/json' }.freeze
    WRONG = { 'Authorization' => "Basic #{['SCC_nobody:wrong'].pack('m0')}" }.freeze
    V3 = { 'Accept' => 'application/vnd.scc.suse.com.v3+json' }.freeze
    PRODUCT = 'identifier=SLES&version=15.6&arch=x86_64'
    # Method, path, headers, body, and the status that is right.
    REQUESTS = [
      ['GET', '/api/health/status', {}, nil, 200],
      ['GET', '/services/1/repo/repoindex.xml', {}, nil, 200],
      ['GET', '/services/4711', {}, nil, 404],
      ['GET', '/repo/repoindex.xml', WRONG, nil, 401],
      ['GET', "/connect/repositories/installer?#{PRODUCT}", {}, nil, 200],
      ['GET', '/connect/repositories/installer', {}, nil, 422],
      ['GET', "/connect/subscriptions/products?#{PRODUCT}", { 'Authorization' => "Token token=#{Catalog::REGCODES.first}" }, nil,
       200],
      ['GET', '/connect/subscriptions/products', { 'Authorization' => 'Token token=none' }, nil, 401],
      ['GET', "/connect/systems/products?#{PRODUCT}", WRONG, nil, 401],
      ['GET', '/connect/systems/activations', {}, nil, 401],
      ['PUT', '/connect/systems', WRONG.merge(JSON_TYPE), '{"hostname":"web01"}', 401],
      ['POST', '/connect/subscriptions/systems', JSON_TYPE, '{"hostname":', 400],
      ['POST', '/connect/subscriptions/systems', JSON_TYPE, "{\"hostname\":\"#{'x' * 300}\"}", 422],
      ['DELETE', '/connect/systems', WRONG.merge(V3), nil, 401],
      ['GET', '/nothing/here', {}, nil, 404]
    ].freeze
    private_constant :JSON_TYPE, :WRONG, :V3, :PRODUCT, :REQUESTS

    # @return [Integer] requests
    attr_reader :answered
    # @return [Array<String>] answers that are not right
    attr_reader :oddities

    # @param url [String]
    # @param threads [Integer]
    def initialize(url, threads:)
      @uri = URI(url)
      @size = threads
      @answered = 0
      @oddities = []
      @mutex = Mutex.new
    end

    private

    def threads
      Array.new(@size) { Thread.new { REQUESTS.cycle { |request| @running ? ask(*request) : break } } }
    end

    def ask(method, path, headers, body, expected)
      request = Net::HTTPGenericRequest.new(method, !body.nil?, true, path, headers)
      request.body = body if body
      answer = Net::HTTP.start(@uri.host, @uri.port, read_timeout: 60, max_retries: 0) { |http| http.request(request) }
      @mutex.synchronize do
        @answered += 1
        @oddities << "#{method} #{path}: #{answer.code} instead of #{expected}" unless answer.code == expected.to_s
      end
    end
  end
end
