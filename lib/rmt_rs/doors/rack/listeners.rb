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

        def initialize
          @lists = {}
          @any = true
        end

        # @return [Boolean]
        def any?
          notifier = ActiveSupport::Notifications.notifier
          # Rails makes a new list when somebody comes or goes.
          known = EVENTS.all? { |event| notifier.listeners_for(event).equal?(@lists[event]) }
          known ? @any : look(notifier)
        end

        private

        def look(notifier)
          lists = EVENTS.to_h { |event| [event, notifier.listeners_for(event)] }
          @any = lists.values.flatten.any? { |it| counts?(it.instance_variable_get(:@delegate)) } || !log_in_pieces?
          @lists = lists
          @any
        end

        def counts?(listener)
          case listener
          when ActionController::LogSubscriber then !listener.instance_of?(ActionController::LogSubscriber)
          when Proc then Metrics.asked_for? || !listener.source_location&.first.to_s.include?('/yabeda/rails')
          else true
          end
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
