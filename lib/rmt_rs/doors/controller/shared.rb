# frozen_string_literal: true

module RmtRs
  module Doors
    module Controller
      # What the doors of all controllers share.
      module Shared
        # Error numbers of the database for values that do not fit their column, or each other …
        BAD_VALUES = [1062, 1153, 1264, 1267, 1292, 1300, 1366, 1406, 3140, 3141, 3988, 4025].freeze
        # … and for a database that cannot serve anybody: too many connections, full, read-only, ending,
        # gone.
        UNAVAILABLE = [1021, 1040, 1047, 1053, 1114, 1203, 1205, 1226, 1290, 1792, 1836,
                       2002, 2003, 2005, 2006, 2013].freeze
        # What a lost connection raises, in Rails and in the clients; not every version has all of them.
        CONNECTION_ERRORS = %w[ActiveRecord::ConnectionNotEstablished ActiveRecord::ConnectionFailed
                               Mysql2::Error::ConnectionError Trilogy::ConnectionError].freeze
        private_constant :BAD_VALUES, :UNAVAILABLE, :CONNECTION_ERRORS

        TOKEN_HEADER = 'System-Token'

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

        # What of the door this action is, if it is any.
        def door_operation
          nil
        end

        # Whether Rails finds a model by the controller's name.
        def wraps_by_columns?
          true
        end

        # Carries an operation out in Rust when Rust may, else as RMT does.
        #
        # @param operation [Symbol]
        # @param ruby [Proc] RMT's own way
        # @param rust [Proc] what is done in Rust
        # @yieldparam outcome [Object] of `rust`, to be answered
        def in_rust(operation, ruby:, rust:)
          return ruby.call unless RmtRs.takes?(operation)

          begin
            outcome = timed(&rust)
          rescue RmtRs::Error => e
            return failed(operation, e, &ruby)
          end
          RmtRs.count(operation, :rust)
          yield outcome
        end

        # What would go wrong before the action, outside of what Rails lets a controller rescue.
        def process_action(*)
          return super unless RmtRs.takes?(door_operation)

          # Rails wraps parameters by a model's columns, and would wait for the database to name them.
          RmtRs.system_defaults if wraps_by_columns?
          super
        rescue Unavailable, ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
          raise unless RmtRs.takes?(door_operation)

          not_reached(door_operation, e)
        rescue ArgumentError
          # Rails checks the encoding of values; keys make it crash while it logs them.
          raise if !RmtRs.takes?(door_operation) || performed? || Shared.valid_keys?(request.request_parameters)

          refuse(door_operation, 'The request is not valid UTF-8', 400)
        ensure
          write_note_after_all
        end

        # An authentication leaves it to the action to note that the system was seen. This is for
        # actions that never came to it.
        def write_note
          return unless @note

          timed { RmtRs.note(@note) }
          @note = nil
        end

        def write_note_after_all
          write_note
        rescue RmtRs::Error => e
          logger.error("rmt_rs: #{action_name}: the system is not noted as seen: #{e.message}")
        end

        # Answers for a database that was asked by Rails; any other error is raised again.
        def not_reached(operation, error)
          raise error if performed? || !(error.is_a?(Unavailable) || Shared.status_for(error) == 503)

          logger.error("rmt_rs: #{operation} failed: #{error.class}")
          render_unavailable(operation)
        end

        # Runs what is done in Rust and takes its time.
        def timed
          started = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
          yield
        ensure
          @rust_runtime = @rust_runtime.to_f + Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond) - started
        end

        # Most of that time is the database's, and who reads RMT's log looks for it there.
        def append_info_to_payload(payload)
          super
          payload[:db_runtime] = payload[:db_runtime].to_f + @rust_runtime if @rust_runtime
        end

        # What Rust looks at of the request's parameters.
        def parameters_among(names)
          raise Declined, 'a multipart body' if request.content_mime_type == :multipart_form

          answers_json
          params.slice(*names).to_unsafe_h
        end

        # Those of the parameters that `permit` lets through, and what else stands under a name as an
        # empty array: that it is there is all that matters of it.
        def scalars_among(names)
          params.slice(*names).to_unsafe_h.transform_values do |value|
            case value
            when String, true, false, nil then value
            when Numeric then value.to_s
            else []
            end
          end
        end

        # Answers as `respond_with` does where only JSON can be had; what fails was answered before.
        def respond_with_json(body)
          raise ActionController::UnknownFormat unless request.format == :json
          return head(:no_content) if request.head?

          render body: body, content_type: 'application/json'
        end

        # Where another format is asked for RMT stores first and then finds that it cannot answer.
        def answers_json
          raise Declined, 'an answer other than JSON' unless request.format == :json
        end

        # What an answer about the catalog depends on besides the catalog.
        def look_of_answer
          { base_url: base_url_of_answer, free_as_stored: defined?(::SccProxy::Engine) ? true : false,
            plugin_urls: RmtRs.plugin_urls?, credentials_in_repoindex: defined?(::StrictAuthentication::Engine) ? true : false,
            redirect_hosts: '::RMT::Config'.safe_constantize.try(:redirect_repo_hosts) || [] }
        end

        # What the client believes to be talking to. RMT crashes on what cannot be a part of a URL.
        def base_url_of_answer
          return request.base_url if URI(request.base_url).host.present?

          raise URI::InvalidURIError
        rescue URI::InvalidURIError
          raise RmtError.new('The Host header names no host', false, 400)
        end

        # The record for Ruby's code around Rust's, without asking the database.
        def record_of(columns)
          ::System.instantiate(RmtRs.system_defaults.merge(columns))
        end

        # Who an operation that writes is carried out for.
        def authorised(**more)
          columns = columns_of(@system)
          changed = @system.changed
          # RMT's model gives a row that was never registered the time when it is read; Rust does that itself.
          columns['registered_at'] = nil if changed.delete('registered_at') && @system.registered_at_was.nil?
          # By a callback that counts on RMT's own action to save it.
          raise Declined, 'the system has unsaved changes' if changed.any?

          { system: columns, note: @note, rotate_token: rotates_token?, **more }
        end

        def rotates_token?
          request.headers.key?(TOKEN_HEADER) && system_tokens_enabled?
        end

        # Leaves the system as an operation left it. Its new token shows when RMT's would.
        def changed_system(columns)
          @note = nil
          @new_token = columns['system_token'] if rotates_token?
          @system = record_of(columns.merge('system_token' => @system.system_token))
        end

        # The columns of a record as the database has them.
        def columns_of(system)
          columns = system.attributes.transform_values { |value| value.respond_to?(:utc) ? value.utc.strftime('%F %T') : value }
          mode = columns['proxy_byos_mode']
          mode = ::System.proxy_byos_modes[mode] if mode.is_a?(String)
          columns.merge('proxy_byos_mode' => mode)
        end

        # Runs what others want called when a record is created or deleted. That is done: a client that
        # was told of an error would not know its new token, or credentials.
        def tell_others(record)
          RmtRs.honoured_callbacks(record.class).each do |callback|
            record.public_send(callback)
          rescue StandardError => e
            logger.error("rmt_rs: #{callback} of #{record.class} #{record.id} failed: #{e.class}: #{e.message}")
          end
        end

        def write_log(lines)
          lines.each { |line| logger.public_send(line['level'], line['text']) }
        end

        # Answers for a failure of Rust's; the block is RMT's own way.
        def failed(operation, error, &)
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

        # Answers what is the client's fault.
        def refuse(operation, message, status)
          RmtRs.count(operation, :refused)
          # Some messages quote the client.
          logger.info("rmt_rs: #{operation} refused: #{message.truncate(200).gsub(/[[:cntrl:]]/, '?')}")
          render_rmt_error(message, status)
        end

        # Answers in RMT's error shape (`ActionController::TranslatedError`).
        def render_rmt_error(message, status)
          render json: { type: 'error', error: message, localized_error: message }, status: status
        end

        # After Rust failed for a reason that is not the request's: Ruby's own way if that cannot do
        # harm and may help, else 503.
        def broke(operation, failure, &)
          return fall_back(operation, failure, &) unless failure.written? || failure.is_a?(Unavailable)

          give_up(operation, failure)
        end

        # What the database refuses to Ruby as well becomes an answer instead of a crash.
        def fall_back(operation, failure)
          RmtRs.count(operation, :fallback)
          logger.warn("rmt_rs: #{operation} left to Ruby: #{failure.message}")
          write_note
          yield
        rescue RmtRs::Error => e
          give_up(operation, e)
        rescue ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
          bad_value = !performed? && Shared.status_for(e) == 422
          bad_value ? refuse(operation, 'A parameter cannot be stored', 422) : not_reached(operation, e)
        end

        def give_up(operation, failure)
          logger.error("rmt_rs: #{operation} failed: #{failure.message}")
          render_unavailable(operation)
        end

        def render_unavailable(operation)
          # To try that now would only be to wait longer.
          @note = nil
          RmtRs.count(operation, :unavailable)
          render_rmt_error('The database is not available at the moment. Please try again later.', 503)
        end
      end
    end
  end
end
