# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'open3'
require_relative '../support/host'

module RmtSpec
  # What is wrong, and the step that mends it.
  class Refused < StandardError; end

  # Examples that are run together: a name, the files, and whether RMT loads its engines for them.
  Suite = Struct.new(:name, :files, :engines, keyword_init: true)

  # An installed RMT whose own examples are to be run.
  class Checkout
    HELPER = File.join(__dir__, 'committed_rows.rb')
    # Where results and logs go.
    OUTPUT = File.join(Host::PROJECT, 'tmp/rmt-spec')

    # Says where RMT's examples would write, in JSON. A database that was migrated for production is refused by Rails.
    PROBE = <<~RUBY
      require './config/environment'
      require 'rspec/rails'
      config = ActiveRecord::Base.connection_db_config.configuration_hash
      begin
        ActiveRecord::Base.connection.execute('SELECT 1')
        ActiveRecord::Tasks::DatabaseTasks.check_protected_environments!
      rescue StandardError => e
        trouble = e.message.lines.first.strip
      end
      puts JSON.generate(name: config[:database], host: config[:host], trouble: trouble)
    RUBY
    private_constant :HELPER, :OUTPUT, :PROBE

    # @param directory [String, nil] RMT_HOME
    # @raise [Refused] when it is no RMT with examples
    def initialize(directory)
      raise Refused, 'RMT_HOME is not set; name an installed RMT: rake rmt:spec RMT_HOME=DIR' if directory.to_s.empty?

      @directory = File.expand_path(directory)
      unless Host.rmt?(@directory)
        raise Refused, "#{directory} is not a checkout of RMT; name the directory that holds its config.ru and config/rmt.yml"
      end
      return if File.file?(File.join(@directory, 'spec/rails_helper.rb'))

      raise Refused, "#{directory} has no examples, as packages have none; name a checkout of RMT's sources"
    end

    # Boots RMT and looks for its test database.
    #
    # @return [String] name and host of the database whose rows will go
    # @raise [Refused] when RMT does not boot, or when the database is not there or not one for tests
    def database
      output, errors, = Open3.capture3(environment, 'bundle', 'exec', 'ruby', '-e', PROBE,
                                       chdir: @directory, unsetenv_others: true)
      database = JSON.parse(output.lines.last.to_s)
      refuse_database(database) if database['trouble']
      "#{database['name']} on #{database['host']}"
    rescue JSON::ParserError
      raise Refused, "RMT does not boot for tests in #{@directory}; install its bundle with the group test (bundle install " \
                     "there, or name another in BUNDLE_GEMFILE):\n#{shortened(errors)}"
    end

    # @return [Array<Suite>] RMT's request examples; with engines in the checkout theirs, too
    def suites
      engines = Dir.glob('engines/*/spec/requests/**/*_spec.rb', base: @directory).sort
      [Suite.new(name: 'core', files: ['spec/requests'], engines: false),
       (Suite.new(name: 'engines', files: engines, engines: true) if engines.any?)].compact
    end

    # Runs examples, with a character an example on standard output.
    #
    # @param suite [Suite]
    # @param door [String]
    # @return [Hash] the results, of the JSON formatter; `account` has what the gem did, see committed_rows.rb
    # @raise [Refused] when rspec did not get as far as results
    def run(suite, door)
      files = Hash.new { |paths, kind| paths[kind] = File.join(OUTPUT, "#{suite.name}-#{door}.#{kind}") }
      FileUtils.mkdir_p(OUTPUT)
      FileUtils.rm_f(files.values_at('json', 'account', 'log'))
      system(environment(suite, door, files['account']), 'bundle', 'exec', 'rspec', '--require', HELPER,
             '--format', 'RmtExamples::Progress', '--format', 'json', '--out', files['json'], *suite.files,
             chdir: @directory, unsetenv_others: true, in: File::NULL, err: files['log'])
      results(files)
    end

    private

    def environment(suite = nil, door = 'off', account = nil)
      Host.environment_for_rmt.merge(
        'RAILS_ENV' => 'test', 'RACK_ENV' => 'test', 'NO_COVERAGE' => '1', 'RMT_LOAD_ENGINES' => ('1' if suite&.engines),
        'RMT_RS_DOOR' => door, 'RMT_EXAMPLES_ACCOUNT' => account
      ).compact
    end

    # Bundler names everything that is missing in one line.
    def shortened(errors)
      errors.lines.first(4).map { |line| "  #{line.chomp[0, 300]}" }.join("\n")
    end

    def refuse_database(database)
      name = "#{database['name']} on #{database['host']}"
      raise Refused, "RMT's test database, #{name}, cannot be used: #{database['trouble']}\n" \
                     'Start its server, name another database (DATABASE_URL, or database_test in config/rmt.local.yml), or ' \
                     "create it: cd #{@directory} && RAILS_ENV=test bundle exec rake db:create db:schema:load"
    end

    def results(files)
      results = JSON.parse(File.read(files['json']))
      raise JSON::ParserError if results['examples'].empty? || results['summary']['errors_outside_of_examples_count'].positive?

      results.merge('account' => (JSON.parse(File.read(files['account'])) if File.file?(files['account'])))
    rescue Errno::ENOENT, JSON::ParserError
      raise Refused, "rspec failed before its examples; #{files['log']} and #{files['json']} say why:\n" \
                     "#{Processes.last_lines(files['log'], 8).gsub(/^/, '  ')}"
    end
  end
end
