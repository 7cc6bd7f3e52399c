# frozen_string_literal: true

# Which layer of the application a sample of the profile belongs to: that of the innermost frame that is known.
#
# @example
#   Layers.new('/srv/rmt_rs/lib').count(StackProf.run(mode: :cpu, raw: true) { request })
#   # => { "routing" => { "samples" => 12, "methods" => { "ActionDispatch::Journey::Router#find_routes" => 7, … } }, … }
class Layers
  # The first that fits: what the method is called or its file is. The gem's own come before; see {#initialize}.
  RULES = {
    'garbage collection' => /\A\((garbage|marking|sweeping)/,
    'parameters: wrapping' => /\AActionController::ParamsWrapper/,
    'parameters: parsing' => /\AActionDispatch::Http::Parameters|\AActionDispatch::Request#(POST|GET|parameters|body|raw_post)|
                              \AActionDispatch::Request::Utils|\AActiveSupport::JSON\.decode|\ARack::Request::Helpers#(POST|GET)|
                              \AActionDispatch::Http::FilterParameters|\AActiveSupport::ParameterFilter/x,
    'routing' => %r{\AActionDispatch::(Journey|Routing)|\AVersionist|/versionist},
    'logging and instrumentation' => %r{\A(ActiveSupport::(LogSubscriber|TaggedLogging|Logger|Notifications)|Logger|
                                         ActionController::(LogSubscriber|Instrumentation)|Rails::Rack::Logger|RMT::Logger|
                                         IO\#write|ActiveRecord::(LogSubscriber|Railties::ControllerRuntime)|Lograge|Yabeda)|
                                        /yabeda}x,
    'answer: format, headers, body' => /\A(Abstract|Action)Controller::(Rendering|Renderers|Head|MimeResponds|ApiRendering|
                                        BasicImplicitRender|Responder|ConditionalGet|RespondWith)|\AActionView|
                                        \AActionDispatch::(Response|Http::MimeNegotiation|Http::Cache)|\AMime::/x,
    'serializers' => /\A(ActiveModel::Serializer|ActiveModelSerializers|V3::|ActiveSupport::JSON(\.encode|::Enc))/,
    'records (ActiveRecord)' => /\A(ActiveRecord|ActiveModel|Arel|Mysql2)/,
    'authentication by Rails' => /\AActionController::HttpAuthentication/,
    'translations' => /\A(FastGettext|GettextI18nRails|I18n)/,
    'controller and callbacks' => /\A(AbstractController|ActionController::(?!Parameters)|ActiveSupport::Callbacks|
                                     ApplicationController|Api::)/x,
    'middleware' => %r{\A(Rack::|ActionDispatch::|Rails::|ActiveSupport::(Cache|Executor|ExecutionWrapper))|/middleware/}
  }.freeze
  BINDING = 'binding, and the core while the request waits'
  # What stands around the rest of a request.
  AROUND = /#(block in )?(process_action|outside_of_rescue)\z/
  # What the gem does, by its files.
  OWN = { 'door: JSON from and for the core' => 'rmt_rs.rb', 'door' => 'rmt_rs/' }.freeze
  private_constant :RULES, :OWN, :BINDING, :AROUND

  # @param library [String] where the gem's code is
  def initialize(library)
    @library = File.realpath(library)
    @layers = {}
  end

  # @param profile [Hash] of StackProf, with raw samples
  # @return [Hash{String => Hash}] how many samples each layer has, and its outermost methods that have most
  def count(profile)
    counts = {}
    each_stack(profile) do |frames, weight|
      layer, method = place(frames)
      count = counts[layer] ||= { 'samples' => 0, 'methods' => Hash.new(0) }
      count['samples'] += weight
      count['methods'][method] += weight
    end
    counts.each_value { |it| it['methods'] = it['methods'].sort_by { |_, many| -many }.first(8).to_h }
  end

  # @param profile [Hash] of StackProf, with raw samples
  # @return [Hash{String => Integer}] how many samples each of the gem's methods has, with all it calls but
  #   the gem's other methods
  def own_methods(profile)
    counts = Hash.new(0)
    each_stack(profile) do |frames, weight|
      own = frames.reverse_each.find { |frame| own_layer(frame) && !frame[:name].match?(AROUND) }
      counts[own[:name].delete_prefix('block in ')] += weight if own
    end
    counts
  end

  private

  # Samples are written one after the other: how many frames, the frames from the outermost on, how often.
  def each_stack(profile)
    raw = profile.fetch(:raw)
    index = 0
    while index < raw.size
      depth = raw[index]
      yield raw[index + 1, depth].map { |id| profile[:frames].fetch(id) }, raw[index + depth + 1]
      index += depth + 2
    end
  end

  def place(frames)
    innermost = frames.rindex { |frame| layer_of(frame) }
    return ['other', frames.first[:name]] unless innermost

    [layer_of(frames[innermost]), frames[innermost][:name]]
  end

  def layer_of(frame)
    @layers.fetch(frame) { @layers[frame] = find(frame[:name], frame[:file].to_s) }
  end

  def find(name, file)
    return BINDING if name.start_with?('RmtRs::Native.')

    own = OWN.find { |_, part| real(file).start_with?(File.join(@library, part)) }
    (own || RULES.find { |_, pattern| name.match?(pattern) || file.match?(pattern) })&.first
  end

  def own_layer(frame)
    layer = layer_of(frame)
    layer if layer == BINDING || OWN.key?(layer)
  end

  def real(file)
    File.exist?(file) ? File.realpath(file) : file
  end
end
