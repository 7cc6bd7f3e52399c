# frozen_string_literal: true

require 'json'
require_relative '../../../lib/rmt_rs/configuration'
require_relative '../../../lib/rmt_rs/errors'
require_relative '../binding/memcheck'
require_relative '../stage'

module Torture
  # The binding under Ruby's collector at its busiest, and under valgrind.
  class Binding < Trial
    guarantee 'the native library keeps nothing that the collector moves or frees, and touches no memory that is not its own'

    SCRIPT = File.expand_path('../binding/every_function.rb', __dir__)
    private_constant :SCRIPT

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      Stage.open('binding', small: true) do |stage|
        @configuration = write_configuration(stage.database)
        collector('stress', scale.of('STRESS', small: 0, full: 5))
        collector('compact', scale.of('COMPACT', small: 1, full: 20))
        memcheck(scale.of('MEMCHECK', small: 0, full: 10))
      end
    end

    private

    def write_configuration(database)
      uri = URI(database.url)
      rails = { adapter: 'mysql2', host: uri.host, port: uri.port, username: uri.user, password: uri.password,
                database: database.name, encoding: 'utf8', pool: 5 }
      # Under valgrind everything takes long.
      configuration = RmtRs::Configuration.new({ door: 'controller', deadline: 60, connect_timeout: 60, credentials: 'argon2id',
                                                 credentials_memory: 7168, credentials_iterations: 5 }, {})
      path = File.join(DIRECTORY, 'binding.json')
      File.write(path, configuration.to_native(rails))
      path
    end

    def script(mode, rounds)
      ["-I#{File.join(Host::PROJECT, 'lib')}", SCRIPT, mode, rounds.to_s]
    end

    def collector(mode, rounds)
      return if rounds.zero?

      @report.say("every function, #{mode}: #{rounds} rounds")
      log = File.join(DIRECTORY, "binding-#{mode}.log")
      ended = Processes.run(RbConfig.ruby, *script(mode, rounds), log: log, in: @configuration)
      @report.violation("#{mode}: #{Processes.last_lines(log)}") unless ended
      @report.figure("rounds of every function, #{mode}", rounds)
    end

    def memcheck(rounds)
      return if rounds.zero?

      @report.say("every function under valgrind: #{rounds} rounds")
      library = ENV['RMT_RS_LIBRARY'] || Host.native_library
      memcheck = Memcheck.new(library, DIRECTORY).run(*script('plain', rounds), input: @configuration)
      memcheck.findings.each { |finding| @report.violation(finding) }
      @report.figure('rounds under memcheck', rounds)
      @report.figure("errors of Ruby's own suppressed", memcheck.suppressed)
    end
  end
end
