# frozen_string_literal: true

module RmtRs
  # Finds out, once at boot, whether an endpoint is still RMT's own. Other engines replace actions
  # and add callbacks to models; what Rust would pass over has to stay with Ruby. In doubt it does.
  class Survey
    # Model callbacks of others that the doors run themselves, by the method they call.
    # `share_registration`: registration_sharing marks every system that is created.
    HONOURED = %i[share_registration].freeze

    # What RMT's announce calls on its way, besides Rails.
    ANNOUNCE_METHODS = %i[announce_system process_system_profiles info_params].freeze
    # Callbacks that creating a record runs.
    CREATE_CALLBACKS = %i[initialize validation validate save create commit].freeze

    # @param root [String] the application's root
    # @param own [String] where this gem's code is
    def initialize(root, own: __dir__)
      @root = File.realpath(root)
      @own = File.realpath(own)
      @rails = [ActiveRecord, ActiveModel, ActiveSupport].map { |part| source_directory(part) }
    end

    # @return [Array<String>] why announce has to stay with Ruby; empty when it need not
    def announce
      controllers = [::Api::Connect::V3::Subscriptions::SystemsController,
                     ::Api::Connect::V4::Subscriptions::SystemsController]
      controllers.flat_map { |controller| replaced(controller, ANNOUNCE_METHODS) }.uniq +
        replaced(::System.singleton_class, %i[generate_secure_login generate_secure_password create!]) +
        foreign_callbacks(::System)
    rescue NameError => e
      ["RMT's announce was not found: #{e.message}"]
    end

    # @return [Array<Symbol>] callbacks of {HONOURED} on creating a `model`
    def honoured(model)
      callbacks(model).select { |filter| HONOURED.include?(filter) }
    end

    private

    # Methods of `holder` that are defined outside RMT, Rails and this gem.
    def replaced(holder, names)
      names.filter_map do |name|
        next unless holder.method_defined?(name) || holder.private_method_defined?(name)

        place = foreign_place(original(holder.instance_method(name)))
        "#{name} is replaced in #{place}" if place
      end
    end

    # The method beneath this gem's own.
    def original(method)
      method = method.super_method while method&.source_location&.first.to_s.start_with?("#{@own}/")
      method
    end

    def foreign_callbacks(model)
      (callbacks(model) - HONOURED).filter_map do |filter|
        place = foreign_place(filter.is_a?(Symbol) ? model.instance_method(filter) : filter)
        "#{model.name} has a callback in #{place}" if place
      end.uniq
    end

    def callbacks(model)
      CREATE_CALLBACKS.flat_map do |kind|
        chain = model.public_send("_#{kind}_callbacks")
        # Rails 6.1 keeps what was given to `before_save` & co. as raw_filter, later ones as filter.
        chain.map { |callback| callback.respond_to?(:raw_filter) ? callback.raw_filter : callback.filter }
      end.uniq
    end

    # @return [String, nil] where `code` is, when that is neither Rails nor RMT's own app
    def foreign_place(code)
      file, line = location(code)
      return 'an unknown place' unless file

      file = File.realpath(file) if File.exist?(file)
      return if file.start_with?("#{@root}/app/", "#{@root}/lib/", *@rails)

      "#{file.delete_prefix("#{@root}/")}:#{line}"
    end

    def location(code)
      return code.source_location if code.respond_to?(:source_location)

      # An object with callback methods, such as a validator: its class says where it is from.
      Object.const_source_location(code.class.name)
    end

    def source_directory(part)
      "#{File.dirname(File.realpath(part.method(:version).source_location.first), 2)}/"
    end
  end
end
