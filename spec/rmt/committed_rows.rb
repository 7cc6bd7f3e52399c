# frozen_string_literal: true

require 'json'
require 'rspec/core'
require 'rspec/core/formatters/base_text_formatter'
require 'timeout'
require 'active_support/lazy_load_hooks'

# Required into RMT's own rspec by `rake rmt:spec`, before anything of RMT is loaded, gem off and gem on alike:
#
# - loads the gem, unless RMT does so itself;
# - commits what an example stores, for Rust reads on connections of its own, and empties all tables between examples;
# - holds a frozen clock that is ahead until the real one, which Rust reads, has come so far;
# - ends an example that takes too long;
# - with the gem on, says what it took over and how often Rust answered.
module RmtExamples
  # Seconds one example may take. Some of RMT's engines' stub `File.directory?`, and in Ruby 3.0 and 3.1
  # `FileUtils.mkdir_p` then climbs to the root and stays there for ever.
  LIMIT = Float(ENV.fetch('EXAMPLE_SECONDS', 10))
  # The tables Rails keeps for itself.
  RAILS_TABLES = %w[schema_migrations ar_internal_metadata].freeze

  # A character an example, and no lists at the end: the results are in the file of the JSON formatter.
  class Progress < RSpec::Core::Formatters::BaseFormatter
    RSpec::Core::Formatters.register self, :example_passed, :example_failed, :example_pending, :stop

    MARKS = { example_passed: '.', example_failed: 'F', example_pending: '*', stop: "\n" }.freeze

    MARKS.each do |event, mark|
      define_method(event) do |_|
        output.print(mark)
        output.flush
      end
    end
  end

  # Before `Timecop.freeze`. Examples freeze Ruby's clock at the full second that is nearest, and compare what was
  # stored with it. Half of the time that second is still to come; when it has come Rust's clock shows it, too.
  module Clock
    def freeze(*arguments)
      ahead = arguments.first.respond_to?(:to_f) ? arguments.first.to_f - Process.clock_gettime(Process::CLOCK_REALTIME) : 0
      sleep(ahead) if ahead.positive? && ahead < 1
      super
    end
  end

  class << self
    # Whether RMT loads the gem itself: it is in its bundle, or among its engines.
    def loaded_by_rmt?
      Gem.loaded_specs.key?('rmt_rs') || (ENV.key?('RMT_LOAD_ENGINES') && File.directory?('engines/rmt_rs'))
    end

    def empty_tables
      connection = ActiveRecord::Base.connection
      connection.disable_referential_integrity { tables.each { |table| connection.execute("DELETE FROM #{table}") } }
    end

    # Ids begin anew, so that examples that take one for another do so with and without the gem.
    def begin_anew
      ActiveRecord::Base.connection.truncate_tables(*tables)
    end

    def tables
      ActiveRecord::Base.connection.tables - RAILS_TABLES
    end

    # Runs an example as long as it may. What is thrown at one that takes longer skips its own tidying up.
    def limit(example)
      streams = [$stdout, $stderr]
      Timeout.timeout(LIMIT) { example.run }
    rescue Timeout::Error
      ActiveRecord::Base.connection.reconnect!
      raise
    ensure
      $stdout, $stderr = streams
    end

    # @return [Hash] what the gem took over, why it did not take the rest, and what became of the requests
    def account
      left = RmtRs::Survey.new(Rails.root).reasons.reject { |operation, _| RmtRs.takes?(operation) }
      { taken: (RmtRs::Operations::ALL.keys - left.keys), left: left,
        answered: RmtRs.counters.map { |(operation, outcome), count| [operation, outcome, count] } }
    end
  end
end

ActiveSupport.on_load(:before_configuration) { require_relative '../../lib/rmt_rs' } unless RmtExamples.loaded_by_rmt?

# The first of its kind, hence around all others.
RSpec.configure { |config| config.around { |example| RmtExamples.limit(example) } }

require 'rails_helper'

Timecop.singleton_class.prepend(RmtExamples::Clock) if defined?(Timecop)

RSpec.configure do |config|
  config.use_transactional_fixtures = false
  config.before(:suite) { RmtExamples.begin_anew }
  config.prepend_before { RmtExamples.empty_tables }
  config.after(:suite) do
    on = defined?(RmtRs) && ENV['RMT_RS_DOOR'] != 'off'
    File.write(ENV.fetch('RMT_EXAMPLES_ACCOUNT'), JSON.generate(RmtExamples.account)) if on
    RmtExamples.empty_tables
  end
end
