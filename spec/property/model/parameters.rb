# frozen_string_literal: true

require 'json'
require 'uri'

module Property
  class Model
    # A request's parameters as Rails would understand them.
    class Parameters
      # As long as the columns for text are.
      LONGEST = 255

      # @param request [Hash] as a step has it
      # @return [Parameters]
      def self.of(request)
        query = URI.decode_www_form(request['path'][/\?(.*)/m, 1].to_s).to_h
        body = body_of(request)
        new(body && body.merge(query))
      end

      def self.body_of(request)
        return JSON.parse(JSON.generate(request['json'])).then { _1.is_a?(Hash) ? _1 : {} } if request.key?('json')
        return {} unless request.key?('raw')

        case request['headers'].transform_keys(&:downcase)['content-type']
        when 'application/json' then JSON.parse(request['raw']).then { _1.is_a?(Hash) ? _1 : {} }
        when 'application/x-www-form-urlencoded' then URI.decode_www_form(request['raw']).to_h
        else {}
        end
      rescue JSON::ParserError
        nil
      end
      private_class_method :body_of

      # @param value [Object]
      # @return [Boolean] whether it is nothing, or text that a column can hold
      def self.storable?(value)
        value.nil? || (value.is_a?(String) && value.length <= LONGEST && !beyond_plane?(value))
      end

      # @param text [String]
      # @return [Boolean] whether it has characters that take four bytes
      def self.beyond_plane?(text)
        text.each_char.any? { |char| char.ord > 0xFFFF }
      end

      # @param value [Object]
      # @return [String] as Rails writes it: nothing in it ends a script
      def self.json(value)
        JSON.generate(value).gsub(/[<>&\u2028\u2029]/) { format('\u%04x', _1.ord) }
      end

      # @param known [Hash, nil] nothing when the body was malformed
      def initialize(known)
        @known = known
      end

      # @return [Boolean]
      def malformed?
        @known.nil?
      end

      # @param key [String]
      # @return [Boolean] whether it was sent, be it null
      def key?(key)
        @known.key?(key)
      end

      # @param key [String]
      # @return [Object]
      def [](key)
        @known[key]
      end

      # @param keys [Array<String>]
      # @return [Hash] these of them
      def slice(*keys)
        @known.slice(*keys)
      end

      # @param keys [Array<String>]
      # @return [Boolean] whether all of these are text that a column can hold, or nothing
      def storable?(*keys)
        keys.all? { |key| Parameters.storable?(@known[key]) }
      end
    end
  end
end
