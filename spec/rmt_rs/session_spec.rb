# frozen_string_literal: true

require 'active_record'
require_relative '../support/native_session'

# A value must be stored, cut or refused alike by both languages, so both sessions must be alike.
RSpec.describe 'The database session' do
  # Whose session a new connection's first statement sets, as the server's log has it.
  def session_statement(config)
    sql = SuiteDatabase.mariadb.client('session')
    sql.query('TRUNCATE mysql.general_log')
    sql.query("SET GLOBAL log_output = 'TABLE'")
    sql.query('SET GLOBAL general_log = 1')
    yield config
    sql.query('SET GLOBAL general_log = 0')
    sql.query("SELECT argument FROM mysql.general_log WHERE argument LIKE 'SET %NAMES%' OR argument LIKE 'SET %sql_mode%'")
       .map { |row| row['argument'] }.grep_v(/GLOBAL/).last
  ensure
    sql&.close
  end

  def of_rails(config)
    session_statement(config) do
      pool = Class.new(ActiveRecord::Base) { self.abstract_class = true }
      stub_const('RailsSession', pool)
      pool.establish_connection(config)
      pool.connection.select_value('SELECT 1')
      pool.remove_connection
    end
  end

  def of_rust(config)
    session_statement(config) do
      configuration = RmtRs::Configuration.new({ door: 'controller' }, {})
      RmtRs::Native.load!
      RmtRs::Native.configure(configuration.to_native(config))
      RmtRs.announce({})
      RmtRs::Native.shut_down
    end
  end

  # All of a session's variables after `statement`.
  def variables(statement)
    sql = SuiteDatabase.mariadb.client('session')
    sql.query(statement)
    sql.query('SHOW SESSION VARIABLES').to_h { |row| row.values_at('Variable_name', 'Value') }
       .except('timestamp', 'pseudo_thread_id', 'rand_seed1', 'rand_seed2', 'last_insert_id', 'in_transaction')
  ensure
    sql&.close
  end

  before { SuiteDatabase.fresh('session') }

  {
    'as RMT configures it' => {},
    'with utf8mb4 and a collation' => { encoding: 'utf8mb4', collation: 'utf8mb4_unicode_ci' },
    'not strict' => { strict: false },
    "with the server's own mode" => { strict: :default },
    'with variables' => { variables: { 'sql_mode' => 'TRADITIONAL', 'lock_wait_timeout' => 7, 'sort_buffer_size' => :default } }
  }.each do |how, changes|
    it "is the one Rails opens, #{how}" do
      config = NativeSession.rails_config('session').merge(changes)
      rails = variables(of_rails(config))
      expect(variables(of_rust(config))).to eq(rails)
    end
  end

  describe 'on a server that is not strict' do
    before { server("SET GLOBAL sql_mode = ''") }
    after { server('SET GLOBAL sql_mode = DEFAULT') }

    def server(statement)
      SuiteDatabase.mariadb.database(nil).with_client { |sql| sql.query(statement) }
    end

    # What is stored of a hostname of 300 letters: its length, or nothing.
    def stored
      SuiteDatabase.mariadb.database('session').with_client do |sql|
        lengths = sql.query('SELECT LENGTH(hostname) AS length FROM systems').map { |row| row['length'] }
        sql.query('DELETE FROM systems')
        lengths
      end
    end

    def stored_by_rails(config)
      stub_const('RailsSystem', Class.new(ActiveRecord::Base) { self.table_name = 'systems' })
      RailsSystem.establish_connection(config)
      RailsSystem.create!(hostname: 'x' * 300)
      stored
    rescue ActiveRecord::ValueTooLong
      stored
    ensure
      RailsSystem.remove_connection
    end

    def stored_by_rust(config)
      RmtRs::Native.load!
      RmtRs::Native.configure(RmtRs::Configuration.new({ door: 'controller' }, {}).to_native(config))
      RmtRs.announce({ hostname: 'x' * 300 })
      stored
    rescue RmtRs::BadInput
      stored
    ensure
      RmtRs::Native.shut_down
    end

    { 'strict' => [{}, []], 'not strict' => [{ strict: false }, [255]] }.each do |how, (changes, expected)|
      it "stores what Rails stores, with sessions that are #{how}" do
        config = NativeSession.rails_config('session').merge(changes)
        expect(stored_by_rails(config)).to eq(expected)
        expect(stored_by_rust(config)).to eq(expected)
      end
    end
  end
end
