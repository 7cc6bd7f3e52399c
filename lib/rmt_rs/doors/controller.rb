# frozen_string_literal: true

module RmtRs
  module Doors
    # RMT's own controllers call Rust: Rails has routed, filtered and parsed; what an action does with
    # the database and how it renders happens in Rust. A module for each controller holds its
    # actions; this one holds what they share.
    module Controller
      # Error numbers of the database for values that do not fit their column …
      BAD_VALUES = [1153, 1264, 1267, 1292, 1300, 1366, 1406, 3140, 3141, 3988, 4025].freeze
      # … and for a database that cannot serve anybody: too many connections, full, read-only, ending,
      # gone.
      UNAVAILABLE = [1021, 1040, 1047, 1053, 1114, 1203, 1205, 1226, 1290, 1792, 1836,
                     2002, 2003, 2005, 2006, 2013].freeze
      # What a lost connection raises, in Rails and in the clients; not every version has all of them.
      CONNECTION_ERRORS = %w[ActiveRecord::ConnectionNotEstablished ActiveRecord::ConnectionFailed
                             Mysql2::Error::ConnectionError Trilogy::ConnectionError].freeze
      private_constant :BAD_VALUES, :UNAVAILABLE, :CONNECTION_ERRORS

      class << self
        # Puts the door before RMT's actions; run again whenever Rails reloads them. Where they are
        # missing the survey at the end of boot says so.
        #
        # @return [void]
        def install
          'Api::Connect::V3::Subscriptions::SystemsController'.safe_constantize&.prepend(Announce)
        end

        # @param error [Exception] of ActiveRecord
        # @return [Integer, nil] what to answer to it: 422 when the client's values are to blame, 503
        #   when the database is, nil when it is a defect
        def status_for(error)
          lost = CONNECTION_ERRORS.filter_map(&:safe_constantize)
          return 503 if lost.any? { |kind| error.is_a?(kind) || error.cause.is_a?(kind) }

          # mysql2 and Trilogy name it differently.
          number = error.cause.try(:error_number) || error.cause.try(:error_code)
          return 422 if BAD_VALUES.include?(number)

          503 if UNAVAILABLE.include?(number)
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

      # What would go wrong before the action, outside of what Rails lets a controller rescue.
      def process_action(*)
        return super unless RmtRs.takes?(door_operation)
        return unless columns_known?

        super
      rescue ArgumentError
        # Rails checks the encoding of values; keys make it crash while it logs them.
        raise if performed? || Controller.valid_keys?(request.request_parameters)

        refuse('The request is not valid UTF-8', 400)
      end

      # Rails wraps parameters by a model's columns, and would wait for the database to name them.
      def columns_known?
        RmtRs.system_defaults
        true
      rescue Unavailable, ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
        raise unless e.is_a?(Unavailable) || Controller.status_for(e) == 503

        logger.error("rmt_rs: #{door_operation} failed: #{e.message}")
        render_unavailable
        false
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

      # Answers what is the client's fault.
      def refuse(message, status)
        RmtRs.count(door_operation, :refused)
        logger.info("rmt_rs: #{door_operation} refused: #{message}")
        render_rmt_error(message, status)
      end

      # Answers in RMT's error shape (`ActionController::TranslatedError`).
      def render_rmt_error(message, status)
        render json: { type: 'error', error: message, localized_error: message }, status: status
      end

      # After Rust failed for a reason that is not the request's: Ruby's own action, in the block, if
      # that cannot do harm and may help, else 503.
      def broke(failure, &)
        return fall_back(failure, &) unless failure.written? || failure.is_a?(Unavailable)

        logger.error("rmt_rs: #{door_operation} failed: #{failure.message}")
        render_unavailable
      end

      # What the database refuses to Ruby as well becomes an answer instead of a crash.
      def fall_back(failure)
        RmtRs.count(door_operation, :fallback)
        logger.warn("rmt_rs: #{door_operation} left to Ruby: #{failure.message}")
        yield
      rescue ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
        status = Controller.status_for(e)
        raise if performed? || status.nil?
        return refuse('A parameter cannot be stored', status) if status == 422

        logger.error("rmt_rs: #{door_operation} failed in Ruby, too: #{e.class}")
        render_unavailable
      end

      def render_unavailable
        RmtRs.count(door_operation, :unavailable)
        render_rmt_error('The database is not available at the moment. Please try again later.', 503)
      end
    end
  end
end

require_relative 'controller/announce'
