# frozen_string_literal: true

require_relative 'catalog_versions'
require_relative 'configuration'
require_relative 'doctor/connections'
require_relative 'doctor/rights'
require_relative 'schema'
require_relative 'survey'

module RmtRs
  # Finds out what keeps this gem from its work, and says what mends it: `rake rmt_rs:doctor`. It changes nothing, and
  # names no secret.
  #
  # @example
  #   RmtRs::Doctor.new(Rails.application).run # => true, after lines such as
  #   # ok       library: the native library is of version 0.1.0, too
  class Doctor
    # What was found: `:ok`, `:warning` or `:failed`; of what; what it is; what mends it.
    Finding = Struct.new(:state, :subject, :text, :step) do
      # @return [String]
      def to_s
        line = "#{state.to_s.ljust(8)} #{subject}: #{text}"
        step ? "#{line}\n#{' ' * 9}-> #{step}" : line
      end
    end

    # For reading the rest of RMT's database by the account that Rust uses.
    class Account < ActiveRecord::Base
      self.abstract_class = true
    end

    # Without an answer to one of them nothing more can be found out of what comes after.
    CHECKS = %i[versions flag library database session rights schema triggers connections survey rack_door].freeze
    # What this gem was tried with.
    RAILS = '6.1'
    # Variables that tell one session from another, and no two alike.
    OF_EACH_SESSION = %w[timestamp pseudo_thread_id rand_seed1 rand_seed2 last_insert_id in_transaction insert_id
                         last_gtid error_count warning_count identity].freeze
    # So many are named that differ.
    SHOWN = 10
    private_constant :Account, :CHECKS, :RAILS, :OF_EACH_SESSION, :SHOWN

    # @param application [Rails::Application] that has booted
    # @param output [IO] where findings are written to
    def initialize(application, output: $stdout)
      @application = application
      @output = output
      @states = []
    end

    # Looks at everything, and writes a line for each finding.
    #
    # @return [Boolean] whether nothing has failed
    def run
      CHECKS.each do |check|
        go_on = begin
          send(check)
        rescue StandardError, LoadError => e
          failed(check, "it could not be looked at: #{e.class}: #{e.message.lines.first&.strip}",
                 'mend what the message says, then run this again')
        end
        break if go_on == :stop
      end
      @output.puts("#{@states.count(:failed)} failed, #{@states.count(:warning)} warnings")
      @states.none?(:failed)
    ensure
      Account.remove_connection
    end

    private

    def ok(subject, text)
      tell(:ok, subject, text)
    end

    def warning(subject, text, step)
      tell(:warning, subject, text, step)
    end

    def failed(subject, text, step)
      tell(:failed, subject, text, step)
    end

    def tell(state, subject, text, step = nil)
      @states << state
      @output.puts(Finding.new(state, subject, text, step).to_s)
    end

    def versions
      rmt = defined?(::RMT::VERSION) ? "RMT #{::RMT::VERSION}, " : ''
      text = "rmt_rs #{VERSION}, #{rmt}Rails #{Rails::VERSION::STRING}, Ruby #{RUBY_VERSION}"
      return ok('versions', text) if Rails::VERSION::STRING.start_with?("#{RAILS}.")

      warning('versions', "#{text}: this gem was tried with Rails #{RAILS}",
              'try it with a copy of this RMT first; the rack door stays shut on other versions')
    end

    def flag
      @configuration = Configuration.load
      if @configuration.off?
        warning('flag', 'the door is off: Ruby answers everything. What follows is as if it were `controller`',
                'set rmt_rs: door: controller in /etc/rmt.conf, then restart RMT')
        @configuration = Configuration.new({ door: 'controller' }, {})
      else
        ok('flag', "the door is #{@configuration.door}")
      end
      config = ActiveRecord::Base.connection_db_config.configuration_hash
      @native = JSON.parse(@configuration.to_native(config, web_threads: Connections.threads), symbolize_names: true)
      @database = @configuration.database(config)
    rescue ConfigurationError => e
      failed('flag', e.message, 'correct that key; with this, RMT does not boot')
      :stop
    end

    def library
      Native.load!
      ok('library', "the native library is of version #{Native::VERSION}, too")
    rescue LoadError => e
      failed('library', e.message.lines.first.strip,
             'install the gem anew, or run rake compile in its directory, with the Ruby that RMT runs on')
      :stop
    end

    def database
      Native.configure(JSON.generate(@native))
      Native.reach
      Account.establish_connection(@database)
      version = select('SELECT VERSION()').first.first
      ok('database', "#{@native[:database][:username]} reaches #{place} (#{version})")
    rescue RmtRs::Error, ActiveRecord::ActiveRecordError => e
      failed('database', "#{place} is not reached: #{e.message.lines.first.strip}",
             "start the database, or correct in RMT's settings where it is, and rmt_rs: host, port, socket, username, password")
      :stop
    end

    def place
      database = @native[:database]
      "#{database[:database]} at #{database[:socket] || "#{database[:host]}:#{database[:port]}"}"
    end

    def select(query)
      Account.connection.select_rows(query)
    end

    # A value has to be stored, cut or refused alike by both languages.
    def session
      rust = Native.session_variables
      # Rust's client asks for that; it is about how statements are read, not about values.
      rust['sql_mode'] = rust['sql_mode'].split(',').-(%w[IGNORE_SPACE]).join(',')
      rails = ActiveRecord::Base.connection.select_rows('SHOW SESSION VARIABLES').to_h
      names = (rust.keys & rails.keys).grep_v(/password|secret/i) - OF_EACH_SESSION
      other = names.reject { |name| rust[name] == rails[name].to_s }
      return ok('session', "all #{names.size} variables are those of Rails' session") if other.empty?

      warning('session', differences(other, rust, rails),
              'make both ask the same server in the same way: compare rmt_rs with the database section of /etc/rmt.conf')
    end

    def differences(names, rust, rails)
      shown = names.first(SHOWN).map { |name| "#{name} is #{rust[name].inspect}, and #{rails[name].inspect} with Rails" }
      shown << "and #{names.size - SHOWN} more" if names.size > SHOWN
      shown.join('; ')
    end

    def rights
      missing = Rights.missing { |statement| Account.connection.execute(statement) }
      return ok('rights', 'the account may do what Rust does') if missing.empty?

      missing.each do |right, table, message|
        failed('rights', "#{right} on #{table}: #{message}",
               "GRANT #{right} ON `#{@native[:database][:database]}`.* to the account #{@native[:database][:username]}")
      end
    end

    def schema
      findings = Schema.new { |query| select(query) }
      return ok('schema', "#{Schema::TABLES.size} tables are as Rust knows them") if findings.reasons.empty?

      findings.findings.each do |finding|
        operations = findings.reasons.select { |_, reasons| reasons.include?(finding) }.keys
        warning('schema', "#{finding}: Ruby answers #{operations.join(', ')}",
                'run the migrations of this RMT; if it is newer than this gem, install a newer gem')
      end
    end

    def triggers
      installed = CatalogVersions.triggers & select(CatalogVersions::INSTALLED).flatten
      if CatalogVersions.complete? { |query| select(query).flatten }
        return ok('triggers', "all #{installed.size} triggers count changes of the catalog, which is remembered")
      end

      step = 'run rails generate rmt_rs:install and rails db:migrate, then restart RMT'
      step += "; #{Rights::TRIGGER_STEP}" unless Rights.trigger? { |query| select(query).flatten }
      warning('triggers', "#{installed.size} of #{CatalogVersions.triggers.size} triggers are there: the catalog is read for " \
                          'each request', step)
    end

    def connections
      Connections.new(@native[:database][:pool], ActiveRecord::Base.connection_pool.size)
                 .findings { |query| select(query).first.first.to_i }
                 .each { |finding| tell(finding.state, finding.subject, finding.text, finding.step) }
    end

    def survey
      engines = Rails::Engine.subclasses.map(&:name).compact
      engines = engines.select { |name| name.safe_constantize&.root.to_s.start_with?(@application.root.to_s) }
      found = Survey.new(@application.root).reasons
      left = found.reject { |_, reasons| reasons.empty? }
      with = engines.empty? ? 'no engines' : "engines #{engines.join(', ')}"
      ok('survey', "#{with}; Rust answers #{(found.keys - left.keys).join(', ')}")
      left.each do |operation, reasons|
        warning('survey', "Ruby answers #{operation}: #{reasons.join('; ')}", 'nothing, if that engine is wanted')
      end
    end

    # What it says at boot is said here.
    def rack_door
      return unless @configuration.rack?

      stack = Doors::Rack::Stack.new(@application.config.middleware)
      return ok('rack door', "it may stand at the #{stack.place} of the stack") if stack.place == :front

      text = stack.place ? 'it stands at the end of the stack' : 'it stays shut, and the controller door answers'
      warning('rack door', "#{text}: #{stack.reasons.join(', ')}", 'remove that middleware, if it is not wanted')
    end
  end
end
