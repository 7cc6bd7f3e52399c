# frozen_string_literal: true

# As Rails does: what is read and printed is UTF-8, whatever the machine's locale.
Encoding.default_external = Encoding::UTF_8

require 'rack/utils'

$LOAD_PATH.unshift(File.expand_path('../lib', __dir__))

require_relative 'support/host'
require_relative 'support/private_mariadb'
require_relative 'support/refusals'

# What Rails answers for a model that is not valid; later versions of Rack have another name for it.
REFUSED_BY_RAILS = %({"status":422,"error":"#{Rack::Utils::HTTP_STATUS_CODES[422]}"}).freeze

# The MariaDB of the whole suite, apart from bin/host's, so that neither meets the other's data.
module SuiteDatabase
  # The tables of RMT.
  STRUCTURE = File.join(Host::APP, 'db/structure.sql')

  class << self
    # @return [PrivateMariadb] running; started when an example first asks for it
    def mariadb
      @mariadb ||= PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-test')).start
    end

    # @param name [String] a database; what it held before is dropped
    # @return [MysqlDatabase] with RMT's tables, empty
    def fresh(name)
      mariadb.database(name).drop.create.load_sql(STRUCTURE)
    end

    # @return [void]
    def stop
      @mariadb&.stop
      @mariadb = nil
    end
  end
end

RSpec.configure do |config|
  config.include(Refusals)
  config.disable_monkey_patching!
  config.expect_with(:rspec) { |expectations| expectations.include_chain_clauses_in_custom_matcher_descriptions = true }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.shared_context_metadata_behavior = :apply_to_host_groups
  config.filter_run_when_matching :focus
  config.order = :random
  Kernel.srand(config.seed)

  config.after(:suite) { SuiteDatabase.stop }
end
