# frozen_string_literal: true

# A callback nobody has heard of, on every system that is created.
module AddsCallback
  # Hooks in as engines do.
  class Engine < ::Rails::Engine
    config.after_initialize do
      ::System.before_create { self.pubcloud_reg_code = 'set by a callback' }
    end
  end
end
