# frozen_string_literal: true

require 'socket'
require_relative 'processes'

# A proxy to a MariaDB that has faults, by lot, at the statements that pass. It knows where a request begins and ends; of
# answers it knows nothing.
#
# @example
#   way = FaultyWay.new(mariadb.port, Random.new(1), every: 20).start
#   way.port     # connect here
#   way.counts   # => { 'reset before' => 3, … }
#   way.mend     # from now on it has none
#   way.stop
class FaultyWay
  # What may happen to a statement, and how often that is drawn.
  FAULTS = { reset_before: 3, reset_during: 3, reset_after: 3, cut_request: 3, cut_answer: 3, arrive_late: 3, delay: 3,
             be_silent: 1, answer_error: 6 }.freeze
  # How long a server may take for anything.
  SECONDS = 20

  # @return [Integer] on 127.0.0.1
  attr_reader :port

  # @param server [Integer] port of the MariaDB on 127.0.0.1
  # @param chance [Random]
  # @param every [Integer] one fault in so many statements; one connection in so many is refused
  def initialize(server, chance, every:)
    @server = server
    @chance = chance
    @every = every
    @counts = Hash.new(0)
    @mutex = Mutex.new
    @held = 0
    @drawn = FAULTS.flat_map { |name, times| [name] * times }
  end

  # @return [self]
  def start
    @listener = TCPServer.new('127.0.0.1', 0)
    @port = @listener.addr[1]
    @thread = Thread.new { loop { accept(@listener.accept) } }
    self
  end

  # No more faults from now on.
  #
  # @return [void]
  def mend
    @mended = true
  end

  # @return [Hash{Symbol => Integer}] faults that have happened, by name
  def counts
    @mutex.synchronize { @counts.dup }
  end

  # Waits until everything has arrived that was held back, and ends.
  #
  # @return [void]
  def stop
    mend
    Processes.wait_until(SECONDS) { @mutex.synchronize { @held.zero? } }
    @thread&.kill
    @listener&.close
  end

  # @api private
  # @return [Symbol, nil] what is to happen to the next statement
  def draw
    @mutex.synchronize { count(@drawn.sample(random: @chance)) if fault? }
  end

  # @api private
  # @yield while something is held back
  # @return [Object] what the block gave
  def holding
    @mutex.synchronize { @held += 1 }
    yield
  ensure
    @mutex.synchronize { @held -= 1 }
  end

  # @api private
  # @return [Float] seconds
  def moment
    @mutex.synchronize { @chance.rand(0.02..1.0) }
  end

  # @api private
  # @return [String] an error, as a server answers
  def error
    @mutex.synchronize { Connection.error(Connection::NUMBERS.sample(random: @chance), 1, '#HY000made up by a proxy') }
  end

  private

  def fault?
    !@mended && @chance.rand(@every).zero?
  end

  def count(name)
    @counts[name] += 1
    name
  end

  def accept(client)
    Thread.new do
      refuse?(client) || Connection.new(self, client, TCPSocket.new('127.0.0.1', @server)).carry
    rescue SystemCallError, IOError
      # An end that is gone is what this is about.
    ensure
      client.close
    end
  end

  def refuse?(client)
    return false unless @mutex.synchronize { count(:refuse_connection) if fault? }

    client.write(Connection.error(1040, 0, 'Too many connections'))
    true
  end

  # One connection through it. What a fault returns says whether it goes on.
  class Connection
    # Errors that are answered.
    NUMBERS = [1205, 1213, 1040, 1290, 2006, 2013, 1467, 1180, 1317, 1927, 1047, 1158, 1159, 1160, 1161].freeze
    # COM_QUIT and COM_STMT_CLOSE have no answer.
    UNANSWERED = [0x01, 0x19].freeze
    HEADER = 4
    # The core gives a statement up after four.
    SILENT_SECONDS = 4.5
    private_constant :UNANSWERED, :HEADER, :SILENT_SECONDS

    # @param number [Integer]
    # @param sequence [Integer] of the packet
    # @param text [String]
    # @return [String] a packet
    def self.error(number, sequence, text)
      payload = [0xff, number, text].pack('Cva*')
      [payload.bytesize | (sequence << 24)].pack('V') + payload
    end

    # @param way [FaultyWay]
    # @param client [TCPSocket]
    # @param server [TCPSocket]
    def initialize(way, client, server)
      @way = way
      @client = client
      @server = server
      [client, server].each { |socket| socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
    end

    # Until it ends, at whichever end.
    #
    # @return [void]
    def carry
      loop do
        ready, = IO.select([@client, @server])
        @client.write(@server.readpartial(1 << 16)) if ready.include?(@server)
        break if ready.include?(@client) && !pass(request)
      end
    ensure
      @server.close
    end

    private

    def request
      header = exactly(HEADER)
      header + exactly(header.unpack1('V') & 0xffffff)
    end

    def exactly(length)
      bytes = @client.read(length)
      raise EOFError unless bytes&.bytesize == length

      bytes
    end

    # Packets of a handshake have other numbers than 0.
    def pass(request)
      statement = request.getbyte(HEADER - 1).zero? && !UNANSWERED.include?(request.getbyte(HEADER))
      fault = @way.draw if statement
      return send(fault, request) if fault

      @server.write(request)
      true
    end

    # What there is of it at first.
    def answer
      raise EOFError unless @server.wait_readable(SECONDS)

      @server.readpartial(1 << 16)
    end

    def reset_before(_request)
      false
    end

    def reset_during(request)
      @server.write(request)
      false
    end

    def reset_after(request)
      @server.write(request)
      answer
      false
    end

    def cut_request(request)
      @server.write(request.byteslice(0, request.bytesize / 2))
      false
    end

    def cut_answer(request)
      @server.write(request)
      bytes = answer
      @client.write(bytes.byteslice(0, bytes.bytesize / 2))
      false
    end

    # The client finds the connection closed, then the statement arrives.
    def arrive_late(request)
      @client.close
      @way.holding do
        sleep(@way.moment)
        reset_after(request)
      end
    end

    def delay(request)
      sleep(@way.moment)
      @server.write(request)
      true
    end

    # The statement arrives when nobody waits for it any more.
    def be_silent(request)
      @way.holding do
        sleep(SILENT_SECONDS)
        reset_after(request)
      end
    end

    def answer_error(_request)
      @client.write(@way.error)
      true
    end
  end
  private_constant :Connection
end
