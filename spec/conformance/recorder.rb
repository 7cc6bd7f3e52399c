# frozen_string_literal: true

require 'fileutils'
require_relative 'client'
require_relative 'conversation'
require_relative 'differences'

module Conformance
  # Records conversations from a running RMT.
  #
  # @example what has changed in a new release
  #   recorder = Conformance::Recorder.new(url: 'http://127.0.0.1:4224', database: 'mysql://rmt:rmt@127.0.0.1/rmt')
  #   recorder.record(Conformance.cases('show-base').first) # => [:same, []]
  class Recorder
    # Those in this directory are recorded where they are; the others were recorded elsewhere and stay.
    OWN = 'own/'

    # Empties RMT's tables and loads the catalog.
    #
    # @param url [String] base URL of the server
    # @param database [String] URL of its database
    # @param out [String, nil] directory that takes all recordings; nil writes {OWN} in place and no others
    def initialize(url:, database:, out: nil)
      @client = Client.new(url: url, database: database).prepare
      @out = out
    end

    # @param conversation [Case]
    # @return [Array(Symbol, Array<String>)] `:new`, `:same` or `:changed`, and how it differs from the
    #   recording there was
    def record(conversation)
      observed = @client.observe(conversation)
      write(conversation, observed)
      return [:new, []] unless conversation.recorded?

      differences = Differences.between(observed, conversation.expected)
      [differences.empty? ? :same : :changed, differences]
    end

    # @param conversation [Case]
    # @return [String, nil] the file its recording is written to, if it is written
    def target(conversation)
      File.expand_path(conversation.file, @out || DIRECTORY) if @out || conversation.file.start_with?(OWN)
    end

    private

    def write(conversation, observed)
      file = target(conversation) or return
      FileUtils.mkdir_p(File.dirname(file))
      File.write(file, conversation.text(observed))
    end
  end
end
