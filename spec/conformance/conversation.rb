# frozen_string_literal: true

require 'json'

# Holds a running server against conversations recorded with SUSE RMT; README.md describes them.
module Conformance
  DIRECTORY = __dir__
  # How their files are written: small, and a difference shows in the line it is in.
  FORMAT = { indent: ' ', space: ' ', object_nl: "\n", array_nl: "\n" }.freeze
  private_constant :FORMAT

  # A conversation: what is in the database before it, what is asked, and what the reference answered.
  Case = Struct.new(:file, :name, :why, :given, :steps, :expected, keyword_init: true) do
    # @param file [String] its path inside {DIRECTORY}
    # @return [Case]
    def self.read(file)
      data = JSON.parse(File.read(File.join(DIRECTORY, file), encoding: 'UTF-8'))
      new(file: file, expected: data['expect'], **data.slice('name', 'why', 'given', 'steps').transform_keys(&:to_sym))
    end

    # @param words [Hash{String => String}] what a server of another Rails or Rack says instead of what was recorded
    # @return [Case]
    def in_words(words)
      text = JSON.generate(expected)
      words.each { |recorded, said| text = text.gsub(recorded, said) }
      dup.tap { |conversation| conversation.expected = JSON.parse(text) }
    end

    # @return [Boolean] whether it was ever recorded
    def recorded?
      !expected.nil?
    end

    # @return [String] all values the conversation itself contains
    def literals
      JSON.generate([given, steps])
    end

    # @param observed [Hash] what a server answered, as {Client#observe} gives it
    # @return [String] the content of its file, if that is what is expected
    def text(observed)
      data = { 'name' => name, 'why' => why, 'given' => given, 'steps' => steps, 'expect' => observed }
      # Versions of JSON differ in what they make of an empty array.
      "#{JSON.generate(data, FORMAT).gsub(/\[\s*\n\s*\]/, '[]')}\n"
    end
  end

  # @param pattern [String] shell pattern of names; one with a slash is a path inside this
  #   directory, others are looked for in cases/
  # @return [Array<Case>] by name
  # @raise [ArgumentError] when there is none, which no run should take for a success
  def self.cases(pattern)
    pattern = File.join('cases', pattern) unless pattern.include?('/')
    files = Dir.glob("#{pattern.delete_suffix('.json')}.json", base: DIRECTORY).sort
    raise ArgumentError, "no recorded conversation is called #{pattern}" if files.empty?

    files.map { |file| Case.read(file) }
  end
end
