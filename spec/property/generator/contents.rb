# frozen_string_literal: true

module Property
  class Generator
    # What requests carry: products, registration codes, and what machines say of themselves.
    module Contents
      # In an order in which they can be activated, for the most part.
      PRODUCTS = [
        %w[SLES 15.6 x86_64], %w[sle-module-basesystem 15.6 x86_64], %w[sle-module-server-applications 15.6 x86_64],
        %w[sle-module-python3 15.6 x86_64], %w[sle-ha 15.6 x86_64], %w[sle-ha-geo 15.6 x86_64],
        %w[sle-module-live-patching 15.6 x86_64], %w[SLES 15.7 x86_64], %w[sle-module-basesystem 15.7 x86_64],
        %w[SLED 15.6 x86_64], %w[sle-module-basesystem 15.6 x86_64], %w[sle-module-desktop-only 15.6 x86_64],
        %w[sle-module-python3 15.6 x86_64], %w[SLES 12 x86_64], %w[sle-module-public-cloud 12 x86_64],
        %w[SLES 12.5 x86_64], %w[SLE-Micro 5.5 x86_64], %w[SLES 15.5 x86_64], %w[SLES 15.6 aarch64],
        %w[rancher-prime 2.8 unknown], %w[RES 7 x86_64], %w[no-service 1 x86_64], %w[not-mirrored 1.0 x86_64],
        %w[SLES 15.6.0 x86_64], %w[SLES 15.6-0 x86_64], %w[SLES 12.0 x86_64], %w[sles 15.6 X86_64],
        %w[SLES 99 x86_64], %w[NOPE 15.6 x86_64], ['', '15.6', 'x86_64']
      ].freeze
      REGCODES = ['OK-631dff', 'OK-631dff', 'OK-631dff', 'SERVER-ONLY-7', 'FOREVER-1', 'EXPIRED-9a1', 'NOTACT-55', 'NOPE',
                  'ok-631DFF', '', '  ', nil].freeze
      HOSTNAMES = ['web01', 'web02', '', 'höst', '<b>&amp;', 'x' * 255].freeze
      HARDWARE = [
        { 'cpus' => 2 }, { 'cpus' => 4, 'arch' => 'x86_64', 'mem_total' => 16_384 }, {}, { 'cpus' => nil, 'load' => 1.5 },
        { 'uuid' => '6c9d8a80-0f3e-4a1e-a6df-6c0d5f2f0a5b', 'cloud_provider' => 'amazon' },
        { 'note' => '<script>&"ünï' }, { 'disks' => [{ 'size' => 10 }, nil, [1], 'sda'], 'nested' => { 'a' => { 'b' => true } } },
        { 'user_agent' => 'mine' }
      ].freeze
      PROFILES = [%w[pci_data aaaa1111], %w[pci_data aaaa2222], %w[mod_list bbbb1111], %w[mod_list bbbb2222]].freeze
      # To the table the same as one of those.
      TWIN = %w[PCI_DATA AAAA1111].freeze
      DAYS = %w[2026-06-01 2026-06-02 2024-02-29].freeze
      HOURS = ['1' * 24, '0' * 24, '01', '111000111000'].freeze

      private

      def wanted(product)
        wanted = %w[identifier version arch].zip(product).to_h.transform_values { odd(_1) }
        wanted.delete(pick(wanted.keys)) if one_in?(30)
        { **wanted, **maybe(8, 'release_type' => 'beta'), **maybe(8, 'email' => 'a@example.com') }
      end

      def code
        odd(pick(REGCODES))
      end

      def hostname
        maybe(-8, 'hostname' => odd(pick(HOSTNAMES)))
      end

      # Without any of it the reference crashes, at an update or at every later request.
      def hardware
        maybe(@oddities ? -12 : -100, 'hwinfo' => odd(pick(HARDWARE)))
      end

      def profiles
        return {} unless one_in?(3)

        sent = pick_some(@oddities ? [*PROFILES, TWIN] : PROFILES, 1..3).to_h
        sent = sent.transform_values { |identifier| odd({ 'identifier' => identifier, 'data' => "data of #{identifier}" }) }
        # Without data, without identifier, and with blank data alone: the reference would store others before it finds out.
        spoil = pick(sent.keys)
        sent[spoil] = sent[spoil].except(pick(%w[identifier data])) if one_in?(3) && sent[spoil].is_a?(Hash)
        sent = { 'new_type' => { 'identifier' => 'blank', 'data' => '' } } if one_in?(20)
        { 'system_profiles' => odd(sent) }
      end

      # Bad days come first, as the reference would store those before them.
      def uptime
        return {} unless one_in?(3)

        days = Array.new(@random.rand(0..3)) { "#{pick(DAYS)}:#{pick(HOURS)}" }
        days.unshift(pick(['2026-99-99:1', '2026-06-03: '])) if one_in?(12)
        days << pick(['broken', '2026-06-01', 'a:b:c', '2026-06-01:']) if one_in?(6)
        { 'online_at' => odd(days.map { odd(_1) }) }
      end

      def odd(value, where = :body)
        @oddities ? @oddities.instead_of(value, where) : value
      end
    end
  end
end
