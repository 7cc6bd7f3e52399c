# frozen_string_literal: true

module RmtRs
  module Doors
    module Rack
      # What Rails' middleware does for every answer, and which part of it a door in front of the stack has to do
      # itself. In a stack with anything unknown, the door has to stay behind it.
      #
      # @example
      #   Stack.new(Rails.application.config.middleware).place # => :front
      class Stack
        # Those that change no answer of the door's endpoints, by themselves or as Rails sets them up.
        WITHOUT_EFFECT = %w[Rack::Sendfile ActionDispatch::Executor ActiveSupport::Cache::Strategy::LocalCache
                            ActionDispatch::ShowExceptions ActionDispatch::DebugExceptions ActionDispatch::ActionableExceptions
                            Rack::Head Versionist::Middleware RmtRs::Doors::Rack::Middleware].freeze
        # What these do a door does as well, wherever it stands: they leave alone what they find done.
        DONE_ANYWAY = %w[Rack::ConditionalGet Rack::ETag].freeze
        # Those that a door in front of them does itself.
        DONE_IN_FRONT = %w[Rack::Runtime ActionDispatch::RequestId ActionDispatch::RemoteIp Rails::Rack::Logger].freeze
        # Directories of the door's paths, which Rails would look for among the public files.
        DIRECTORIES = %w[connect services api].freeze
        private_constant :WITHOUT_EFFECT, :DONE_ANYWAY, :DONE_IN_FRONT, :DIRECTORIES

        # @param middleware [Enumerable<ActionDispatch::MiddlewareStack::Middleware>] the application's, as built
        def initialize(middleware)
          @middleware = middleware.to_a
        end

        # Whose rules for parameters, headers and the rest the door follows.
        RULES = { 'Rails' => [Rails::VERSION::STRING, '6.1'], 'Rack' => [::Rack.release, '2.2'] }.freeze
        private_constant :RULES

        # @return [Symbol, nil] `:front` or `:end`; nil when there is no place for a door
        def place
          return if missing.any?

          @place ||= %i[front end].find { |place| unknown(place).empty? }
        end

        # @return [Array<String>] what keeps a door from the front of the stack, or from opening at all
        def reasons
          missing + unknown(:front).map { |name| "#{name} is not known" }
        end

        # @param name [String] of a middleware
        # @return [Boolean] whether the door has to do what that one would
        def does?(name)
          behind(place).any? { |it| it.name == name }
        end

        # @param name [String] of a middleware
        # @return [Array] what it was set up with
        def arguments_of(name)
          @middleware.find { |it| it.name == name }&.args.to_a
        end

        private

        # What comes after a door that stands there.
        def behind(place)
          @middleware.drop_while { |it| it.name != Middleware.name || it.args != [place] }.drop(1)
        end

        def missing
          rules = RULES.reject { |_, (version, known)| version.start_with?("#{known}.") }
          rules.map { |name, (version, known)| "#{name} #{version} may have other rules than #{known}" } +
            (DONE_ANYWAY - @middleware.map(&:name)).map { |name| "the stack has no #{name}" }
        end

        def unknown(place)
          behind(place).reject { |it| known?(it) }.map(&:name)
        end

        def known?(middleware)
          case middleware.name
          when 'ActionDispatch::HostAuthorization' then middleware.args.first.blank?
          when 'ActionDispatch::Static' then DIRECTORIES.none? { |name| File.exist?(File.join(middleware.args.first, name)) }
          when 'ActionDispatch::Callbacks' then without_callbacks?
          when 'Rack::ETag' then middleware.args == %w[no-cache]
          when 'Rails::Rack::Logger' then plain_logger?
          else [*WITHOUT_EFFECT, *DONE_ANYWAY, *DONE_IN_FRONT].include?(middleware.name)
          end
        end

        def without_callbacks?
          ActionDispatch::Callbacks.__callbacks.values.all? { |chain| chain.none? } # rubocop:disable Style/SymbolProc
        end

        # Tags would have to be on every line, and who listens to it wants its events.
        def plain_logger?
          !Rails.logger.respond_to?(:tagged) && !ActiveSupport::Notifications.notifier.listening?('request.action_dispatch')
        end
      end
    end
  end
end
