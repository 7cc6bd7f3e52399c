# frozen_string_literal: true

module RmtRs
  # What Rails would log of secrets, it is told not to.
  #
  # @api private
  module Discretion
    # Parameters that no log is to show: passwords, which RMT hides itself, and registration codes.
    SECRETS = %i[password token regcode reg_code].freeze
    private_constant :SECRETS

    module_function

    # @param application [Rails::Application]
    # @return [void]
    def install(application)
      application.config.filter_parameters |= SECRETS
      ActiveSupport.on_load(:action_controller, run_once: true) { Discretion.quote_no_bodies }
    end

    # Ruby's JSON quotes what it does not understand, and Rails logs that whole.
    #
    # @return [void]
    def quote_no_bodies
      parsers = ActionDispatch::Request.parameter_parsers
      json = parsers.fetch(:json) { return }
      discreet = lambda do |body|
        json.call(body)
      rescue JSON::ParserError
        raise JSON::ParserError, 'the body is not JSON', [], cause: nil
      end
      ActionDispatch::Request.parameter_parsers = parsers.merge(json: discreet)
    end
  end
end
