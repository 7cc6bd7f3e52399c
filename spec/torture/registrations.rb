# frozen_string_literal: true

require_relative 'ledger'
require_relative 'machine'
require_relative 'until_stopped'

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
    include UntilStopped

    # Connections that are not made, and answers that say so, are common while a server is down.
    PAUSE = 0.05
    # What most machines do: `activate` stands for all they activate, and some leave in the end.
    STEPS = %i[announce activate show update activations update sometimes_deregister].freeze
    private_constant :PAUSE

    # @param number [Integer] of a kind of hardware
    # @return [Hash] profiles of a machine: one that all have, and one that those of its kind have
    def self.profiles(number)
      { 'pci_data' => 'all', 'mod_list' => "kind-#{number}" }.transform_values do |identifier|
        { identifier:, data: "what hardware #{identifier} has" }
      end
    end

    # @return [Array<String>] answers that no server should give, whatever happens to it
    attr_reader :oddities

    # @param ledger [Ledger]
    # @param url [String]
    # @param bases [Array<Catalog::Product>]
    # @param threads [Integer]
    # @param name [String] what host names begin with
    # @param kinds [Integer] of hardware
    # @param steps [Array<Symbol>] what a machine does, see {STEPS}
    # @param tolerated [Array<Integer>] statuses that a server may give that has lost its database
    def initialize(ledger, url, bases, threads:, name: 'machine', kinds: 10, steps: STEPS, tolerated: [503])
      @ledger = ledger
      @url = url
      @bases = bases
      @size = threads
      @name = name
      @kinds = kinds
      @steps = steps
      @tolerated = tolerated
      @oddities = []
      @last = 0
      @mutex = Mutex.new
    end

    # @return [Integer] requests so far
    def answered
      @ledger.machines.sum(&:answered)
    end

    # @return [Machine] the next one, in the ledger
    def next_machine
      number = @mutex.synchronize { @last += 1 }
      base = @bases[number % @bases.size]
      @ledger.add(Machine.new(@url, "#{@name}-#{number}", base, profiles: self.class.profiles(number % @kinds)))
    end

    private

    def threads
      Array.new(@size) { Thread.new { live(next_machine) while @running } }
    end

    def live(machine)
      @steps.flat_map { |step| requests(machine, step) }.each { |request| take(machine, request) || break }
    end

    def requests(machine, step)
      case step
      when :activate then machine.products.map { |product| [:activate, product] }
      when :sometimes_deregister then machine.hostname.end_with?('3', '6', '9') ? [[:deregister]] : []
      else [[step]]
      end
    end

    # @return [Boolean] whether it goes on
    def take(machine, request)
      machine.public_send(*request)
      true
    rescue Machine::Failed => e
      odd = e.status && !@tolerated.include?(e.status)
      @mutex.synchronize { @oddities << "#{machine.hostname}: #{e.message}" } if odd
      sleep(PAUSE)
      return false if odd || machine.doubt || !@running

      retry
    end
  end
end
