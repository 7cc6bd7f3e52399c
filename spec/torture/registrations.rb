# frozen_string_literal: true

require_relative 'ledger'
require_relative 'machine'

module Torture
  # Machines that register, one after the other on each of some threads, until they are told to end. One that has no answer
  # to a request that may have changed something is given up, as nobody could say what it is afterwards; the next one comes.
  #
  # @example
  #   registrations = Registrations.new(ledger, host.url, stage.bases, threads: 12)
  #   registrations.start
  #   registrations.stop
  #   registrations.oddities # => []
  class Registrations
    # Connections that are not made, and answers that say so, are common while a server is down.
    PAUSE = 0.05
    # What the kinds of hardware are that machines share.
    KINDS = 10
    private_constant :PAUSE

    # @return [Array<String>] answers that no server should give, whatever happens to it
    attr_reader :oddities

    # @param ledger [Ledger]
    # @param url [String]
    # @param bases [Array<Catalog::Product>]
    # @param threads [Integer]
    # @param name [String] what host names begin with
    def initialize(ledger, url, bases, threads:, name: 'machine')
      @ledger = ledger
      @url = url
      @bases = bases
      @size = threads
      @name = name
      @oddities = []
      @last = 0
      @mutex = Mutex.new
    end

    # @return [self]
    def start
      @running = true
      @threads = Array.new(@size) { Thread.new { live(next_machine) while @running } }
      self
    end

    # Lets requests under way end.
    #
    # @return [self]
    def stop
      @running = false
      @threads&.each(&:value)
      self
    end

    # @return [Machine] the next one, in the ledger
    def next_machine
      number = @mutex.synchronize { @last += 1 }
      profiles = { 'pci_data' => profile('all'), 'mod_list' => profile("kind-#{number % KINDS}") }
      @ledger.add(Machine.new(@url, "#{@name}-#{number}", @bases[number % @bases.size], profiles: profiles))
    end

    private

    def profile(identifier)
      { identifier:, data: "what hardware #{identifier} has" }
    end

    # Some leave in the end.
    def live(machine)
      steps = [[:announce], *machine.products.map { |product| [:activate, product] }, [:show], [:update], [:activations],
               [:update]]
      steps << [:deregister] if machine.hostname.end_with?('3', '6', '9')
      steps.each { |step| take(machine, step) || break }
    end

    # @return [Boolean] whether it goes on
    def take(machine, step)
      machine.public_send(*step)
      true
    rescue Machine::Failed => e
      @mutex.synchronize { @oddities << e.message } unless e.status.nil? || e.status == 503
      sleep(PAUSE)
      return false if machine.doubt || !@running

      retry
    end
  end
end
