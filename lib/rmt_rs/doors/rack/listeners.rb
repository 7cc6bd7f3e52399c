# frozen_string_literal: true

module RmtRs
  module Doors
    module Rack
      # Whether anybody listens to Rails' events of requests, besides Rails' own log.
      #
      # Yabeda listens in every RMT, also when RMT's setting `scc.metrics.enabled` is off, and nobody can ask for what it
      # counts then: that is nobody. Rails has no public way to ask who listens; where it cannot be told, somebody does.
      class Listeners
        EVENTS = %w[start_processing process_action halted_callback].map { |event| "#{event}.action_controller" }.freeze
        private_constant :EVENTS

        # @return [Boolean]
        def any?
          notifier = ActiveSupport::Notifications.notifier
          lists = EVENTS.map { |event| notifier.listeners_for(event) }
          # Rails makes new lists when somebody comes or goes.
          return @any if @lists && @lists.zip(lists).all? { |known, list| known.equal?(list) }

          @lists = lists
          @any = lists.flatten.any? { |listener| counts?(listener.instance_variable_get(:@delegate)) } || !log_in_pieces?
        end

        private

        def counts?(listener)
          case listener
          when ActionController::LogSubscriber then !listener.instance_of?(ActionController::LogSubscriber)
          when Proc then metrics? || !listener.source_location&.first.to_s.include?('/yabeda/rails')
          else true
          end
        end

        def metrics?
          !defined?(::Settings) || ::Settings.dig(:scc, :metrics, :enabled) ? true : false
        end

        # Whether lines can be put together as its own are.
        def log_in_pieces?
          logger = Rails.logger
          logger.respond_to?(:formatter) && !logger.formatter.nil? && logger.respond_to?(:<<)
        end
      end
    end
  end
end
