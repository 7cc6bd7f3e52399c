# frozen_string_literal: true

require 'fileutils'
require 'json'
require_relative '../conformance/conversation'

module Property
  # Conversations as text: what is printed can be put into a file and played again.
  module Conversations
    DIRECTORY = File.expand_path('../../tmp/property', __dir__)

    module_function

    # @param conversation [Conformance::Case]
    # @return [String] JSON with a line for each step
    def dump(conversation)
      steps = conversation.steps.map { |step| "  #{JSON.generate(step)}" }
      %({"name": #{JSON.generate(conversation.name)}, "given": #{JSON.generate(conversation.given)}, "steps": [\n) +
        "#{steps.join(",\n")}\n]}\n"
    end

    # @param path [String]
    # @return [Conformance::Case]
    # @raise [ArgumentError] when there is none in that file
    def read(path)
      data = JSON.parse(File.read(path, encoding: 'UTF-8'))
      Conformance::Case.new(name: data['name'], why: data['why'], given: data['given'], steps: data.fetch('steps'))
    rescue SystemCallError, JSON::ParserError, KeyError => e
      raise ArgumentError, "#{path} holds no conversation: #{e.message}"
    end

    # @param conversation [Conformance::Case]
    # @return [String] path of a file with it
    def write(conversation)
      FileUtils.mkdir_p(DIRECTORY)
      File.join(DIRECTORY, "#{conversation.name.tr(' ', '-')}.json").tap { |path| File.write(path, dump(conversation)) }
    end
  end
end
