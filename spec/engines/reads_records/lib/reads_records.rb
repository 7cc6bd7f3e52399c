# frozen_string_literal: true

# Looks at every record that is read, and has no callback on any action.
module ReadsRecords
  # Hooks in as engines do.
  class Engine < ::Rails::Engine
    config.after_initialize do
      [::System, ::Product, ::Subscription].each do |model|
        model.after_find { Rails.logger.info("reads #{self.class} #{id}") }
      end
    end
  end
end
