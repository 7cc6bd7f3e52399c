# frozen_string_literal: true

require 'openssl'
require_relative 'nested_arrays'

module RmtRs
  module Doors
    module Controller
      # What the doors of all controllers share.
      module Shared
        TOKEN_HEADER = 'System-Token'
        # Names and addresses that need no closer look.
        PLAIN_HOST = /\A[a-z\d][a-z\d.-]*\z/i
        private_constant :PLAIN_HOST

        class << self
          # @param parameters [Object] as a request has them
          # @return [Boolean] whether every key is valid text
          def valid_keys?(parameters)
            case parameters
            when Hash then parameters.all? { |key, value| key.to_s.valid_encoding? && valid_keys?(value) }
            when Array then parameters.all? { |value| valid_keys?(value) }
            else true
            end
          end

          # @return [Boolean] whether Rack gives each answer an ETag
          def etags?
            return @etags if defined?(@etags)

            stack = Rails.application.middleware
            # Before that it is a list of wishes.
            built = stack.is_a?(ActionDispatch::MiddlewareStack)
            built && (@etags = stack.include?(::Rack::ETag))
          end

          # What Rack and Puma find out of a body. Rack's own way takes many times as long for a tree of products: OpenSSL
          # makes use of what processors have for that.
          #
          # @param body [String]
          # @return [Hash{String => String}]
          def headers_of(body)
            { 'ETag' => %(W/"#{OpenSSL::Digest::SHA256.hexdigest(body).byteslice(0, 32)}"),
              'Content-Length' => body.bytesize.to_s }
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
          return in_ruby(&ruby) unless takes?(operation)

          begin
            outcome = timed(&rust)
          rescue RmtRs::Error => e
            return failed(operation, e) { in_ruby(&ruby) }
          end
          RmtRs.count(operation, :rust)
          admission.settle(:worked)
          yield outcome
        end

        # Lets RMT's own code go on, which finds the records that it expects.
        def in_ruby
          leave_records
          yield
        end

        # Puts the records that RMT's steps have left by now where RMT has them. Where nobody else looks they are
        # made only before RMT's own code goes on.
        def leave_records
          return if @system || @known.nil?

          columns = JSON.parse(@known.columns)
          @system = record_of(@new_token ? columns.merge('system_token' => @old_token) : columns)
        end

        # Whether somebody else may look at those records during this request.
        def watched?
          return @watched if defined?(@watched)

          @watched = !takes?(door_operation) || RmtRs.onlookers?(self.class)
        end

        def process_action(*)
          return super unless ours?(door_operation)

          raise Refusal.unavailable if admission.nobody?

          outside_of_rescue { super }
        rescue Refusal => e
          render_refusal(e)
        ensure
          take_back_token
          write_note_after_all
          request.env[Doorkeeper::ADMISSION]&.finish
        end

        # A callback after the action has failed: the client will not hear of its new token, and would be
        # taken for another system with the old one. RMT has not changed it at that point.
        def take_back_token
          return unless @new_token

          ::System.where(id: (@system || @known).id, system_token: @new_token).update_all(system_token: @old_token)
        rescue ActiveRecord::ActiveRecordError => e
          own_line(:error, "#{action_name}: a token that was not told is not taken back: #{e.class}")
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
          own_line(:error, "#{action_name}: the system is not noted as seen: #{e.message}")
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
          raise Declined, 'a multipart body' if multipart?

          answers_json
          # Where nobody watches, nobody has changed them.
          given = watched? ? params.slice(*names).to_unsafe_h : request.parameters
          NestedArrays.checked(names.filter_map { |name| [name, given[name]] if given.key?(name) }.to_h)
        end

        def multipart?
          request.content_mime_type&.ref == :multipart_form
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
          raise ActionController::UnknownFormat unless json?
          return head(:no_content) if request.head?

          answer_with(body, :ok)
        end

        # Answers with JSON as it is: `render` would look for formats, templates and layouts first.
        def answer_with(body, status)
          self.status = status
          self.content_type = 'application/json'
          # The log names it for whoever renders.
          self.view_runtime = 0.0
          response.headers.merge!(Shared.headers_of(body)) if Shared.etags?
          self.response_body = body
        end

        # Rails' own comparison of formats goes through all their names.
        def json?
          request.format.ref == :json
        end

        # Where another format is asked for RMT stores first and then finds that it cannot answer.
        def answers_json
          raise Declined, 'an answer other than JSON' unless json?
        end

        # What an answer about the catalog depends on besides the catalog.
        def look_of_answer
          RmtRs.look(base_url_of_answer)
        end

        # What the client believes to be talking to. RMT crashes on what cannot be a part of a URL.
        def base_url_of_answer
          return request.base_url if request.host.match?(PLAIN_HOST) || URI(request.base_url).host.present?

          raise URI::InvalidURIError
        rescue URI::InvalidURIError
          raise RmtError.new('The Host header names no host', false, 400)
        end

        # The record for Ruby's code around Rust's, without asking the database.
        def record_of(columns)
          ::System.instantiate(RmtRs.system_defaults.merge(columns))
        end

        # Who an operation that writes is carried out for.
        def authorised
          [@system ? system_of_record : @known, @note, rotates_token?]
        end

        # The system as the record has it: others may have changed it meanwhile.
        def system_of_record
          columns = columns_of(@system)
          changed = @system.changed
          # RMT's model gives a row that was never registered the time when it is read; Rust does that itself.
          columns['registered_at'] = nil if changed.delete('registered_at') && @system.registered_at_was.nil?
          # By a callback that counts on RMT's own action to save it.
          raise Declined, 'the system has unsaved changes' if changed.any?

          RmtRs.system(columns)
        end

        def rotates_token?
          token_sent? && tokens_enabled?
        end

        def token_sent?
          request.has_header?('HTTP_SYSTEM_TOKEN')
        end

        # RMT looks it up in its settings, which takes a while.
        def tokens_enabled?
          return @tokens_enabled if defined?(@tokens_enabled)

          @tokens_enabled = system_tokens_enabled?
        end

        # Leaves the system as an operation left it. Its new token shows when RMT's would.
        def changed_system(system)
          @note = nil
          @old_token = @system ? @system.system_token : @known.token
          @new_token = system.token if rotates_token?
          @known = system
          return unless @system

          @system = nil
          leave_records
        end

        # The columns of a record as the database has them.
        def columns_of(system)
          columns = system.attributes.transform_values { |value| value.respond_to?(:utc) ? value.utc.strftime('%F %T') : value }
          columns.merge('proxy_byos_mode' => byos_mode_of(system))
        end

        # The number behind the model's enum.
        def byos_mode_of(system)
          mode = system.proxy_byos_mode
          mode.is_a?(String) ? ::System.proxy_byos_modes[mode] : mode
        end

        # Runs what others want called when a record is created or deleted. That is done: a client that
        # was told of an error would not know its new token, or credentials.
        #
        # @param model [Class]
        # @yieldreturn [ActiveRecord::Base] the record, if anybody wants to know
        def tell_others(model)
          callbacks = RmtRs.honoured_callbacks(model)
          return if callbacks.empty?

          record = yield
          callbacks.each do |callback|
            record.public_send(callback)
          rescue StandardError => e
            own_line(:error, "#{callback} of #{model} #{record.id} failed: #{e.class}: #{Quoted.on_one_line(e.message)}")
          end
        end

        def write_log(lines)
          lines.each { |level, text| logger.public_send(level, text) }
        end

        # A line that RMT would not write.
        def own_line(level, text)
          logger.public_send(level, RmtRs.line("rmt_rs: #{text}", request.request_id))
        end
      end
    end
  end
end
