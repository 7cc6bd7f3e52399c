# frozen_string_literal: true

# A validation that cannot be traced to a file, and a callback on what an announce creates besides.
module AddsValidator
  # Hooks in as engines do.
  class Engine < ::Rails::Engine
    config.after_initialize do
      ::System.validates_with(Class.new(ActiveModel::Validator) { def validate(_system); end })
      ::Profile.before_commit { Rails.logger.debug('a profile') }
    end
  end
end
