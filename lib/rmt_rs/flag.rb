# frozen_string_literal: true

require 'openssl'
require 'zlib'
require_relative 'configuration'
require_relative 'watch'

module RmtRs
  # Who answers a request, Rust or Ruby: decided for each anew, by what the operator has set and may change while RMT
  # runs: the door, single endpoints, a percentage of the machines.
  #
  # @example
  #   flag = RmtRs::Flag.new(RmtRs::Configuration.new({ door: 'rack', percentage: 10 }, {}))
  #   flag.rust?(:show, machine: -> { 'SCC_0815' }) # => true for a tenth of all logins, always for the same
  class Flag
    # The header that decides for one request, when there is a secret for it: `rust SECRET` or `ruby SECRET`.
    HEADER = 'HTTP_X_RMT_RS'
    # Where a decision stays for all that comes after it in the same request.
    DECIDED = 'rmt_rs.rust'
    # Shares of machines are as fine as that.
    SHARES = 10_000
    private_constant :SHARES

    class << self
      # A machine's place among all: of a percentage that only grows, nobody drops out.
      #
      # @param machine [String] login or host name, of which case and spaces around do not count, as in the database
      # @return [Float] from 0 to less than 100
      def place_of(machine)
        Zlib.crc32(machine.scrub.strip.downcase) % SHARES * 100.0 / SHARES
      end
    end

    # @return [Configuration] what holds now
    attr_reader :configuration

    # @param configuration [Configuration] as RMT has booted with it
    # @param watch [Watch]
    # @yield after each change
    def initialize(configuration, watch: Watch.new(SettingsFiles.paths), &changed)
      @booted = configuration
      @configuration = configuration
      @watch = watch
      @changed = changed
    end

    # Whether Rust may answer a request. What is decided holds for the whole request, whichever doors it comes to.
    #
    # @param endpoint [Symbol] one of {Configuration::ENDPOINTS}
    # @param env [Hash] Rack's
    # @yieldreturn [String, nil] as for {rust?}
    # @return [Boolean]
    def decide(endpoint, env, &machine)
      env.fetch(DECIDED) do
        keep_up
        rust = rust?(endpoint, machine: machine, override: env[HEADER])
        RmtRs.count(endpoint, :ruby) unless rust
        env[DECIDED] = rust
      end
    end

    # Reads the settings again when that is due. Whoever asks for a setting of a request without {decide} calls this before.
    #
    # @return [void]
    def keep_up
      read_again if @watch.due?
    end

    # @param endpoint [Symbol] one of {Configuration::ENDPOINTS}
    # @param machine [#call] returns the host name (of an announce) or login (of everything else) that the request names,
    #   nil when it names none; asked only when the answer depends on it
    # @param override [String, nil] the header {HEADER}
    # @return [Boolean] whether Rust may answer
    def rust?(endpoint, machine:, override: nil)
      now = @configuration
      return false if now.off?

      forced = override && forced_by(override, now.override_secret)
      return forced == 'rust' if forced

      now.endpoint?(endpoint) && among?(now.percentage, machine)
    end

    # @return [Boolean] whether RMT is to be as if the gem were not there
    def off?
      @configuration.off?
    end

    # @return [Boolean] whether the rack door answers
    def rack?
      @configuration.rack?
    end

    # @return [Float] of a hundred requests, how many are only rehearsed in Rust; see {Shadow}
    def shadow
      @configuration.off? ? 0.0 : @configuration.shadow
    end

    # Puts other settings in place of those that hold. What cannot change while RMT runs stays as it is.
    #
    # @param configuration [Configuration]
    # @return [Array<String>] what has changed, in words for the log
    def change(configuration)
      before = @configuration
      @configuration = before.with(configuration)
      changes = Configuration::CHANGEABLE.filter_map do |key|
        from, to = [before, @configuration].map { |it| it.shown(key) }
        "#{key}: #{from} is now #{to}" if from != to
      end
      changes + stuck(configuration)
    end

    private

    # Settings that are not allowed change nothing.
    def read_again
      changes = change(Configuration.reload)
      RmtRs.logger&.info("rmt_rs: the settings were read again: #{changes.empty? ? 'nothing has changed' : changes.join('; ')}")
      @changed&.call
    rescue ConfigurationError => e
      RmtRs.logger&.error("rmt_rs: the settings were read again, and are left as they were: #{e.message}")
    end

    def forced_by(header, secret)
      return if secret.nil?

      choice, given = header.b.split(' ', 2)
      return unless %w[rust ruby].include?(choice)

      choice if OpenSSL.secure_compare(given.to_s, secret)
    end

    def among?(percentage, machine)
      return percentage.positive? if percentage.zero? || percentage == 100

      name = machine.call
      # Who says nothing is no machine of which there is a share: until all are asked for it is Ruby's.
      name ? Flag.place_of(name) < percentage : false
    end

    # What has changed in the settings but takes a restart.
    def stuck(configuration)
      keys = configuration.keys_that_differ(@booted) - Configuration::CHANGEABLE
      keys.map { |key| "#{key} takes a restart" }
    end
  end
end
