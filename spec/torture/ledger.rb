# frozen_string_literal: true

require 'json'

module Torture
  # What machines were told, held against what a database holds.
  #
  # Triggers write down each change of a token in the transaction that makes it, so that a token that was changed once
  # too often shows even if the machine never learns of it.
  #
  # @example
  #   ledger = Ledger.new(database).open
  #   machine = ledger.add(Machine.new(…))
  #   machine.register
  #   ledger.violations # => []
  class Ledger
    AUDIT = [
      'CREATE TABLE torture_tokens (id BIGINT PRIMARY KEY AUTO_INCREMENT, system_id BIGINT NOT NULL, token VARCHAR(255), ' \
      'KEY (system_id)) ENGINE=InnoDB',
      'CREATE TRIGGER torture_token_changes AFTER UPDATE ON systems FOR EACH ROW BEGIN ' \
      'IF NOT (NEW.system_token <=> OLD.system_token) THEN ' \
      'INSERT INTO torture_tokens (system_id, token) VALUES (NEW.id, NEW.system_token); END IF; END'
    ].freeze
    # What may be left when something was removed or stored by halves, and how to find it.
    ORPHANS = {
      'profiles that no system has' =>
        'SELECT id FROM profiles WHERE NOT EXISTS (SELECT 1 FROM system_profiles WHERE profile_id = profiles.id)',
      'links of profiles without both ends' =>
        'SELECT system_profiles.id FROM system_profiles LEFT JOIN systems ON systems.id = system_id ' \
        'LEFT JOIN profiles ON profiles.id = profile_id WHERE systems.id IS NULL OR profiles.id IS NULL',
      'activations without a system or a service' =>
        'SELECT activations.id FROM activations LEFT JOIN systems ON systems.id = system_id ' \
        'LEFT JOIN services ON services.id = service_id WHERE systems.id IS NULL OR services.id IS NULL',
      'uptimes without a system' =>
        'SELECT system_uptimes.id FROM system_uptimes LEFT JOIN systems ON systems.id = system_id WHERE systems.id IS NULL',
      'activations that are there twice' =>
        'SELECT MIN(id) AS id FROM activations GROUP BY system_id, service_id HAVING COUNT(*) > 1',
      'profiles that are there twice' =>
        'SELECT MIN(id) AS id FROM profiles GROUP BY profile_type, identifier HAVING COUNT(*) > 1',
      'systems with the credentials and token of another' =>
        "SELECT MIN(id) AS id FROM systems GROUP BY login, password, COALESCE(system_token, '') HAVING COUNT(*) > 1"
    }.freeze
    TABLES = %w[systems activations profiles system_profiles system_uptimes deregistered_systems].freeze

    # @return [Array<Machine>]
    attr_reader :machines

    # @param database [MysqlDatabase]
    def initialize(database)
      @database = database
      @machines = []
      @mutex = Mutex.new
    end

    # Begins to write down changes of tokens.
    #
    # @return [self]
    def open
      @database.with_client { |sql| AUDIT.each { |statement| sql.query(statement) } }
      self
    end

    # @param machine [Machine] before it announces itself
    # @return [Machine]
    def add(machine)
      @mutex.synchronize { @machines << machine }
      machine
    end

    # Waits until nobody else is in a transaction, then compares. To be asked when no request is under way.
    #
    # @return [Array<String>] what differs from what was told, what is there by halves or twice
    def violations
      @database.with_client do |sql|
        wait_for_silence(sql)
        @stored = Stored.new(sql)
        strangers + @machines.flat_map { |machine| Account.new(machine, @stored).violations } + orphans(sql) + damages(sql)
      end
    end

    # @param machine [Machine] with a request whose fate it does not know
    # @return [Boolean] whether that was carried out; to be asked after {#violations}
    def done?(machine)
      Account.new(machine, @stored).done?
    end

    # @return [Hash{String => Integer}] what was acknowledged and what stayed in doubt
    def figures
      { 'systems acknowledged' => @machines.count(&:announced?), 'activations acknowledged' => @machines.sum { _1.services.size },
        'left' => @machines.count(&:left), 'requests answered' => @machines.sum(&:answered),
        'in doubt' => @machines.count(&:doubt) }
    end

    private

    # What was in a transaction when its client was killed is rolled back after a while; its session may be gone by then.
    # Those in other databases are none of this one's.
    UNDER_WAY = 'SELECT trx_started, trx_state, trx_query, command, time FROM information_schema.INNODB_TRX ' \
                'LEFT JOIN information_schema.PROCESSLIST ON id = trx_mysql_thread_id WHERE id IS NULL OR db = DATABASE()'
    private_constant :UNDER_WAY

    def wait_for_silence(sql)
      left = []
      Processes.wait_until(60) { (left = sql.query(UNDER_WAY).to_a).empty? } || raise("transactions do not end: #{left}")
    end

    def strangers
      known = @machines.to_h { |machine| [machine.hostname, true] }
      @stored.hostnames.reject { |hostname| known[hostname] }.map { |hostname| "a system #{hostname} that nobody announced" }
    end

    def orphans(sql)
      ORPHANS.filter_map do |what, query|
        ids = sql.query(query).map { |row| row['id'] }
        "#{what}: #{ids.size}, the first are #{ids.first(5).join(', ')}" if ids.any?
      end
    end

    # What the server itself says of its tables.
    def damages(sql)
      sql.query("CHECK TABLE #{TABLES.join(', ')}").reject { |row| row['Msg_text'] == 'OK' }.map { |row| row.values.join(' ') }
    end

    # What the database holds, by host name or by system.
    class Stored
      # @param sql [Mysql2::Client]
      def initialize(sql)
        @systems = sql.query('SELECT * FROM systems').group_by { |row| row['hostname'] }
        @activations = ids(sql, 'SELECT system_id, service_id AS id FROM activations')
        @profiles = ids(sql, 'SELECT system_id, profile_id AS id FROM system_profiles')
        @tokens = ids(sql, 'SELECT system_id, token AS id FROM torture_tokens ORDER BY torture_tokens.id')
      end

      # @return [Array<String>]
      def hostnames
        @systems.keys
      end

      # @return [Array<Hash>] rows of the systems that call themselves so
      def systems(hostname)
        @systems.fetch(hostname, [])
      end

      # @return [Array<Integer>] of its services
      def services(system_id)
        @activations.fetch(system_id, [])
      end

      # @return [Array<Integer>] of its profiles
      def profiles(system_id)
        @profiles.fetch(system_id, [])
      end

      # @return [Array<String>] all tokens it was ever given, in that order
      def tokens(system_id)
        @tokens.fetch(system_id, [])
      end

      private

      def ids(sql, query)
        sql.query(query).group_by { |row| row['system_id'] }.transform_values { |rows| rows.map { |row| row['id'] } }
      end
    end

    # One machine and its rows. A request whose fate it does not know was its last; of that everything is there, or nothing.
    class Account
      # @param machine [Machine]
      # @param stored [Stored]
      def initialize(machine, stored)
        @machine = machine
        @stored = stored
        @rows = stored.systems(machine.hostname)
        @row = @rows.first
        @operation, @subject = machine.doubt
      end

      # @return [Array<String>]
      def violations
        found = presence
        found += contents if @row && @rows.size == 1
        name = "#{@machine.hostname} (#{@machine.id || 'not acknowledged'}, in doubt: #{@operation || 'nothing'})"
        found.map { |text| "#{name}: #{text}" }
      end

      # @return [Boolean] whether the request was carried out whose fate the machine does not know
      def done?
        case @operation
        when :announce then !@row.nil?
        when :activate then @stored.services(@row['id']).include?(@subject)
        when :destroy then !@stored.services(@row['id']).include?(@subject)
        when :update then JSON.parse(@row['system_information'])['revision'] == @subject
        when :deregister then @row.nil?
        end
      end

      private

      def presence
        return ["stored #{@rows.size} times"] if @rows.size > 1
        return @row ? [] : ['lost'] if expected?

        @row && certainly_absent? ? ['there, though it has left or was never announced'] : []
      end

      def expected?
        @machine.announced? && !@machine.left && @operation != :deregister
      end

      def certainly_absent?
        @machine.left || (!@machine.announced? && @operation != :announce)
      end

      def contents
        found = []
        found << "profiles #{profiles.size} of #{@machine.profile_count}" unless profiles.size == @machine.profile_count
        return found unless @machine.announced?

        found << 'other credentials' unless @row.values_at('id', 'login', 'password') == credentials
        found + tokens + activations + information + halves
      end

      def profiles
        @stored.profiles(@row['id'])
      end

      def credentials
        [@machine.id, @machine.login, @machine.password]
      end

      # The one it was told last, or, after a request without an answer, the one before or after that.
      def tokens
        given = @stored.tokens(@row['id'])
        told = @machine.tokens
        return ["given were the tokens #{given.inspect}, told #{told.inspect}"] unless given.first(told.size) == told

        found = []
        found << "its token is #{@row['system_token'].inspect}, not #{given.last.inspect}" if @row['system_token'] != given.last
        later = given.drop(told.size)
        found << "it was told #{told.last.inspect}, then given #{later.inspect}" if later.size > (changes_token? ? 1 : 0)
        found
      end

      def activations
        services = @stored.services(@row['id'])
        missing = @machine.services - services - (@operation == :destroy ? [@subject] : [])
        surplus = services - @machine.services - (@operation == :activate ? [@subject] : [])
        [*("activations lost: #{missing.inspect}" if missing.any?), *("activations too many: #{surplus.inspect}" if surplus.any?)]
      end

      def information
        said = JSON.parse(@row['system_information'])['revision']
        expected = [@machine.revision, *(@subject if @operation == :update)]
        expected.include?(said) ? [] : ["it said #{expected.inspect} of itself, stored is #{said.inspect}"]
      end

      # A token is changed together with what the request was for.
      def halves
        # What was activated before, an activation leaves as it is.
        return [] if !changes_token? || (@operation == :activate && @machine.services.include?(@subject))

        changed = @stored.tokens(@row['id']).size > @machine.tokens.size
        changed == done? ? [] : ["half of its last request was done: token #{'not ' unless changed}changed"]
      end

      def changes_token?
        %i[activate destroy update].include?(@operation)
      end
    end
  end
end
