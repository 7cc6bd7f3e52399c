# frozen_string_literal: true

module Property
  class Model
    # What a request says of who sends it.
    class Caller
      # @return [Array(String, String), nil] login and password
      attr_reader :credentials

      # @param request [Hash] as a step has it
      def initialize(request)
        @headers = request.fetch('headers', {}).transform_keys(&:downcase)
        @credentials = request['basic']&.split(':', 2)
      end

      # @return [Boolean]
      def token_sent?
        @headers.key?('system-token')
      end

      # @return [String, nil] nothing when it is blank
      def token
        token = @headers['system-token'].to_s.strip
        token unless token.empty?
      end

      # @return [Boolean] whether the token is none the table could hold
      def token_unstorable?
        token_sent? && !Parameters.storable?(token)
      end

      # @return [String]
      def user_agent
        @headers.fetch('user-agent', 'Ruby').strip
      end

      # @return [Boolean]
      def zypper?
        user_agent.downcase.start_with?('zypp')
      end

      # @return [Boolean] whether it is to be stored and cannot be
      def user_agent_unstorable?
        !zypper? && Parameters.beyond_plane?(user_agent)
      end

      # @param type [String]
      # @return [Boolean] whether it asks for answers of this type
      def accepts?(type)
        @headers['accept'].to_s.include?(type)
      end
    end
  end
end
