# frozen_string_literal: true

require 'delegate'

module RmtRs
  module Doors
    module Controller
      # `ApplicationController#authenticate_system`: the step before most of RMT's actions.
      module Authentication
        # What RMT leaves in `@systems`. Only strict_authentication looks at it, so nothing is made of it before.
        class Systems < Delegator
          # @param login [String]
          # @param password [String]
          def initialize(login, password) # rubocop:disable Lint/MissingSuper -- which would ask for the relation
            @login = login
            @password = password
          end

          # @return [ActiveRecord::Relation<System>] the oldest first
          def __getobj__
            @__getobj__ ||= ::System.get_by_credentials(@login, @password)
          end
        end

        DEFERRING = %i[activate upgrade destroy synchronize update deregister].freeze
        private_constant :Systems, :DEFERRING

        protected

        # Leaves the system in `@system` and its token in the answer, as RMT's own does, or answers.
        #
        # @param skip_on_duplicated [Boolean] leave all alone when several systems have the credentials
        # @return [void]
        def authenticate_system(skip_on_duplicated: false)
          raise Refusal.unavailable if ours?(:authenticate) && admission.nobody?
          return super unless takes?(:authenticate)

          authenticate_or_request_with_http_basic('RMT API') do |login, password|
            # Asks the database, the first time: before anything else does, and with an end to it.
            RmtRs.system_defaults
            @systems = Systems.new(login, password)
            recognise(timed { identify(caller_of_action(login, password, skip_on_duplicated)) })
            true
          end
        rescue RmtRs::Error => e
          failed(:authenticate, e) { super(skip_on_duplicated: skip_on_duplicated) }
        rescue ActiveRecord::StatementInvalid, ActiveRecord::ConnectionNotEstablished => e
          not_reached(:authenticate, e)
        end

        private

        # Actions on products find out more by the way.
        def identify(caller)
          RmtRs.authenticate(caller)
        end

        def caller_of_action(login, password, skip_on_duplicated)
          login = text(login)
          password = text(password)
          # Nobody has such credentials.
          raise RmtError.new('Invalid system credentials', false, 401) unless [login, password].all? { |it| it&.valid_encoding? }

          token = text(request.get_header('HTTP_SYSTEM_TOKEN'))
          raise Declined, 'a token that is no text' if token && !token.valid_encoding?

          [login, password, token_sent?, token, text(request.get_header('HTTP_USER_AGENT'))&.scrub, tokens_enabled?,
           skip_on_duplicated, notes_later?]
        end

        # Whether the action writes, and can write what is to be noted of the system by the way.
        def notes_later?
          DEFERRING.include?(door_operation) && takes?(door_operation)
        end

        # Rack says of no header what encoding it has.
        def text(header)
          header && String.new(header, encoding: Encoding::UTF_8)
        end

        def recognise(recognised)
          RmtRs.count(:authenticate, :rust)
          # Where nothing of Rust's follows.
          admission.settle(:worked) unless door_operation
          write_log(recognised.log)
          return unless recognised.system

          @known = recognised.system
          @note = recognised.note
          leave_records if watched?
          headers[Shared::TOKEN_HEADER] = recognised.token_echo.presence if recognised.token_echo
          tell_others(::System) { in_ruby { @system } } if recognised.copied
        end
      end
    end
  end
end
