# frozen_string_literal: true

require_relative 'client'
require_relative 'conversation'
require_relative 'differences'

module Conformance
  # Replays conversations against one server and its database.
  #
  # @example
  #   runner = Conformance::Runner.new(url: 'http://127.0.0.1:4224', database: 'mysql://rmt:rmt@127.0.0.1/rmt')
  #   runner.prepare # empties RMT's tables!
  #   runner.run(Conformance.cases('announce-minimal').first) # => [] when all is as recorded
  class Runner
    # @param url [String] base URL of the server
    # @param database [String] URL of its database
    # @param reference [Boolean] whether the server is the reference, which may crash where it did
    # @param except [Array<String>] columns that are stored in another way
    def initialize(url:, database:, reference: false, except: [])
      @client = Client.new(url: url, database: database)
      @reference = reference
      @except = except
    end

    # Loads the catalog the conversations were recorded on. All other content of the tables goes.
    #
    # @return [self]
    def prepare
      @client.prepare
      self
    end

    # @param conversation [Case]
    # @return [Array<String>] how the server differs from the recording
    # @raise [ArgumentError] when it has not been recorded yet
    def run(conversation)
      expected = conversation.expected
      raise ArgumentError, "#{conversation.file} has not been recorded yet: rake conformance:record does it" unless expected

      observed = @client.observe(conversation)
      differences = Differences.in_answers(observed, expected) { |*answers| crash(*answers) }
      return differences if beyond_crash?(observed['steps'], expected['steps'])

      differences + Differences.in_tables(*[observed, expected].map { |all| compared(all['tables']) })
    end

    # @return [void]
    def close
      @client.close
    end

    private

    def compared(tables)
      tables.transform_values { |rows| rows.map { |row| row.except(*@except) } }
    end

    # Where the reference crashed, any answer that is no crash is right.
    def crash(answer, recorded)
      return if recorded['status'] < 500
      return [] if @reference || answer['status'] < 500

      ["status #{answer['status']}, which should be below 500"]
    end

    # What a request leaves that the reference could not answer is not recorded, unless it was
    # refused: then nothing may be left.
    def beyond_crash?(answers, expected)
      answers.zip(expected).any? { |answer, recorded| recorded['status'] >= 500 && answer['status'] < 400 }
    end
  end
end
