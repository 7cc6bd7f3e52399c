# frozen_string_literal: true

require_relative 'errors'

module RmtRs
  # What {Native.announce} found out about a new system: its columns, and the answer's body.
  # `announced_at` is in seconds since 1970, `clear_profile_cache` asks for the header
  # `X-System-Profiles-Action`.
  Announced = Struct.new(:id, :login, :password, :hostname, :system_information, :announced_at,
                         :clear_profile_cache, :body)

  # The compiled side. Loaded by {Native.load!} and not before: with the flag off nobody pays for it.
  module Native
    # Where RubyGems (before 3.4.6, and since) and `rake compile` put the library.
    PATHS = %w[../rmt_rs ./rmt_rs].freeze

    class << self
      # Loads the library once.
      #
      # @return [void]
      # @raise [LoadError] when it is missing or does not fit this Ruby
      # @example
      #   RmtRs::Native.load!
      #   RmtRs::Native.configure(configuration.to_native)
      def load!
        return if respond_to?(:announce)

        path = [ENV.fetch('RMT_RS_LIBRARY', nil), *PATHS.map { |name| File.expand_path(name, __dir__) }]
               .compact.find { |name| File.exist?(with_extension(name)) }
        raise LoadError, 'the native library is not built: run `rake compile`' unless path

        require with_extension(path)
        at_exit { shut_down }
      end

      private

      def with_extension(path)
        extension = ".#{RbConfig::CONFIG['DLEXT']}"
        path.end_with?(extension) ? path : "#{path}#{extension}"
      end
    end
  end
end
