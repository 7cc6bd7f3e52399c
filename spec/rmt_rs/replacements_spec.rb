# frozen_string_literal: true

require 'active_support'
require 'active_support/core_ext/string/inflections'
require 'rmt_rs/replacements'

# Whether a method that an engine has put in the place of RMT's does what Rust can follow.
RSpec.describe RmtRs::Replacements do
  subject(:replacements) { described_class.new }

  controller = 'Api::Connect::V3::Systems::ProductsController'

  # A serializer whose URLs are made of what the routes say.
  def serializer(&)
    stub_const('V3::ServiceSerializer', Class.new do
      define_method(:initialize) do |service, options|
        @service = service
        @base_url = options[:base_url]
      end
      define_method(:object) { @service }
      define_method(:plain) { service_url(@service, host: @base_url, credentials: @service.name) }
      define_method(:url, &)
    end)
  end

  def repositories(&)
    stub_const('RMT::Misc', Class.new { define_singleton_method(:make_repo_url, &) })
  end

  def plain_repositories
    repositories { |base, path, name = nil| "#{base}/repo#{path}#{"?credentials=#{name}" if name}" }
  end

  def code(&)
    Class.new { define_method(:render_service, &) }.instance_method(:render_service)
  end

  it 'knows the URLs of RMT' do
    serializer { plain }
    plain_repositories
    expect(replacements.urls).to eq(:plain)
  end

  it 'knows the URLs for the plugin in public clouds' do
    serializer { "plugin:/susecloud?credentials=#{object.name}&path=#{URI(plain).path}" }
    repositories { |_, path, name = nil| "plugin:/susecloud?credentials=#{name}&path=/repo#{path}" }
    expect(replacements.urls).to eq(:plugin)
    expect(replacements.known?('RMT::Misc.', :make_repo_url, nil)).to be(true)
  end

  it 'knows no others, nor some of both' do
    serializer { "plugin:/susecloud?credentials=#{object.name}&path=#{URI(plain).path}" }
    plain_repositories
    expect(replacements.urls).to be_nil
    serializer { 'https://cdn.example.com' }
    expect(described_class.new.urls).to be_nil
    serializer { raise 'not in this state' }
    expect(described_class.new.urls).to be_nil
    expect(replacements.known?('V3::ServiceSerializer', :url, nil)).to be(false)
  end

  it "knows a rendering that is RMT's" do
    serializer { plain }
    same = code do
      respond_with(@product.service, serializer: V3::ServiceSerializer, base_url: request.base_url,
                                     obsoleted_service_name: @obsoleted_service_name,
                                     status: request.put? || request.post? ? 201 : 200)
    end
    expect(replacements.known?(controller, :render_service, same)).to be(true)
  end

  it 'knows no rendering that is another, or asks for something else' do
    serializer { plain }
    others = [
      code { respond_with(@product.service, serializer: V3::ServiceSerializer, base_url: request.base_url, status: 201) },
      code { respond_with(@product, base_url: request.base_url) },
      code { raise 'no system' unless @system },
      code { nil }
    ]
    expect(others.map { |other| replacements.known?(controller, :render_service, other) }).to all(be(false))
  end

  it 'knows nothing else' do
    expect(replacements.known?(controller, :activate, code { nil })).to be(false)
  end
end
