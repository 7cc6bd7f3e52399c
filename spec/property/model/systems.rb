# frozen_string_literal: true

module Property
  class Model
    # What concerns a system as a whole: announcing itself, keeping alive, leaving.
    module Systems
      DAY = /\A\d{4}-\d\d-\d\d\z/
      HOURS_OF_DAY = 24

      private

      def announce_system
        leave_open unless @parameters.storable?('hostname') && hardware? && profiles?
        profiles = announced_profiles
        system = @world.add_system('hostname' => @parameters['hostname'], 'system_information' => hardware_text,
                                   'login' => Fresh.new('login', /\ASCC_\h{32}\z/),
                                   'password' => Fresh.new('password', /\A\h{16}\z/), 'proxy_byos_mode' => 0)
        @world.link(system, profiles)
        answer(201, :json, { **system.slice('id', 'login', 'password'), 'last_seen_at' => nil })
      end

      def update
        authenticate
        leave_open unless @parameters.storable?('hostname') && hardware? && profiles? && days?
        @crashes = true unless @parameters.key?('hwinfo')
        before = @world.dup
        days = valid_days || give_back(before)
        days.each { |day, hours| @world.note_uptime(@system, day, hours) }
        profiles = updated_profiles(before)
        @world.link(@system, profiles) if profiles.any?
        @world.save(@system, { 'hostname' => @parameters['hostname'], **merged_hardware })
        rotate_token
        answer(204, :text, '')
      end

      def deregister
        authenticate
        @world.deregister(@system)
        answer(204, :text, '')
      end

      # Nothing of a request that is not valid is stored.
      def give_back(before)
        @world = before
        refuse_as_rails(422, UNPROCESSABLE)
      end

      def hardware?
        !@parameters.key?('hwinfo') || hardware
      end

      def merged_hardware
        hardware ? { 'system_information' => merged(hardware) } : {}
      end

      def hardware
        hwinfo = @parameters['hwinfo']
        flat(hwinfo) if hwinfo.is_a?(Hash) && !Parameters.beyond_plane?(JSON.generate(hwinfo))
      end

      # What Rails lets through of it.
      def flat(value)
        case value
        when Hash then value.transform_values { flat(_1) }
        when Array then value.reject { _1.nil? || _1.is_a?(Array) }.map { flat(_1) }
        else value
        end
      end

      def hardware_text
        Parameters.json(hardware)
      end

      def profiles?
        profiles = @parameters['system_profiles']
        return true if profiles.nil?

        profiles.is_a?(Hash) && profiles.all? do |type, profile|
          profile.is_a?(Hash) && [type, *profile.values_at('identifier', 'data')].all? { Parameters.storable?(_1) }
        end
      end

      def days?
        days = @parameters['online_at']
        return true if days.nil?

        days.is_a?(Array) && days.all? do |day|
          next false unless day.is_a?(String)

          date, hours, *more = day.split(':')
          hours.nil? || more.any? || (date.match?(DAY) && hours.length <= HOURS_OF_DAY && hours.ascii_only?)
        end
      end

      # @return [Array(Date, String), nil] days and their hours, without what is neither; nil when some are
      #   no days or have no hours
      def valid_days
        days = @parameters['online_at'].to_a.map { |day| day.split(':') }.select { |parts| parts.size == 2 }
        return if days.any? { |day, hours| !Date.valid_date?(*day.split('-').map(&:to_i)) || blank?(hours) }

        days.map { |day, hours| [Date.parse(day), hours] }
      end

      # Complete profiles are stored; any other makes the client forget what it has sent.
      def announced_profiles
        complete, rest = sent_profiles.partition { |_, profile| complete?(profile) }
        clear_cache if rest.any?
        before = @world.dup
        once(complete.map { |type, profile| store_profile(type, profile, before) })
      end

      # Here those without data will do that are known.
      def updated_profiles(before)
        complete, rest = sent_profiles.partition { |_, profile| complete?(profile) }
        known = rest.map { |type, profile| @world.profile(type, profile['identifier']) unless blank?(profile['identifier']) }
        if !known.all? then clear_cache
        elsif !rest.zip(known).all? { |sent, found| same_case?(sent, found) }
          # Known to the table, but in the other case: the reference links them and says that it has not.
          clear_cache(OneOf.new([nil, 'clear-cache']))
        end
        once(complete.map { |type, profile| store_profile(type, profile, before) } + known.compact)
      end

      # Some may be the same to the table; there the reference crashes.
      def once(profiles)
        @crashes = true if profiles.uniq != profiles
        profiles.uniq
      end

      def sent_profiles
        (@parameters['system_profiles'] || {}).to_a
      end

      def complete?(profile)
        profile.key?('data') && !blank?(profile['identifier'])
      end

      def store_profile(type, profile, before)
        known = @world.profile(type, profile['identifier'])
        return known if known

        give_back(before) if blank?(profile['data'])
        @world.add_profile(type, profile['identifier'], profile['data'])
      end

      def same_case?(sent, found)
        found.values_at('profile_type', 'identifier') == [sent.first, sent.last['identifier']]
      end

      def clear_cache(expected = 'clear-cache')
        @headers['X-System-Profiles-Action'] = expected
      end

      def blank?(value)
        value.nil? || value.strip.empty?
      end
    end
  end
end
