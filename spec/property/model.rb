# frozen_string_literal: true

require 'date'
require 'uri'
require_relative 'catalog'
require_relative 'world'
require_relative 'model/caller'
require_relative 'model/parameters'
require_relative 'model/products'
require_relative 'model/systems'

module Property
  # The contract of a registration as a function: from the rows that are there, and a request, to what
  # has to be answered and which rows have to be there afterwards. It has no state and no database.
  #
  # @example
  #   Property::Model.new(catalog).expect(request, rows).differences(turn, rows_afterwards) # => []
  class Model
    include Products
    include Systems

    # Operations by what is asked for; what has an id in its path is called by the path without it.
    OPERATIONS = {
      'POST /connect/subscriptions/systems' => :announce, 'PUT /connect/systems' => :update,
      'DELETE /connect/systems' => :deregister, 'GET /connect/systems/activations' => :activations,
      'POST /connect/systems/products' => :activate, 'GET /connect/systems/products' => :show,
      'PUT /connect/systems/products' => :upgrade, 'DELETE /connect/systems/products' => :destroy,
      'POST /connect/systems/products/synchronize' => :synchronize, 'GET /services' => :service
    }.freeze
    # Version 3 of the API does not know these.
    SINCE_V4 = %i[destroy synchronize].freeze
    V3 = 'application/vnd.scc.suse.com.v3+json'

    # What Rails answers by itself, without what the controller had in mind.
    BAD_REQUEST = '{"status":400,"error":"Bad Request"}'
    UNPROCESSABLE = '{"status":422,"error":"Unprocessable Entity"}'

    # @param request [Hash] as a step has it
    # @return [Symbol] the operation
    def self.operation(request)
      path = request['path'].sub(/\?.*/m, '').sub(%r{\A(/services)/.*}, '\1')
      OPERATIONS.fetch("#{request['method']} #{path}")
    end

    # @param catalog [Catalog]
    def initialize(catalog)
      @catalog = catalog
    end

    # @param request [Hash] as a step has it, with all variables filled in
    # @param rows [Hash{String => Array<Hash>}] as they are before it
    # @return [Expectation]
    def expect(request, rows)
      @operation = Model.operation(request)
      @path = request['path']
      @caller = Caller.new(request)
      @parameters = Parameters.of(request)
      @world = World.new(rows)
      @system = nil
      @headers = {}
      @crashes = @choice = false
      return answer(404) if SINCE_V4.include?(@operation) && @caller.accepts?(V3)

      # Throwing saves every rule from asking whether an earlier one has answered.
      catch(:answer) { send(@operation) }
    end

    private

    def announce
      give_up_on_malformed_parameters
      announce_system
    end

    # The step before all other operations.
    def authenticate(skip_on_duplicated: false)
      refuse_access unless @caller.credentials
      systems = @world.systems_with(*@caller.credentials)
      refuse('Invalid system credentials', 401) if systems.empty?
      return if skip_on_duplicated && systems.size > 1

      choose(systems)
      note_caller
      echo_token if @caller.token_sent?
      give_up_on_malformed_parameters
    end

    def refuse_access
      @headers['WWW-Authenticate'] = 'Basic realm="RMT API"'
      throw :answer, answer(401, :text, "HTTP Basic: Access denied.\n")
    end

    def choose(systems)
      @system = systems.first unless @caller.token_sent?
      @system ||= systems.find { |system| system['system_token'] == @caller.token }
      # What the reference's connection cannot carry: refused, or served without it.
      leave_open if @caller.user_agent_unstorable?
      return if @system

      leave_open if @caller.token_unstorable?
      refuse_as_rails(422, UNPROCESSABLE) if systems.any? { Catalog.alike?(_1['system_token'], @caller.token) }
      @system = @world.copy(systems.first, @caller.token)
    end

    def echo_token
      @headers['System-Token'] = @system['system_token'].to_s
      # Zypper sends none when it asks for a service.
      @crashes = true if @operation == :service
    end

    def note_caller
      @world.save(@system, 'system_information' => merged('user_agent' => @caller.user_agent)) unless @caller.zypper?
      if @caller.token_sent?
        @world.save(@system, 'last_seen_at' => RECENTLY)
      elsif @system['last_seen_at'].nil? || Time.now - @system['last_seen_at'] > 180
        @system.merge!('last_seen_at' => RECENTLY, 'updated_at' => RECENTLY)
      end
    end

    # Where nothing is known of a system the reference crashes.
    def merged(news)
      known = @system['system_information'] && JSON.parse(@system['system_information'])
      @crashes = true unless known.is_a?(Hash)
      Parameters.json((known.is_a?(Hash) ? known : {}).merge(news))
    end

    def give_up_on_malformed_parameters
      refuse_as_rails(400, BAD_REQUEST) if @parameters.malformed?
    end

    # The token of who knows tokens changes with each change of the system.
    def rotate_token
      return unless @caller.token_sent?

      @headers['System-Token'] = @world.new_token
      @world.save(@system, 'system_token' => @headers['System-Token'])
    end

    def refuse(message, status = 422)
      body = { 'type' => 'error', 'error' => message, 'localized_error' => message }
      throw :answer, answer(status, :json, body)
    end

    # Rails then forgets the headers.
    def refuse_as_rails(status, body)
      throw :answer, answer(status, :text, body, headers: { 'System-Token' => nil })
    end

    # The contract only asks for no crash here.
    def leave_open
      throw :answer, Latitude.new(rows: @world.rows, system: @system, choice: @choice)
    end

    def answer(status, facts = :nothing, body = nil, headers: @headers)
      Expectation.new(status: status, rows: @world.rows, facts: facts, body: body, crashes: @crashes, choice: @choice,
                      headers: { 'System-Token' => nil, 'X-System-Profiles-Action' => nil }.merge(headers))
    end
  end
end
