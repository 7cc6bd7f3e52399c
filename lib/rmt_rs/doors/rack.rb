# frozen_string_literal: true

require_relative 'rack/door'
require_relative 'rack/endpoints'
require_relative 'rack/events'
require_relative 'rack/stack'
require_relative '../shadow'

module RmtRs
  module Doors
    # A middleware answers the registration endpoints whole: Rails neither routes nor parses them. What Rust does
    # not understand with certainty goes on to Rails untouched, where the controller door is.
    #
    # It stands at both ends of Rails' stack, and one of the two is open: the first when the door can do everything
    # that the stack does for an answer (see {Stack}), else the last.
    module Rack
      # Stands in Rails' stack.
      class Middleware
        # What every path of the door begins with.
        PATHS = %w[/connect/ /services/ /api/health/].freeze

        # @param app [#call] the rest of the stack
        # @param place [Symbol] `:front` or `:end`
        def initialize(app, place)
          @app = app
          @place = place
        end

        # @param env [Hash] Rack's
        # @return [Array] Rack's status, headers and body
        def call(env)
          door = Rack.door
          return @app.call(env) unless door && door.place == @place && env['PATH_INFO'].start_with?(*PATHS)
          return Rack.shadow.around(env) { @app.call(env) } if shadowed?(env)

          (RmtRs.flag.rack? && door.answer(env)) || @app.call(env)
        ensure
          env[Doorkeeper::ADMISSION]&.finish
        end

        private

        # Who answers is said already where a header says it.
        def shadowed?(env)
          # With all requests in shadow nobody else would notice that this is to end.
          RmtRs.flag.keep_up
          Rack.shadow.chosen?(RmtRs.flag.shadow) && !env.key?(Flag::HEADER)
        end
      end

      class << self
        # @return [Door, nil] nil while it is shut
        attr_reader :door

        # @return [Shadow, nil] nil while there is no door
        attr_reader :shadow

        # Puts the middleware where it is shut at first.
        #
        # @param middleware [Rails::Configuration::MiddlewareStackProxy]
        # @return [void]
        def install(middleware)
          middleware.insert_before(0, Middleware, :front)
          middleware.use(Middleware, :end)
        end

        # Opens it, if anything may be answered by it. One log line says where and for what.
        #
        # @param application [Rails::Application] which has its middleware built
        # @param survey [Survey]
        # @return [void]
        def open(application, survey)
          # At boot Rails loads them last.
          application.reload_routes! if application.routes.empty?
          endpoints = Endpoints.new(application.routes, survey)
          stack = Stack.new(application.config.middleware)
          operations = stack.place ? endpoints.operations : []
          events = Events.new(stack, application.config.filter_parameters, endpoints.zypper_step)
          if operations.any?
            door = Door.new(stack, settings(operations), events)
            @shadow = Shadow.new(door, ledger: ledger(application))
            @door = door
          end
          report(stack, endpoints, operations)
        end

        private

        def ledger(application)
          ledger = Shadow::Ledger.new(Shadow::Ledger.directory(application))
          at_exit { ledger.flush }
          ledger
        end

        def settings(operations)
          tokens_enabled = ::ApplicationController.new.send(:system_tokens_enabled?)
          { operations: operations, tokens_enabled: tokens_enabled, appearance: RmtRs.appearance,
            vary: { accepting: vary('*/*'), by_default: vary(nil) } }
        end

        # What Rails says that an answer varies by: security updates have changed it in the same version.
        def vary(accept)
          env = { 'REQUEST_METHOD' => 'GET', 'PATH_INFO' => '/', 'QUERY_STRING' => '', 'rack.input' => StringIO.new,
                  'HTTP_ACCEPT' => accept }
          request = ActionDispatch::Request.new(env.compact)
          return '' unless request.should_apply_vary_header?

          request.respond_to?(:vary_headers) ? request.vary_headers.join(', ') : 'Accept'
        end

        def report(stack, endpoints, operations)
          answers = RmtRs.flag.rack? ? 'answers' : 'would answer'
          answered = operations.empty? ? "#{answers} nothing" : "#{answers} #{operations.join(', ')}"
          place = ", at the #{stack.place} of the stack" if stack.place
          why = stack.reasons + endpoints.reasons.map { |operation, reason| "#{operation} (#{reason})" }
          rest = "; why not more: #{why.join(', ')}" if why.any?
          RmtRs.logger&.info("rmt_rs: the rack door #{answered}#{place}#{rest}")
        end
      end
    end
  end
end
