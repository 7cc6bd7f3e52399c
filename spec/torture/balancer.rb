# frozen_string_literal: true

require 'socket'

module Torture
  # Stands before some servers as HAProxy would: connections go to one of them, and to the next one when that takes none.
  #
  # @example
  #   balancer = Balancer.new([13306, 23306])
  #   Mysql2::Client.new(host: '127.0.0.1', port: balancer.port)
  #   balancer.close
  class Balancer
    # @return [Integer] its port on 127.0.0.1
    attr_reader :port

    # @param ports [Array<Integer>] of the servers
    def initialize(ports)
      @ports = ports
      @server = TCPServer.new('127.0.0.1', 0)
      @port = @server.addr[1]
      @thread = Thread.new { loop { serve(@server.accept) } }
    end

    # @return [void]
    def close
      @thread.kill
      @server.close
    end

    private

    def serve(client)
      server = connect
      return client.close unless server

      [[client, server], [server, client]].each { |from, to| Thread.new { pass(from, to) } }
    end

    def connect
      @ports.size.times do
        return TCPSocket.new('127.0.0.1', @ports.first)
      rescue SystemCallError
        @ports = @ports.rotate
      end
      nil
    end

    def pass(from, to)
      IO.copy_stream(from, to)
    rescue SystemCallError, IOError
      nil
    ensure
      [from, to].each(&:close)
    end
  end
end
