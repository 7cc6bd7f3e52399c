# frozen_string_literal: true

require_relative '../credentials'

module RmtRs
  module Credentials
    # What `rake rmt_rs:credentials:status` and `rake rmt_rs:credentials:hash` do.
    #
    # @example
    #   RmtRs::Credentials::Conversion.new($stdout).status
    class Conversion
      # Seconds between two lines of progress.
      PAUSE = 2
      # Seconds that Rust may take for a part.
      PATIENCE = 600
      private_constant :PAUSE, :PATIENCE

      # @param out [IO]
      # @param configuration [Configuration] of a door, whether or not it is open
      # @param clock [Proc] seconds
      # @raise [ConfigurationError] when no hashes are configured
      def initialize(out, configuration: self.class.configuration,
                     clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @out = out
        @configuration = configuration
        @clock = clock
        unless configuration.hashes?
          raise ConfigurationError, 'rmt_rs: credentials is not set: nothing is stored as a hash (see docs/credentials.md)'
        end

        Native.load!
        Native.configure(configuration.to_native(ActiveRecord::Base.connection_db_config.configuration_hash,
                                                 deadline: PATIENCE))
      end

      # @return [Configuration] what is configured, with the door off as well
      def self.configuration
        environment = Configuration.load.off? ? ENV.to_h.merge('RMT_RS_DOOR' => 'controller') : ENV
        Configuration.load(environment: environment)
      end

      # Says how many systems have what stored.
      #
      # @return [Census] of all
      def status
        total = Census.new(0, 0, 0, 0)
        each_part(Census, :count_passwords) do |part|
          %i[plain current outdated damaged].each { |kind| total[kind] += part[kind] }
        end
        @out.puts "plain:    #{total.plain} (hashed at their next authentication, or by rake rmt_rs:credentials:hash)",
                  "current:  #{total.current}",
                  "outdated: #{total.outdated} (of other parameters; hashed anew at their next authentication)",
                  "damaged:  #{total.damaged} (no password fits: these systems have to register again)"
        total
      end

      # Stores hashes in the place of all plain passwords. Begun anew, it goes on with what is left.
      #
      # @return [Converted] all together
      # @raise [ConfigurationError] when hashes are not to be stored, or cannot be
      def hash_all
        unless @configuration.credentials == 'argon2id'
          raise ConfigurationError, 'rmt_rs: set credentials to argon2id and restart RMT first: what does not verify hashes ' \
                                    'refuses systems that have them'
        end
        Credentials.check(@configuration)

        @begun = @said = @clock.call
        @of = ::System.count
        total = Converted.new(0, 0, 0)
        each_part(Converted, :convert_passwords) { |part| add(total, part) }
        @out.puts progress(total)
        @out.puts "#{total.left} left as they were: run it again, the log of the database says why" if total.left.positive?
        total
      rescue Interrupt
        @out.puts 'Stopped. What is hashed stays so; run it again to go on.'
        raise
      end

      private

      def each_part(kind, method)
        after = 0
        loop do
          part = kind.new(*Native.public_send(method, after))
          break if part.last.nil?

          yield part
          after = part.last
        end
      end

      def add(total, part)
        # What was converted before takes no time, and says nothing of what is to come.
        @passed = total.seen if total.hashed.zero?
        %i[seen hashed left].each { |count| total[count] += part[count] }
        return if @clock.call - @said < PAUSE

        @said = @clock.call
        @out.puts progress(total)
      end

      def progress(total)
        seconds = @clock.call - @begun
        line = "#{total.seen} of #{@of} systems seen, #{total.hashed} hashed in #{seconds.round} s"
        return line unless seconds.positive? && total.hashed.positive? && total.seen < @of

        left = (@of - total.seen) * seconds / (total.seen - @passed)
        "#{line}, #{(total.hashed / seconds).round} a second, #{left.round} s to go"
      end
    end
  end
end
