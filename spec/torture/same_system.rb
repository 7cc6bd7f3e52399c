# frozen_string_literal: true

require_relative 'machine'

module Torture
  # Clients that all have the credentials of one system, as clones of a virtual machine have, and do this and that at once.
  #
  # Those that send tokens become systems of their own (contract, "Authentication"); which token belongs to which of them
  # they are told. Those that send none stay one system.
  #
  # @example
  #   SameSystem.new(stage, neighbours, host.url, :tokens, 64).run # => []
  class SameSystem
    # `tokens`: they send the token they were told last, all the same one at first; `no_tokens`: they send none;
    # `leaving`: as the first, and all leave in the end.
    VARIANTS = %i[tokens no_tokens leaving].freeze
    # What each of them does.
    ACTIONS = 6
    # Refusals that are right: a module that is not there cannot be removed, a system that has left is unknown.
    RIGHT = Hash.new([]).merge(destroy: [422]).freeze
    RIGHT_WHEN_LEAVING = Hash.new([401, 422]).merge(deregister: [401]).freeze
    private_constant :ACTIONS, :RIGHT, :RIGHT_WHEN_LEAVING

    # @return [Integer]
    attr_reader :requests

    # @param stage [Stage]
    # @param neighbours [Neighbours]
    # @param url [String]
    # @param variant [Symbol] one of {VARIANTS}
    # @param clients [Integer]
    def initialize(stage, neighbours, url, variant, clients)
      @stage = stage
      @neighbours = neighbours
      @variant = variant
      @base = stage.bases.sample
      @first = Machine.new(url, 'same-system', @base, sends_token: variant != :no_tokens)
      @size = clients
      @requests = 0
      @violations = Queue.new
    end

    # @return [Array<String>] wrong answers, and what is wrong with the rows; they are removed in the end
    def run
      @first.announce
      @first.activate(@first.products.first)
      @clients = Array.new(@size) { @first.dup }
      act
      @stage.database.with_client { |sql| look(sql) } if @violations.empty?
      Array.new(@violations.size) { @violations.pop }
    ensure
      remove
    end

    private

    # All begin at the same time.
    def act
      gate = Queue.new
      threads = @clients.map do |client|
        Thread.new do
          gate.pop
          actions.each { |name, *arguments| take(client, name, *arguments) }
        end
      end
      gate.close
      threads.each(&:value)
      @requests = @clients.sum(&:answered) - (@size * @first.answered)
    end

    # All activate the same first, as what comes then needs it. Of the last module nothing hangs.
    def actions
      *modules, last = @first.products.drop(1)
      choice = [[:activate, last], [:activate, last], [:update], [:destroy, last], [:show], [:activations]]
      chosen = Array.new(ACTIONS) { choice.sample }
      all = modules.map { |product| [:activate, product] } + chosen
      @variant == :leaving ? all << [:deregister] : all
    end

    def take(client, name, *arguments)
      client.public_send(name, *arguments)
    rescue Machine::Failed => e
      right = (@variant == :leaving ? RIGHT_WHEN_LEAVING : RIGHT)[name]
      @violations << "#{name}: #{e.message}" unless right.include?(e.status)
    end

    def look(sql)
      rows = sql.query("SELECT * FROM systems WHERE login = '#{@first.login}' ORDER BY id").to_a
      if @variant == :leaving
        @violations << "#{rows.size} systems are left" if rows.any?
        return
      end
      tokens(rows)
      activations(sql, rows)
    end

    def tokens(rows)
      return @violations << "#{rows.size} systems of clients without tokens" if @variant == :no_tokens && rows.size != 1

      known = [@first.token, *@clients.map(&:token)]
      stored = rows.map { |row| row['system_token'] }
      @violations << "a token is there twice: #{stored.inspect}" if stored.uniq.size < stored.size
      strange = @variant == :tokens ? stored - known : stored.compact
      @violations << "tokens nobody was told: #{strange.inspect}" if strange.any?
    end

    # What was activated and never removed is still there, in the first system at least.
    def activations(sql, rows)
      ids = rows.map { |row| row['id'] }
      stored = sql.query('SELECT service_id, COUNT(*) AS n, COUNT(DISTINCT system_id) AS systems FROM activations ' \
                         "WHERE system_id IN (#{ids.join(',')}) GROUP BY service_id").to_a
      expected = @clients.flat_map(&:services).uniq - [@first.products.last[:service]]
      missing = expected - stored.map { |row| row['service_id'] }
      @violations << "activations lost: #{missing.inspect}" if missing.any?
      @violations << "activations twice: #{stored.inspect}" if stored.any? { |row| row['n'] != row['systems'] }
    end

    def remove
      @stage.database.with_client do |sql|
        ids = sql.query("SELECT id FROM systems WHERE login = '#{@first.login}'").map { |row| row['id'] }
        ids.each { |id| @neighbours.destroy(sql, id) }
      end
    end
  end
end
