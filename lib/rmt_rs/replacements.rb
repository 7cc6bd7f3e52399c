# frozen_string_literal: true

module RmtRs
  # Replacements of RMT's methods by its own engines for public clouds (zypper_auth) that Rust can
  # follow. Whether a method is one of them is found out by calling it: with stand-ins for what it works
  # on, and a look at what it makes of them. So a new version of an engine that does something else
  # is not taken for one that is known.
  #
  # @example
  #   RmtRs::Replacements.new.urls # => :plain
  class Replacements
    # What stands for a service, a request, a product and a system.
    Service = Struct.new(:id, :name)
    Request = Struct.new(:base_url, :put?, :post?)
    Product = Struct.new(:service)
    System = Struct.new(:activations)
    private_constant :Service, :Request, :Product, :System

    BASE = 'http://rmt.example.com'
    PLUGIN = 'plugin:/susecloud?credentials='
    PATH = '/SUSE/Products'
    private_constant :BASE, :PLUGIN, :PATH

    # What URLs of services and repositories look like, by who makes them.
    URLS = { ['V3::ServiceSerializer', :url] => :service_urls, ['RMT::Misc.', :make_repo_url] => :repository_urls }.freeze
    private_constant :URLS

    # @param holder [String] 'Name' of a class, or 'Name.' for a class's own methods
    # @param method [Symbol]
    # @param code [UnboundMethod] the replacement
    # @return [Boolean] whether what it does is known
    def known?(holder, method, code)
      case [holder, method]
      when *URLS.keys then !urls.nil?
      when ['Api::Connect::V3::Systems::ProductsController', :render_service],
           ['Api::Connect::V4::Systems::ProductsController', :render_service] then renders_service?(code)
      when ['Api::Connect::V3::Systems::ActivationsController', :index],
           ['Api::Connect::V4::Systems::ActivationsController', :index] then lists_activations?(code)
      else false
      end
    rescue StandardError
      false
    end

    # @return [Symbol, nil] `:plain` as RMT has them, `:plugin` as SUSE's zypper plugin for public clouds
    #   wants them, nil when they are neither
    def urls
      return @urls if defined?(@urls)

      kinds = URLS.values.map { |urls| send(urls) }.uniq
      @urls = kinds.first if kinds.one?
    rescue StandardError
      @urls = nil
    end

    private

    def service_urls
      serializer = '::V3::ServiceSerializer'.safe_constantize or return :plain
      serializer = serializer.new(Service.new(7, 'A_B'), base_url: BASE)
      # The routes are not known yet when this is asked.
      serializer.define_singleton_method(:service_url) do |service, host:, credentials:|
        "#{host}/services/#{service.id}?credentials=#{credentials}"
      end
      case serializer.url
      when "#{BASE}/services/7?credentials=A_B" then :plain
      when "#{PLUGIN}A_B&path=/services/7" then :plugin
      end
    end

    def repository_urls
      misc = '::RMT::Misc'.safe_constantize or return :plain
      case [misc.make_repo_url(BASE, PATH, 'A_B'), misc.make_repo_url(BASE, PATH)]
      when ["#{BASE}/repo#{PATH}?credentials=A_B", "#{BASE}/repo#{PATH}"] then :plain
      when ["#{PLUGIN}A_B&path=/repo#{PATH}", "#{PLUGIN}&path=/repo#{PATH}"] then :plugin
      end
    end

    def renders_service?(code)
      service = Service.new(7, 'A_B')
      [true, false].all? do |changing|
        answer = answer_of(code, Request.new(BASE, changing, false),
                           product: Product.new(service), obsoleted_service_name: 'C')
        answer == [[service], { serializer: ::V3::ServiceSerializer, base_url: BASE, obsoleted_service_name: 'C',
                                status: changing ? 201 : 200 }]
      end
    end

    def lists_activations?(code)
      activations = Object.new
      answer = answer_of(code, Request.new(BASE, false, false), system: System.new(activations))
      answer == [[activations], { each_serializer: ::V3::ActivationSerializer, base_url: BASE, include: '*.*' }]
    end

    # What an action hands to `respond_with`.
    def answer_of(code, request, variables)
      controller = code.owner.allocate
      answer = nil
      controller.define_singleton_method(:request) { request }
      controller.define_singleton_method(:respond_with) { |*resources, **options| answer = [resources, options] }
      variables.each { |name, value| controller.instance_variable_set("@#{name}", value) }
      code.bind_call(controller)
      answer
    end
  end
end
