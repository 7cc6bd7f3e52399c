# frozen_string_literal: true

require_relative 'configuration'
require_relative 'credentials/pause'
require_relative 'errors'
require_relative 'native'

module RmtRs
  # Passwords of systems as hashes, on Ruby's side: RMT's own model is taught to make and to verify them, so that what RMT
  # answers itself (with the door off, after a fallback, at endpoints that are not Rust's) knows the same systems.
  #
  # @see file:docs/credentials.md
  module Credentials
    # What is stored as a password and begins so is a hash, or was one. It is never compared with what a client sends: who
    # has read the table must not get in with what is in it.
    HASH = /\A\$argon2/i
    # As long as a hash can be.
    LONGEST = '$argon2id$v=19$m=262144,t=64,p=16$'.length + 22 + 1 + 43
    # Engines that hand on passwords of systems, and to whom.
    HANDING_ON = { 'SccProxy::Engine' => 'SCC', 'RegistrationSharing::Engine' => 'other RMT servers',
                   'Registry::Engine' => 'the registry' }.freeze
    private_constant :HASH, :LONGEST, :HANDING_ON

    # How many systems have what, up to the one with the id `last`; none is left when that is nil.
    Census = Struct.new(:plain, :current, :outdated, :damaged, :last)
    # How many systems were looked at, have a hash now, and have none; `last` as in {Census}.
    Converted = Struct.new(:seen, :hashed, :left, :last)

    # Before RMT's model, for its class.
    module Finder
      # @param login [String]
      # @param password [String]
      # @return [ActiveRecord::Relation<System>] systems that have them, the oldest first
      def get_by_credentials(login, password)
        Credentials.systems(self, login, password)
      end
    end

    # Before RMT's model.
    module Model
      # @api private
      def self.prepended(model)
        model.singleton_class.prepend(Finder)
        model.around_create :store_password_as_hash
      end

      private

      # The row has the hash, the record goes on with the password: it is told to the client once, now.
      def store_password_as_hash
        plain = password
        return yield if plain.nil? || Credentials.hash?(plain) || !Credentials.storing?

        self.password = Credentials.in_time { Native.password_to_store(login, plain) }
        begin
          yield
        ensure
          self.password = plain
          clear_attribute_changes(%w[password])
        end
      end
    end

    @pause = Pause.new

    class << self
      # @api private
      # @return [Pause] of replacing what is stored, in this process
      attr_accessor :pause

      # Teaches RMT's model; run again whenever Rails reloads it.
      #
      # @return [void]
      def install
        'System'.safe_constantize&.prepend(Model)
      end

      # @param stored [String] what stands in `systems.password`
      # @return [Boolean]
      def hash?(stored)
        stored.match?(HASH)
      end

      # @return [Boolean] whether new passwords are stored as hashes
      def storing?
        @storing ? true : false
      end

      # Why hashes cannot be stored in this RMT.
      #
      # @return [Array<String>]
      def reasons
        engines = HANDING_ON.select { |engine, _| Object.const_defined?(engine) }
        [('RMT forwards systems to SCC with their passwords: set scc.sync_systems to false first' if forwards?),
         *engines.map { |engine, whom| "#{engine.delete_suffix('::Engine')} is loaded, which hands on passwords to #{whom}" }]
          .compact
      end

      # @param configuration [Configuration]
      # @return [void]
      # @raise [ConfigurationError] when hashes are to be stored and cannot be; with the door off that is only logged, and they
      #   are not stored
      def check(configuration)
        @storing = configuration.credentials == 'argon2id'
        return unless @storing && (reason = reasons.first || short_column)

        what = "rmt_rs: credentials: argon2id is not possible here: #{reason}"
        raise ConfigurationError, what unless configuration.off?

        @storing = false
        RmtRs.logger&.error("#{what}. Passwords of new systems are stored as they are")
      end

      # @param configuration [Configuration]
      # @return [void]
      def report(configuration)
        what = @storing ? 'stored as hashes (argon2id)' : 'stored as they are; hashes that are there are verified'
        RmtRs.logger&.info("rmt_rs #{VERSION}: #{configuration.door} door, passwords of systems are #{what}")
      end

      # The library cannot be used. With the door off RMT starts nevertheless, as that switch must always work: systems whose
      # passwords are hashes are told to come later.
      #
      # @param configuration [Configuration]
      # @param error [Exception]
      # @return [void]
      # @raise [ConfigurationError] with a door
      def unusable(configuration, error)
        what = "rmt_rs: credentials: the library that verifies passwords cannot be used: #{error.message}"
        raise ConfigurationError, what unless configuration.off?

        @storing = false
        @unusable = what
        RmtRs.logger&.error("#{what}. Systems whose passwords are hashes are answered 503")
      end

      # @param model [Class] RMT's System
      # @param login [String]
      # @param password [String]
      # @return [ActiveRecord::Relation<System>] systems that have them, the oldest first. What is stored in another way than is
      #   configured is replaced
      def systems(model, login, password)
        login, password = [login, password].map { |text| String.new(text.to_s, encoding: Encoding::UTF_8) }
        return model.none unless login.valid_encoding? && password.valid_encoding?

        same = Arel.sql(model.sanitize_sql_array(['systems.password = ?', password]))
        rows = model.where(login: login).where.not(password: nil).order(:id)
        fitting = fitting(quietly(model) { rows.pluck(:id, :password, same) }, login, password)
        replace(model, fitting, login, password) if @storing
        model.where(id: fitting.map(&:first)).order(:id)
      end

      # Answers instead of crashing when too many wait for a hash, in RMT's way.
      #
      # @return [Object] what the block gave
      def in_time
        yield
      rescue Unavailable
        raise unless defined?(::ActionController::TranslatedError)

        refusal = ::ActionController::TranslatedError.new(Refusal.unavailable.message)
        refusal.status = 503
        raise refusal
      end

      private

      # At the log level debug Rails logs statements with their values.
      def quietly(model, &)
        logger = model.logger
        logger.respond_to?(:silence) ? logger.silence(&) : yield
      end

      # RMT's own reading of its setting: all but false means yes.
      def forwards?
        return false unless defined?(::Settings) && ::Settings.respond_to?(:[])

        scc = ::Settings[:scc]
        (scc.respond_to?(:[]) ? scc[:sync_systems] : nil) != false
      end

      # That the database is not there yet is no reason to refuse: with a column that is too short it refuses itself.
      def short_column
        limit = ::System.columns_hash['password']&.limit
        "systems.password takes #{limit} characters, and a hash needs #{LONGEST}" if limit && limit < LONGEST
      rescue NameError, ActiveRecord::ActiveRecordError
        nil
      end

      # Of the systems with the login (of each its id, what is stored, and whether the database takes that for the password)
      # those that have the password; of each its id, what is stored, and whether that is to stay.
      def fitting(rows, login, password)
        hashed, plain = rows.partition { |_, stored, _| hash?(stored) }
        plain = plain.filter_map { |id, stored, same| [id, stored, false] if same == 1 }
        # Also where there is nothing to compare: it is to take as long.
        return plain if hashed.empty? && plain.any?

        stored = hashed.map { |_, hash, _| hash }.uniq
        compared = stored.zip(in_time { compare(login, password, stored) }).to_h
        hashed = hashed.filter_map { |id, hash, _| [id, hash, compared[hash].last] if compared[hash].first }
        (plain + hashed).sort_by(&:first)
      end

      def compare(login, password, stored)
        return Native.compare_passwords(login, password, stored) unless @unusable
        raise Unavailable, @unusable if stored.any?

        []
      end

      # Puts a hash in the place of what is stored, where that has not changed meanwhile. Systems that share credentials share
      # it. It is no save: for RMT and SCC nothing has changed. Who has the right password need not hear that it failed.
      def replace(model, fitting, login, password)
        old, current = fitting.partition { |_, _, stays| !stays }
        return if old.empty?

        pause.try do
          hash = current.first ? current.first[1] : Native.password_to_store(login, password)
          quietly(model) do
            old.each { |id, stored, _| model.where(id: id).where('BINARY password = ?', stored).update_all(password: hash) }
          end
        end
      rescue Error, ActiveRecord::ActiveRecordError => e
        RmtRs.logger&.error("rmt_rs: passwords stay stored as they are, which is looked at again each minute: #{e.class}")
      end
    end
  end
end
