# frozen_string_literal: true

require 'json'
require 'open3'
require 'tmpdir'
require_relative '../spec/support/processes'

# The load generator: a program of its own, so that its work is not counted as the server's.
module K6
  PROJECT = File.expand_path('..', __dir__)
  # Where bin/setup puts it when the machine has none.
  OWN = File.join(PROJECT, 'tmp/k6/bin/k6')

  # It is missing, or what it asked was not answered as it should.
  class Error < StandardError; end

  class << self
    # @return [String] the program
    # @raise [Error] when there is none
    def program
      paths = ENV.fetch('PATH', '').split(':').map { |directory| File.join(directory, 'k6') }
      [*paths, OWN].find { |path| File.executable?(path) && File.file?(path) } ||
        raise(Error, 'k6 was not found: run bin/setup, which installs it')
    end

    # Runs a script of bench/k6.
    #
    # @param script [String] its file name, without directory
    # @param environment [Hash{String => Object}] what it finds in __ENV
    # @return [Hash] the summary: "metrics" => { "http_req_duration" => { "med" => … }, … }
    # @raise [Error] when a check of the script failed
    def run(script, environment)
      Dir.mktmpdir do |directory|
        summary = File.join(directory, 'summary.json')
        options = environment.flat_map { |key, value| ['--env', "#{key}=#{value}"] }
        output, status = Open3.capture2e(program, 'run', '--quiet', '--no-usage-report', "--summary-export=#{summary}",
                                         *options, File.join(PROJECT, 'bench/k6', script))
        raise Error, "k6: #{script} did not get the answers it should:\n#{output}" unless status.success?

        JSON.parse(File.read(summary))
      end
    end
  end
end
