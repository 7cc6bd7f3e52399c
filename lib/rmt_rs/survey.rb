# frozen_string_literal: true

require_relative 'operations'
require_relative 'replacements'

module RmtRs
  # Finds out, once at boot, whether an endpoint is still RMT's own. Other engines replace methods and
  # add callbacks to models; what Rust would pass over has to stay with Ruby. In doubt it does.
  #
  # Rails has no public list of a model's callbacks: this reads `_commit_callbacks` and the like, which
  # are there in Rails 6.1 to 8.1. Should they go, everything stays with Ruby.
  #
  # @example
  #   RmtRs::Survey.new(Rails.root).reasons[:announce]
  #   # => ["announce_system is replaced in engines/scc_proxy/lib/scc_proxy/engine.rb:291"]
  class Survey
    # Model callbacks of others that the doors run themselves, by the method they call.
    # `share_registration`: registration_sharing marks every system that is created.
    HONOURED = %i[share_registration].freeze

    # The kinds of callbacks that storing and deleting run.
    CALLBACKS = %i[initialize validation validate save create update destroy touch before_commit commit].freeze

    # What Rails calls around an action, and the records that actions leave behind.
    AROUND = %i[process_action append_info_to_payload].freeze
    RECORDS = %w[System Product Subscription].freeze
    private_constant :AROUND, :RECORDS

    # @param root [String, Pathname] the application's root
    # @param own [String] where this gem's code is
    def initialize(root, own: __dir__)
      @root = File.realpath(root)
      @own = File.realpath(own)
      @replacements = Replacements.new
      @rails = [ActiveRecord, ActiveModel, ActiveSupport, ActionPack].map { |part| source_directory(part) }
    end

    # @return [Hash{Symbol => Array<String>}] for each operation why it has to stay with Ruby; empty
    #   when it need not
    def reasons
      reasons = Operations::ALL.transform_values { |parts| reasons_among(**parts) }
      return reasons if reasons[:require_product].empty?

      Operations::CHECKED.each { |action| reasons[action] += ['require_product is left to Ruby'] }
      reasons
    end

    # @return [Hash{String => Array<Symbol>}] by the name of the model the callbacks of {HONOURED} that
    #   others have on it
    def honoured
      %w[System Activation].to_h do |name|
        model = name.safe_constantize
        [name, model ? callbacks(model).select { |filter| HONOURED.include?(filter) } : []]
      end
    end

    # @param controller [Class]
    # @return [Array<String>] where others have callbacks around the controller's actions, methods that Rails calls
    #   around them, or callbacks on the records that actions leave; see {RmtRs.onlookers?}
    def onlookers(controller)
      filters = filters_of(controller._process_action_callbacks)
      codes = filters.map { |filter| filter.is_a?(Symbol) ? original(controller.instance_method(filter)) : filter } +
              AROUND.flat_map { |name| implementations(controller.instance_method(name)) }
      codes.filter_map { |code| foreign_place(code) } + RECORDS.flat_map { |name| foreign_readers(name) }
    rescue StandardError => e
      ["it could not be looked at: #{e.class}: #{e.message}"]
    end

    # @param controller [Class]
    # @return [Array<Symbol, Proc>] what is called before and after its actions
    def steps(controller)
      filters_of(controller._process_action_callbacks)
    end

    # @return [Boolean] see {RmtRs.plugin_urls?}
    def plugin_urls?
      @replacements.urls == :plugin
    end

    private

    def reasons_among(methods:, models:)
      missing = (methods.keys.grep(/Controller/) + models).reject(&:safe_constantize)
      return ["there is no #{missing.first}"] if missing.any?

      (methods.flat_map { |holder, names| replaced(holder, names) } +
        models.flat_map { |name| foreign_callbacks(name) }).uniq
    rescue StandardError => e
      ["it could not be looked at: #{e.class}: #{e.message}"]
    end

    # Methods that are defined outside RMT, Rails and this gem.
    def replaced(name, methods)
      holder = name.delete_suffix('.').safe_constantize or return []
      holder = holder.singleton_class if name.end_with?('.')
      methods.filter_map do |method|
        next unless holder.method_defined?(method) || holder.private_method_defined?(method)

        code = original(holder.instance_method(method))
        place = foreign_place(code)
        "#{method} is replaced in #{place}" if place && !@replacements.known?(name, method, code)
      end
    end

    # The method beneath this gem's own.
    def original(method)
      method = method.super_method while method&.source_location&.first.to_s.start_with?("#{@own}/")
      method
    end

    def foreign_callbacks(name)
      model = name.constantize
      (callbacks(model) - HONOURED).filter_map do |filter|
        place = foreign_place(filter.is_a?(Symbol) ? model.instance_method(filter) : filter)
        "#{name} has a callback in #{place}" if place
      end.uniq
    end

    def callbacks(model)
      CALLBACKS.flat_map { |kind| filters_of(model.public_send("_#{kind}_callbacks")) }.uniq
    end

    # Rails 6.1 keeps what was given to `before_save` & co. as raw_filter, later ones as filter.
    def filters_of(chain)
      chain.map { |callback| callback.respond_to?(:raw_filter) ? callback.raw_filter : callback.filter }
    end

    # All that a call of a method comes to by `super`, without this gem's.
    def implementations(method)
      chain = []
      while method
        chain << method unless method.source_location&.first.to_s.start_with?("#{@own}/")
        method = method.super_method
      end
      chain
    end

    # What others want called for each record that is read.
    def foreign_readers(name)
      model = name.safe_constantize or return []
      [*filters_of(model._find_callbacks), *filters_of(model._initialize_callbacks)].filter_map do |filter|
        foreign_place(filter.is_a?(Symbol) ? model.instance_method(filter) : filter)
      end
    end

    # @return [String, nil] where `code` is, when that is neither Rails, nor a library it or RMT is
    #   built from, nor this gem, nor RMT's own app
    def foreign_place(code)
      file, line = location(code)
      return 'an unknown place' unless file

      file = File.realpath(file) if File.exist?(file)
      return if file.start_with?("#{@root}/app/", "#{@root}/lib/", "#{@own}/", *@rails, *libraries)

      "#{file.delete_prefix("#{@root}/")}:#{line}"
    end

    def location(code)
      return code.source_location if code.respond_to?(:source_location)

      # An object with callback methods, such as a validator: its class says where it is from.
      code.class.name && Object.const_source_location(code.class.name)
    end

    # Where `respond_with` and the serializers come from.
    def libraries
      @libraries ||= %w[ActionController::Responder ActiveModel::Serializer].filter_map do |name|
        file = name.safe_constantize && Object.const_source_location(name)&.first
        "#{File.dirname(File.realpath(file), 2)}/" if file
      end
    end

    def source_directory(part)
      "#{File.dirname(File.realpath(part.method(:version).source_location.first), 2)}/"
    end
  end
end
