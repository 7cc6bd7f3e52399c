# frozen_string_literal: true

module RmtRs
  class Doctor
    # Whether Puma's threads have connections enough, and the database for all of its workers.
    class Connections
      # What is left for rmt-cli, a backup and somebody who looks.
      OTHERS = 10
      private_constant :OTHERS

      class << self
        # @return [Integer] threads of a worker; 0 when it is not known
        def threads
          from_rmt(:max_threads) || puma[:max_threads].to_i
        end

        # @return [Integer] processes that answer
        def workers
          [from_rmt(:workers) || puma[:workers].to_i, 1].max
        end

        private

        def from_rmt(key)
          return unless defined?(::RMT::Config) && ::RMT::Config.respond_to?(:web_server)

          ::RMT::Config.web_server.public_send(key)&.to_i
        end

        # As its configuration says, which is read without a server.
        def puma
          require 'puma'
          require 'puma/configuration'
          file = Rails.root.join('config/puma.rb')
          return {} unless file.exist?

          configuration = ::Puma::Configuration.new(config_files: [file.to_s])
          configuration.load
          configuration.options
        rescue LoadError
          {}
        end
      end

      # @param pool [Integer] connections of Rust's, in a process
      # @param rails [Integer] of Rails', in a process
      def initialize(pool, rails)
        @pool = pool
        @rails = rails
      end

      # @yieldparam query [String]
      # @yieldreturn [Integer] the only value
      # @return [Array<Finding>]
      def findings
        @most = yield 'SELECT @@max_connections'
        of_account = yield 'SELECT @@max_user_connections'
        @most = [@most, of_account].min if of_account.positive?
        [for_threads, for_all]
      end

      private

      def for_threads
        threads = self.class.threads
        text = "#{@pool} connections for #{threads.zero? ? 'an unknown number of' : threads} threads"
        return Finding.new(:ok, 'pool', text) if @pool > threads || threads.zero?

        Finding.new(:warning, 'pool', "#{text}: a write that nobody waits for any more keeps a connection from the others",
                    "set rmt_rs: pool: #{threads + 2}, or leave it out")
      end

      def for_all
        workers = self.class.workers
        needed = workers * (@pool + @rails)
        text = "#{workers} processes with #{@pool} connections and #{@rails} of Rails' are #{needed}; the database takes #{@most}"
        return Finding.new(:ok, 'connections', text) if needed + OTHERS <= @most

        state = needed > @most ? :failed : :warning
        Finding.new(state, 'connections', text, "set max_connections of the database to #{needed + OTHERS} or more")
      end
    end
  end
end
