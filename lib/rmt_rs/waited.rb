# frozen_string_literal: true

require 'socket'

module RmtRs
  # How long a request has waited before anybody looks at it.
  #
  # A proxy may say when it came, in `X-Request-Start` (nginx: `proxy_set_header X-Request-Start "t=${msec}"`). Else the
  # kernel is asked how long ago the last bytes came over the connection: a request that waits for a thread has not been
  # read meanwhile. Of unix sockets and TLS it does not know.
  #
  # @example
  #   Waited.new.seconds(env) # => 0.002
  class Waited
    HEADER = 'HTTP_X_REQUEST_START'
    # Seconds, as nginx has them, or milliseconds or microseconds, as other proxies do; since 1970.
    FORM = /\A(?:t=)?(?:(?<seconds>\d{10}(?:\.\d{1,6})?)|(?<milliseconds>\d{13})|(?<microseconds>\d{16}))\z/
    UNITS = { 'seconds' => 1.0, 'milliseconds' => 1e3, 'microseconds' => 1e6 }.freeze
    # No client has waited longer: that clock, or what was sent, is wrong.
    LONGEST = 600.0
    # Where Linux has `tcpi_last_data_recv`, in milliseconds, in its `struct tcp_info`.
    LAST_DATA = '@52L'
    private_constant :HEADER, :FORM, :UNITS, :LONGEST, :LAST_DATA

    # @param clock [#call] the time in seconds since 1970
    def initialize(clock: -> { Process.clock_gettime(Process::CLOCK_REALTIME) })
      @clock = clock
    end

    # @param env [Hash] Rack's
    # @return [Float, nil] nil when it is not known
    def seconds(env)
      since(env[HEADER]) || unread(env['puma.socket'])
    end

    private

    def since(header)
      sent = header && FORM.match(header) or return
      name, number = sent.named_captures.compact.first
      seconds = @clock.call - (number.to_f / UNITS.fetch(name))
      seconds if seconds.between?(0, LONGEST)
    end

    def unread(socket)
      return unless socket.is_a?(TCPSocket) && defined?(Socket::TCP_INFO)

      socket.getsockopt(Socket::IPPROTO_TCP, Socket::TCP_INFO).data.unpack1(LAST_DATA)&.fdiv(1000)
    rescue SystemCallError, IOError
      nil
    end
  end
end
