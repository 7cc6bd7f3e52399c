# frozen_string_literal: true

require 'json'

# Defined before the native library is loaded, which raises them.
module RmtRs
  # Whatever goes wrong on the Rust side.
  class Error < StandardError
    # @param message [String]
    # @param written [Boolean] whether the database may hold a part of the request
    def initialize(message = nil, written = false) # rubocop:disable Style/OptionalBooleanParameter
      super(message)
      @written = written
    end

    # @return [Boolean] true when serving the request by other means could double it
    def written?
      @written
    end

    # @return [Boolean] whether the request may be served by other means, which may help and cannot do harm
    def redeemable?
      !written?
    end
  end

  # A mistake of this gem, a panic included.
  class InternalError < Error; end

  # The request asks for something that Rails has to be asked about; nothing was written.
  class Declined < Error; end

  # The request carries what cannot be stored; the message is for the client. RMT crashes there.
  class BadInput < Error; end

  # What RMT itself answers with, in its own shape; the message is for the client.
  class RmtError < Error
    # @return [Integer] HTTP status
    attr_reader :status

    # @param message [String]
    # @param written [Boolean] whether the database may hold a part of the request
    # @param status [Integer] HTTP status
    def initialize(message = nil, written = false, status = 422) # rubocop:disable Style/OptionalBooleanParameter
      super(message, written)
      @status = status
    end
  end

  # What an activation refers to was deleted meanwhile.
  class Gone < Error; end

  # A model's validation would fail. RMT lets Rails answer that.
  class Invalid < Error; end

  # No connection could be opened.
  class Refused < Error; end

  # The database cannot serve the request now, whoever asks.
  class Unavailable < Error
    # @return [Boolean] false: others would only wait longer
    def redeemable?
      false
    end
  end

  # The database gave no answer in all the time there is.
  class Silent < Unavailable; end

  # The client left before anything was written.
  class Abandoned < Unavailable; end

  # The end of a request that is not carried out, in RMT's error shape; raised and rescued inside a controller.
  class Refusal < StandardError
    UNAVAILABLE = 'The database is not available at the moment. Please try again later.'
    OVERLOADED = 'The server is overloaded at the moment. Please try again later.'
    # Seconds after which to come back, by lot: those who were refused together shall not come back together.
    RETRY_AFTER = (10..30)
    private_constant :UNAVAILABLE, :OVERLOADED, :RETRY_AFTER

    class << self
      # @return [Refusal] for want of a database
      def unavailable
        new(UNAVAILABLE, 503)
      end

      # @return [Refusal] for want of time
      def overloaded
        new(OVERLOADED, 503)
      end

      # What an answer says besides its body. Clients of RMT do not look at `Retry-After`; proxies do.
      #
      # @param status [Integer] HTTP status
      # @param random [#rand]
      # @return [Hash{String => String}] headers
      def headers_for(status, random: Random)
        status == 503 ? { 'Retry-After' => random.rand(RETRY_AFTER).to_s } : {}
      end
    end

    # @return [Integer] HTTP status
    attr_reader :status

    # @param message [String] for the client
    # @param status [Integer] HTTP status
    def initialize(message, status)
      super(message)
      @status = status
    end

    # @return [Hash{Symbol => String}] the answer's body (`ActionController::TranslatedError`)
    def body
      { type: 'error', error: message, localized_error: message }
    end

    # @return [Array(Integer, Hash, Array)] the answer, for those who have no controller
    def to_rack
      headers = { 'Content-Type' => 'application/json; charset=utf-8', 'Cache-Control' => 'no-cache' }
      [status, headers.merge(self.class.headers_for(status)), [JSON.generate(body)]]
    end
  end

  # The configuration is wrong. Names the key, the value and what is allowed.
  class ConfigurationError < StandardError; end
end
