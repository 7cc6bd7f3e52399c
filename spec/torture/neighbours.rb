# frozen_string_literal: true

require 'mysql2'
require_relative '../support/processes'
require_relative 'until_stopped'

module Torture
  # What RMT's own commands send to the database while systems register: `rmt-cli systems purge`, which destroys old systems
  # one after the other with all that hangs on them, and `rmt-cli systems scc-sync`, which tells SCC of new and changed systems
  # and stores what SCC calls them. Old systems come again and again, and have the profiles that new ones have, too.
  #
  # @example
  #   neighbours = Neighbours.new(database, profiles: ['all']).start
  #   neighbours.stop
  #   neighbours.figures # => { "purged" => 1200, … }
  class Neighbours
    include UntilStopped

    # The database rolls one of two back that wait for each other; RMT tries its commands again then.
    ROLLED_BACK = [1205, 1213].freeze
    # RMT's batches are of 500 and 200; smaller ones come more often.
    BATCH = 50
    # What the systems to be purged are called.
    PREFIX = 'old'
    private_constant :ROLLED_BACK, :BATCH

    # @return [Hash{Integer => Integer}] what SCC calls a system, by the system's id
    attr_reader :scc_ids
    # @return [Array<Integer>] what SCC was told to be gone
    attr_reader :forwarded

    # @param database [MysqlDatabase]
    # @param profiles [Hash] that old systems have, as {Machine} takes them
    def initialize(database, profiles:)
      @database = database
      @profiles = profiles
      @scc_ids = {}
      @forwarded = []
      @purged = 0
      @rolled_back = 0
      @last_scc_id = 0
    end

    # @return [Hash{String => Integer}]
    def figures
      { 'systems purged' => @purged, 'systems synced to SCC' => @scc_ids.size, 'purge and sync rolled back' => @rolled_back }
    end

    # What systems may not have lost or forgotten of what was stored beside them.
    #
    # @return [Array<String>]
    def violations
      @database.with_client do |sql|
        known = sql.query('SELECT id, scc_system_id FROM systems').to_h { |row| row.values_at('id', 'scc_system_id') }
        left = sql.query('SELECT scc_system_id AS id FROM deregistered_systems').map { |row| row['id'] } + @forwarded
        old = sql.query("SELECT COUNT(*) AS n FROM systems WHERE hostname LIKE '#{PREFIX}-%'").first['n']
        [*("#{old} old systems were not purged" if old.positive?), *unknown(known, left.to_h { |id| [id, true] })]
      end
    end

    # Destroys a system as RMT does: with the record what depends on it, and then, with the profile locked, the profile nobody
    # has any more.
    #
    # @param sql [Mysql2::Client]
    # @param id [Integer]
    # @return [void]
    def destroy(sql, id)
      profiles = ids(sql, "SELECT profile_id AS id FROM system_profiles WHERE system_id = #{id}")
      transaction(sql) do
        sql.query("DELETE FROM activations WHERE system_id = #{id}")
        %w[system_uptimes system_profiles].each do |table|
          found = ids(sql, "SELECT id FROM #{table} WHERE system_id = #{id}")
          found.each { |dependent| sql.query("DELETE FROM #{table} WHERE id = #{dependent}") }
        end
        known = "SELECT scc_system_id AS id FROM systems WHERE id = #{id} AND scc_system_id IS NOT NULL LOCK IN SHARE MODE"
        ids(sql, known).each { |scc| insert(sql, 'deregistered_systems', scc_system_id: scc, updated_at: '2001-01-01') }
        sql.query("DELETE FROM systems WHERE id = #{id}")
      end
      profiles.each { |profile| destroy_orphan(sql, profile) }
    end

    private

    def threads
      %i[purge sync].map { |command| Thread.new { repeat(command) } }
    end

    def unknown(known, left)
      @scc_ids.filter_map do |id, scc_id|
        if known.key?(id)
          "system #{id} has lost what SCC calls it" unless known[id] == scc_id
        else
          "system #{id} has left, which SCC is not told" unless left[scc_id]
        end
      end
    end

    def repeat(command)
      @database.with_client do |sql|
        loop do
          send(command, sql)
          break unless @running
        end
      end
    end

    # Everything is tried again until it works.
    def again(sql)
      yield
    rescue Mysql2::Error => e
      raise unless ROLLED_BACK.include?(e.error_number)

      sql.query('ROLLBACK')
      @rolled_back += 1
      retry
    end

    def transaction(sql)
      again(sql) do
        sql.query('START TRANSACTION')
        yield
        sql.query('COMMIT')
      end
    end

    def purge(sql)
      stock(sql)
      old = ids(sql, "SELECT id FROM systems WHERE last_seen_at < NOW() - INTERVAL 3 MONTH ORDER BY id LIMIT #{BATCH}")
      old.each { |id| destroy(sql, id) }
      @purged += old.size
    end

    # Systems as they were left long ago.
    def stock(sql)
      BATCH.times do |number|
        transaction(sql) do
          insert(sql, 'systems', login: "SCC_old#{number}", password: 'old', hostname: "#{PREFIX}-#{number}",
                                 last_seen_at: '2001-01-01', updated_at: '2001-01-01')
          belongings(sql, sql.last_id)
        end
      end
    end

    def belongings(sql, id)
      insert(sql, 'activations', system_id: id, service_id: 1, updated_at: '2001-01-01')
      insert(sql, 'system_uptimes', system_id: id, online_at_day: '2001-01-01', online_at_hours: '1' * 24,
                                    updated_at: '2001-01-01')
      @profiles.each do |type, profile|
        insert(sql, 'profiles', profile_type: type, identifier: profile[:identifier], data: profile[:data].to_json,
                                updated_at: '2001-01-01')
        # A statement that inserts what it selects would hold the table's counter while it waits; RMT has none.
        stored = ids(sql, "SELECT id FROM profiles WHERE profile_type = '#{type}' AND " \
                          "identifier = '#{profile[:identifier]}' LOCK IN SHARE MODE")
        stored.each { |link| insert(sql, 'system_profiles', system_id: id, profile_id: link, updated_at: '2001-01-01') }
      end
    end

    # What is there already stays.
    def insert(sql, table, **columns)
      columns[:created_at] = columns[:updated_at]
      values = columns.values.map { |value| value.is_a?(Integer) ? value : "'#{sql.escape(value)}'" }
      sql.query("INSERT IGNORE INTO #{table} (#{columns.keys.join(',')}) VALUES (#{values.join(',')})")
    end

    def destroy_orphan(sql, id)
      transaction(sql) do
        next if sql.query("SELECT id FROM profiles WHERE id = #{id} FOR UPDATE").none?
        next if sql.query("SELECT 1 FROM system_profiles WHERE profile_id = #{id} LIMIT 1").any?

        sql.query("DELETE FROM profiles WHERE id = #{id}")
      end
    end

    def ids(sql, query)
      sql.query(query).map { |row| row['id'] }
    end

    # SCC gives every system an id, and keeps it.
    def sync(sql)
      changed = 'SELECT id FROM systems WHERE scc_registered_at IS NULL OR last_seen_at > scc_registered_at'
      ids(sql, "#{changed} ORDER BY id LIMIT #{BATCH}").each { |id| tell(sql, id) }
      ids(sql, "SELECT id FROM deregistered_systems ORDER BY id LIMIT #{BATCH}").each { |id| forward(sql, id) }
    end

    def tell(sql, id)
      scc_id = @scc_ids[id] || (@last_scc_id += 1)
      again(sql) do
        sql.query("UPDATE systems SET scc_system_id = #{scc_id}, scc_registered_at = UTC_TIMESTAMP() WHERE id = #{id}")
      end
      @scc_ids[id] = scc_id if sql.affected_rows.positive?
    end

    def forward(sql, id)
      scc_id = sql.query("SELECT scc_system_id FROM deregistered_systems WHERE id = #{id}").first['scc_system_id']
      @forwarded << scc_id
      again(sql) { sql.query("DELETE FROM deregistered_systems WHERE id = #{id}") }
    end
  end
end
