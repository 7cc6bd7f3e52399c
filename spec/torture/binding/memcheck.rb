# frozen_string_literal: true

require 'rexml/document'
require_relative '../../support/processes'

module Torture
  # Runs Ruby under valgrind, and tells what memcheck has found in the native library.
  #
  # Ruby itself looks at memory that nobody has written (its collector searches the stack for what may be an object), and gives
  # nothing back when it ends. The first is in `ruby.supp`, function by function; of what is lost, only what the
  # library's own code has asked for counts.
  #
  # @example
  #   memcheck = Memcheck.new(library, directory)
  #   memcheck.run('script.rb', input: 'configuration.json')
  #   memcheck.findings # => []
  class Memcheck
    # valgrind is missing, or the program failed.
    class Error < StandardError; end

    SUPPRESSIONS = File.join(__dir__, 'ruby.supp')
    OPTIONS = %w[--tool=memcheck --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=40
                 --error-limit=no --child-silent-after-fork=yes --fair-sched=try --xml=yes].freeze
    private_constant :OPTIONS

    # @param library [String] path of the native library
    # @param directory [String] where logs are kept
    def initialize(library, directory)
      @library = File.realpath(library)
      @xml = File.join(directory, 'memcheck.xml')
      @log = File.join(directory, 'memcheck.log')
    end

    # @param arguments [Array<String>] Ruby's
    # @param input [String] path of a file that it reads
    # @return [self]
    # @raise [Error]
    def run(*arguments, input:)
      raise Error, 'valgrind is not installed: run bin/setup' unless self.class.installed?

      command = ['valgrind', *OPTIONS, "--suppressions=#{SUPPRESSIONS}", "--xml-file=#{@xml}", RbConfig.ruby, *arguments]
      ended = Processes.run(*command, log: @log, in: input)
      raise Error, "it failed under valgrind:\n#{Processes.last_lines(@log)}" unless ended

      self
    end

    # @return [Array<String>] kind and stack of each error in the library, and of each that nobody has suppressed
    def findings
      errors.map do |error|
        frames = error.elements.to_a('stack[1]/frame').first(12)
        lines = frames.map { |frame| "  #{text(frame, 'fn') || '?'} (#{text(frame, 'obj')})" }
        [text(error, 'kind'), text(error, 'what') || text(error, 'xwhat/text'), *lines].compact.join("\n")
      end
    end

    # @return [Integer] of errors that were suppressed, by whatever entry
    def suppressed
      report[%r{<suppcounts>.*</suppcounts>}m].to_s.scan(%r{<count>(\d+)</count>}).sum { |count,| count.to_i }
    end

    # @return [Boolean]
    def self.installed?
      ENV.fetch('PATH', '').split(File::PATH_SEPARATOR).any? { |place| File.executable?(File.join(place, 'valgrind')) }
    end

    private

    def report
      @report ||= File.read(@xml, encoding: 'UTF-8').scrub
    end

    # Ruby's own losses are thousands, of which no document is made.
    def errors
      pieces = report.scan(%r{<error>.*?</error>}m)
      pieces.reject! { |piece| piece.include?('<kind>Leak_') && !ours?(piece) }
      pieces.map { |piece| REXML::Document.new(piece).root }
    end

    # Whether the library has asked for what is lost. What Ruby has, for an object that the library wanted, is the object's,
    # and those that are left at the end Ruby does not free.
    def ours?(leak)
      leak.scan(%r{<obj>(.*?)</obj>}).flatten.find { |object| !object.include?('/valgrind/') } == @library
    end

    def text(element, path)
      element.elements[path]&.text
    end
  end
end
