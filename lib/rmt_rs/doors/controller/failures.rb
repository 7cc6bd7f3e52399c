# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # What becomes of a request that Rust did not carry out: refused, left to Ruby, or put off.
      module Failures
        # Error numbers of the database for values that do not fit their column, or each other …
        BAD_VALUES = [1062, 1153, 1264, 1267, 1292, 1300, 1366, 1406, 3140, 3141, 3988, 4025].freeze
        # … and for a database that cannot serve anybody: too many connections, full, read-only, ending,
        # gone; or that gave up this time: a deadlock, a lock, a commit, somebody who ended it.
        UNAVAILABLE = [1, 3, 20, 1021, 1026, 1030, 1040, 1047, 1053, 1114, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1203,
                       1205, 1213, 1226, 1290, 1317, 1467, 1792, 1836, 1927, 1969, 2002, 2003, 2005, 2006, 2013].freeze
        # What a lost connection raises, in Rails and in the clients; not every version has all of them.
        CONNECTION_ERRORS = %w[ActiveRecord::ConnectionNotEstablished ActiveRecord::ConnectionFailed
                               Mysql2::Error::ConnectionError Trilogy::ConnectionError].freeze
        # What Rust found out of the request, and is no failure of its own.
        ANSWERS = [Gone, BadInput, RmtError, Invalid].freeze
        # Parameters at the top that no client sends as many of.
        MANY = 10_000
        private_constant :BAD_VALUES, :UNAVAILABLE, :CONNECTION_ERRORS, :ANSWERS, :MANY

        class << self
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
        end

        private

        # A refusal is raised, as RMT raises its own: what comes after an action does not come after that.
        def rescue_with_handler(exception)
          return super unless exception.is_a?(Refusal)

          render_refusal(exception)
          exception
        end

        # What would go wrong before the action, outside of what Rails lets a controller rescue.
        def outside_of_rescue
          # Rails wraps parameters by a model's columns, and would wait for the database to name them.
          RmtRs.system_defaults if wraps_by_columns?
          yield
        rescue Unavailable, ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
          raise unless ours?(door_operation)

          not_reached(door_operation, e)
        rescue ArgumentError
          # Rails checks the encoding of values; keys make it crash while it logs them.
          raise if !ours?(door_operation) || performed? || Shared.valid_keys?(request.request_parameters)

          refuse(door_operation, 'The request is not valid UTF-8', 400)
        rescue SystemStackError
          # Rails wraps parameters with a call that has each of their names for an argument.
          raise if !ours?(door_operation) || performed? || request.request_parameters.size < MANY

          refuse(door_operation, 'The request has too many parameters', 422)
        end

        # Answers for a database that was asked by Rails; any other error is raised again.
        def not_reached(operation, error)
          raise error if performed? || !(error.is_a?(Unavailable) || Failures.status_for(error) == 503)

          error.is_a?(Unavailable) ? admission.failed(error) : admission.finish(reached: false)
          give_up(operation, error.class)
        end

        # Answers for a failure of Rust's; the block is RMT's own way.
        def failed(operation, error, &)
          admission.settle(:worked) if ANSWERS.any? { |kind| error.is_a?(kind) }
          case error
          # RMT rescues it itself.
          when Gone then raise ActiveRecord::InvalidForeignKey
          when BadInput then refuse(operation, error.message, 422)
          when RmtError then refuse(operation, error.message, error.status)
          when Invalid
            RmtRs.count(operation, :refused)
            # As the model would: Rails answers 422 in a shape of its own.
            raise ActiveRecord::RecordInvalid
          else broke(operation, error, &)
          end
        end

        # Ends a request that is the client's fault.
        def refuse(operation, message, status)
          RmtRs.count(operation, :refused)
          # Some messages quote the client.
          own_line(:info, "#{operation} refused: #{Quoted.on_one_line(message.truncate(200))}")
          raise Refusal.new(message, status)
        end

        # Answers in RMT's error shape.
        def render_refusal(refusal)
          response.headers.merge!(Refusal.headers_for(refusal.status))
          render json: refusal.body, status: refusal.status
        end

        # After Rust failed for a reason that is not the request's: Ruby's own way if that cannot do
        # harm and may help, else 503.
        def broke(operation, failure, &)
          return fall_back(operation, failure, &) if failure.redeemable?

          admission.failed(failure)
          return left(operation) if failure.is_a?(Abandoned)

          give_up(operation, failure.message, failure.is_a?(Silent) ? :silent : :unavailable)
        end

        # What the database refuses to Ruby as well becomes an answer instead of a crash.
        def fall_back(operation, failure)
          RmtRs.count(operation, :fallback)
          own_line(:warn, "#{operation} left to Ruby: #{failure.message}")
          admission.leave_to_ruby(failure)
          write_note
          yield
        rescue RmtRs::Error => e
          admission.failed(e)
          give_up(operation, e.message)
        rescue ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
          bad_value = !performed? && Failures.status_for(e) == 422
          bad_value ? refuse(operation, 'A parameter cannot be stored', 422) : not_reached(operation, e)
        end

        # Ends a request whose client will not read the answer; nothing of it was written.
        def left(operation)
          own_line(:info, "#{operation} is not carried out: its client has left")
          @note = nil
          RmtRs.count(operation, :left)
          raise Refusal.unavailable
        end

        # Ends a request for which there is no database.
        def give_up(operation, what, outcome = :unavailable)
          own_line(:error, "#{operation} failed: #{what}")
          # To try that now would only be to wait longer.
          @note = nil
          RmtRs.count(operation, outcome)
          raise Refusal.unavailable
        end
      end
    end
  end
end
