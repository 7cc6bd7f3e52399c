# frozen_string_literal: true

module RmtRs
  module Doors
    # RMT's own controllers call Rust: Rails has routed, filtered and parsed; what an action does with
    # the database and how it renders happens in Rust. A module for each controller holds its
    # actions; this one holds what they share.
    module Controller
      # Error numbers of the database for values that do not fit their column.
      BAD_VALUES = [1264, 1267, 1292, 1300, 1366, 1406, 4025].freeze
      private_constant :BAD_VALUES

      class << self
        # Puts the door before RMT's actions; run again whenever Rails reloads them.
        #
        # @return [void]
        def install
          ::Api::Connect::V3::Subscriptions::SystemsController.prepend(Announce)
        rescue NameError => e
          # Not an RMT that we know; the survey at the end of boot says so too.
          Rails.logger&.warn("rmt_rs: no controller door: #{e.message}")
        end

        # @param error [Exception] of ActiveRecord
        # @return [Boolean] whether the client's values are to blame
        def bad_value?(error)
          cause = error.cause
          cause.respond_to?(:error_number) && BAD_VALUES.include?(cause.error_number)
        end

        # @param parameters [Object] as a request has them
        # @return [Boolean] whether every key is valid text
        def valid_keys?(parameters)
          case parameters
          when Hash then parameters.all? { |key, value| key.to_s.valid_encoding? && valid_keys?(value) }
          when Array then parameters.all? { |value| valid_keys?(value) }
          else true
          end
        end
      end

      private

      # What Rails would let end as a crash, before the action or in Ruby's own, becomes an answer.
      def process_action(*)
        super
      rescue ArgumentError
        # Rails checks the encoding of values; keys make it crash while it logs them.
        raise if performed? || Controller.valid_keys?(request.request_parameters)

        render_rmt_error('The request is not valid UTF-8', 400)
      rescue ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
        raise if performed? || !RmtRs.takes?(action_operation)

        logger.error("rmt_rs: #{action_operation} failed in Ruby: #{e.class}")
        Controller.bad_value?(e) ? render_rmt_error('A parameter cannot be stored', 422) : render_unavailable
      end

      # Runs what is done in Rust and takes its time.
      def in_rust
        started = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
        yield
      ensure
        @rust_runtime = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond) - started
      end

      # Most of that time is the database's, and who reads RMT's log looks for it there.
      def append_info_to_payload(payload)
        super
        payload[:db_runtime] = payload[:db_runtime].to_f + @rust_runtime if @rust_runtime
      end

      # Answers in RMT's error shape (`ActionController::TranslatedError`).
      def render_rmt_error(message, status)
        render json: { type: 'error', error: message, localized_error: message }, status: status
      end

      # After Rust failed for a reason that is not the request's: Ruby's own action, in the block, if
      # that cannot do harm and may help, else 503.
      def broke(operation, failure)
        if failure.written? || failure.is_a?(Unavailable)
          logger.error("rmt_rs: #{operation} failed: #{failure.message}")
          render_unavailable
        else
          RmtRs.count(operation, :fallback)
          logger.warn("rmt_rs: #{operation} left to Ruby: #{failure.message}")
          yield
        end
      end

      def render_unavailable
        RmtRs.count(action_operation, :unavailable)
        render_rmt_error('The database is not available at the moment. Please try again later.', 503)
      end
    end
  end
end

require_relative 'controller/announce'
