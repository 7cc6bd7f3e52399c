# frozen_string_literal: true

require 'socket'
require 'timeout'

module Torture
  # Sends bytes as they are, and reads what comes back. Net::HTTP would mend half of them.
  #
  # @example
  #   Wire.new(host.port).exchange("GET /api/health/status HTTP/1.1\r\nHost: a\r\n\r\n").status # => 200
  class Wire
    # What came back; `status` is nil when that was no answer.
    Answer = Struct.new(:status, :head, :body) do
      # @param name [String]
      # @return [String, nil] of a header
      def [](name)
        head[/^#{Regexp.escape(name)}: ?(.*?)\r$/i, 1]
      end
    end
    # What a client waits.
    SECONDS = 60

    # @param port [Integer] of 127.0.0.1
    def initialize(port)
      @port = port
    end

    # @param pieces [Array<String>] of the request
    # @param pause [Numeric] seconds between two of them
    # @param answers [Integer] to be read
    # @param last [Boolean] says that nothing more will be sent
    # @return [Answer, Array<Answer>] an Array where more than one is to be read
    def exchange(*pieces, pause: 0, answers: 1, last: false)
      socket = TCPSocket.new('127.0.0.1', @port)
      Timeout.timeout(SECONDS) do
        write(socket, pieces, pause)
        socket.close_write if last
        read = Array.new(answers) { answer(socket, bodiless: pieces.first.start_with?('HEAD ')) }
        answers == 1 ? read.first : read
      end
    ensure
      socket&.close
    end

    # Sends a part of a request and goes away.
    #
    # @param text [String]
    # @return [void]
    def abandon(text)
      TCPSocket.open('127.0.0.1', @port) { |socket| socket.write(text) }
    rescue SystemCallError
      nil
    end

    private

    # A server that has seen enough answers, and closes, before all is sent.
    def write(socket, pieces, pause)
      pieces.each_with_index do |piece, number|
        sleep(pause) if pause.positive? && number.positive?
        socket.write(piece)
      end
    rescue Errno::EPIPE, Errno::ECONNRESET
      nil
    end

    def answer(socket, bodiless:)
      head = +''
      head << line(socket) until head.end_with?("\r\n\r\n")
      status = head[%r{\AHTTP/1\.[01] (\d{3})}, 1]
      Answer.new(status&.to_i, head, status && !bodiless ? body(socket, head, status.to_i) : '')
    rescue Errno::ECONNRESET, Errno::EPIPE, EOFError
      Answer.new(nil, '', '')
    end

    def line(socket)
      socket.gets || raise(EOFError)
    end

    def body(socket, head, status)
      return '' if status == 204 || status == 304 || status < 200
      return chunks(socket) if head.match?(/^transfer-encoding: chunked\r$/i)

      length = head[/^content-length: (\d+)\r$/i, 1]
      length ? socket.read(length.to_i).to_s : ''
    end

    def chunks(socket)
      text = +''
      while (size = line(socket).to_i(16)).positive?
        text << socket.read(size)
        socket.gets
      end
      socket.gets
      text
    end
  end
end
