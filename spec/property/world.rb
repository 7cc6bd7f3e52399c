# frozen_string_literal: true

require_relative 'expectation'
require_relative 'player'

module Property
  # The rows of RMT's tables as they should become, changed as a request is thought through.
  class World
    UUID = /\A\h{8}-\h{4}-4\h{3}-[89ab]\h{3}-\h{12}\z/

    # @return [Hash{String => Array<Hash>}]
    attr_reader :rows

    # @param rows [Hash{String => Array<Hash>}] as they are; they stay so
    def initialize(rows)
      @rows = rows.transform_values { |table| table.map(&:dup) }
    end

    # @return [World] one that can be changed without changing this one
    def dup
      World.new(@rows)
    end

    # @param login [String]
    # @param password [String]
    # @return [Array<Hash>] the systems with these credentials, the oldest first
    def systems_with(login, password)
      @rows['systems'].select do |system|
        Catalog.alike?(system['login'], login) && Catalog.alike?(system['password'], password)
      end
    end

    # @param row [Hash] its columns; the others are NULL
    # @return [Hash] the new row
    def add_system(row)
      nothing = Player::TABLES['systems'].to_h { |column| [column, nil] }
      add('systems', nothing, %w[registered_at created_at updated_at].to_h { |column| [column, RECENTLY] }.merge(row))
    end

    # @param system [Hash]
    # @param token [String, nil] of the copy
    # @return [Hash] a copy of the system with its activations
    def copy(system, token)
      times = { 'created_at' => RECENTLY, 'updated_at' => RECENTLY }
      copy = add('systems', system, times.merge('system_token' => token))
      activations_of(system).each { |activation| add('activations', activation, times.merge('system_id' => copy['id'])) }
      copy
    end

    # Saves what has changed of a system; SCC is to hear of it in any case.
    #
    # @param system [Hash]
    # @param changes [Hash]
    # @return [void]
    def save(system, changes = {})
      changed = changes.reject { |column, value| value == system[column] }
      system.merge!(changed, changed.empty? ? {} : { 'updated_at' => RECENTLY }, 'scc_registered_at' => nil)
    end

    # @param system [Hash]
    # @return [Array<Hash>] its activations, the oldest first
    def activations_of(system)
      of(system, 'activations').sort_by { |row| row['id'].is_a?(Fresh) ? Float::INFINITY : row['id'] }
    end

    # @param system [Hash]
    # @param service [Integer]
    # @return [Hash, nil] the activation
    def activation(system, service)
      activations_of(system).find { |row| row['service_id'] == service }
    end

    # @param system [Hash]
    # @param service [Integer]
    # @param subscription [Integer, nil]
    # @return [void]
    def activate(system, service, subscription)
      add('activations', { 'system_id' => system['id'], 'service_id' => service, 'subscription_id' => subscription,
                           'created_at' => RECENTLY, 'updated_at' => RECENTLY })
      changed(system)
    end

    # Notes that something about a system has changed that is in another table.
    #
    # @param system [Hash]
    # @return [void]
    def changed(system)
      system.merge!('updated_at' => RECENTLY, 'scc_registered_at' => nil)
    end

    # @param activations [Array<Hash>]
    # @return [void]
    def remove(activations)
      ids = activations.map { |row| row['id'] }
      @rows['activations'].reject! { |row| ids.include?(row['id']) }
    end

    # @param type [String]
    # @param identifier [String]
    # @return [Hash, nil] the profile
    def profile(type, identifier)
      @rows['profiles'].find do |row|
        Catalog.alike?(row['profile_type'], type) && Catalog.alike?(row['identifier'], identifier)
      end
    end

    # @param type [String]
    # @param identifier [String]
    # @param data [String]
    # @return [Hash] the new profile
    def add_profile(type, identifier, data)
      add('profiles', { 'profile_type' => type, 'identifier' => identifier, 'data' => data, 'last_synced_at' => nil })
    end

    # Links these profiles, and no others, to the system.
    #
    # @param system [Hash]
    # @param profiles [Array<Hash>]
    # @return [void]
    def link(system, profiles)
      linked = of(system, 'system_profiles')
      kept = linked.select { |row| profiles.any? { |profile| profile['id'] == row['profile_id'] } }
      @rows['system_profiles'] -= linked - kept
      profiles.each do |profile|
        next if kept.any? { |row| row['profile_id'] == profile['id'] }

        add('system_profiles', { 'system_id' => system['id'], 'profile_id' => profile['id'] })
      end
    end

    # @param system [Hash]
    # @param day [Date]
    # @param hours [String]
    # @return [void]
    def note_uptime(system, day, hours)
      known = of(system, 'system_uptimes').find { |row| row['online_at_day'] == day }
      known ||= add('system_uptimes', { 'system_id' => system['id'], 'online_at_day' => day })
      known['online_at_hours'] = hours.ljust(24, "\0")
    end

    # Removes a system and what only it had.
    #
    # @param system [Hash]
    # @return [void]
    def deregister(system)
      profiles = of(system, 'system_profiles').map { |row| row['profile_id'] }
      %w[activations system_profiles system_uptimes].each { |table| @rows[table] -= of(system, table) }
      @rows['systems'].delete(system)
      orphans = profiles.reject { |id| @rows['system_profiles'].any? { |row| row['profile_id'] == id } }
      @rows['profiles'].reject! { |profile| orphans.include?(profile['id']) }
      remember(system['scc_system_id'])
    end

    # @return [Fresh] a token that nobody has had
    def new_token
      Fresh.new('token', UUID, @rows['systems'].map { |system| system['system_token'] })
    end

    private

    def of(system, table)
      @rows[table].select { |row| row['system_id'].equal?(system['id']) || row['system_id'] == system['id'] }
    end

    def remember(scc_system_id)
      return unless scc_system_id
      return if @rows['deregistered_systems'].any? { |row| row['scc_system_id'] == scc_system_id }

      add('deregistered_systems', { 'scc_system_id' => scc_system_id })
    end

    def add(table, row, changes = {})
      id = Fresh.new("id in #{table}", Integer, @rows[table].map { |known| known['id'] })
      { **row, **changes, 'id' => id }.tap { |added| @rows[table] << added }
    end
  end
end
