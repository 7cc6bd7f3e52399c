# frozen_string_literal: true

require 'time'
require 'uri'

module Conformance
  # Gives values a server makes up the names they have in the recordings: `<login:1>` is the
  # first generated login of a conversation, wherever it appears again.
  class Naming
    UUID = /\b\h{8}-\h{4}-\h{4}-\h{4}-\h{12}\b/
    LOGIN = /\bSCC_\h{32}\b/
    # Ids are told by their neighbours: services and products have literal ones.
    IDS = {
      'activation' => /(?<="id":)\d+(?=,"system_id":)/,
      'system' => /(?<="system_id":)\d+|(?<="id":)\d+(?=,"login":)/
    }.freeze
    BODY_PASSWORD = /(?<="password":")\h{16}(?=")/
    BODY_TIME = /(?<=")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z(?=")/
    # What a recording calls now, in seconds to either side.
    NOW = 600

    # @param given [String] everything the conversation itself says, whose values stay as they are
    # @param base [String] base URL of the server
    def initialize(given, base)
      @given = given.downcase
      @base = base
      @host = URI(base).then { |uri| "#{uri.host}:#{uri.port}" }
      @names = Hash.new { |names, kind| names[kind] = {} }
    end

    # @param body [String] of a response
    # @return [String] the same with names
    def body(body)
      text = IDS.reduce(body) { |part, (kind, ids)| part.gsub(ids) { %("#{name(kind, _1)}") } }
      text = text.gsub(BODY_PASSWORD) { generated('password', _1) }
      text = text.gsub(BODY_TIME) { time(Time.parse(_1)) || _1 }
      text(text)
    end

    # @param value [String]
    # @return [String] the same with names for tokens, logins and the server's address
    def text(value)
      value.gsub(UUID) { generated('uuid', _1) }.gsub(LOGIN) { generated('login', _1) }
           .gsub(@base, '<base>').gsub(@host, '<host>')
    end

    # @param kind [String] of a row: system, profile
    # @param id [Integer]
    # @return [String]
    def name(kind, id)
      names = @names[kind]
      names[id.to_s] ||= "<#{kind}:#{names.size + 1}>"
    end

    # @param kind [String]
    # @param value [String]
    # @return [String] its name, unless the conversation itself contains it
    def generated(kind, value)
      @given.include?(value.downcase) ? value : name(kind, value)
    end

    # @param value [Time]
    # @return [String, nil] `<now>`, nil when it is another time
    def time(value)
      '<now>' if (Time.now - value).abs <= NOW
    end
  end
end
