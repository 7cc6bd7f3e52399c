# frozen_string_literal: true

require 'socket'
require_relative '../support/native_session'

# Each way in which the other end of a socket can be gone, or look like it.
RSpec.describe 'A client that may have left' do
  before(:context) do
    @database = SuiteDatabase.fresh('client')
    NativeSession.use('client')
  end
  after(:context) { RmtRs::Native.shut_down if RmtRs::Native.respond_to?(:shut_down) }
  before { @database.with_client { |sql| sql.query('DELETE FROM systems') } }

  after { [*@sockets].each { |it| it.close unless it.closed? } }

  def tcp
    server = TCPServer.new('127.0.0.1', 0)
    client = TCPSocket.new('127.0.0.1', server.addr[1])
    @sockets = [server.accept, client]
    server.close
    @sockets
  end

  def unix
    @sockets = UNIXSocket.pair
  end

  # Whether an announce for the client at the other end is stored.
  def stored_for?(descriptor)
    Thread.current[:rmt_rs_client] = descriptor
    RmtRs.announce('hostname' => 'web01')
    true
  rescue RmtRs::Abandoned => e
    expect(e).not_to be_written
    expect(e).not_to be_redeemable
    false
  ensure
    Thread.current[:rmt_rs_client] = nil
  end

  def rows
    @database.with_client { |sql| sql.query('SELECT 1 FROM systems').count }
  end

  it 'is served while it is there, also with more to say' do
    [tcp, unix].each do |own, other|
      other.write('GET / HTTP/1.1')
      expect(stored_for?(own.fileno)).to be(true)
    end
    expect(rows).to eq(2)
  end

  it 'is not written for when it has closed the connection' do
    [tcp, unix].each do |own, other|
      other.close
      expect(stored_for?(own.fileno)).to be(false)
    end
    expect(rows).to eq(0)
  end

  it 'is not when it has closed it with something unread, or reset it' do
    own, other = tcp
    own.write('unread')
    other.wait_readable
    other.close
    expect(stored_for?(own.fileno)).to be(false)
    own, other = tcp
    other.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack('ii'))
    other.close
    expect(stored_for?(own.fileno)).to be(false)
    expect(rows).to eq(0)
  end

  it 'is served when it may still read: over TCP that cannot be told, and Puma takes it for gone as well' do
    own, other = unix
    other.close_write
    expect(stored_for?(own.fileno)).to be(true)
    own, other = tcp
    other.close_write
    expect(stored_for?(own.fileno)).to be(false)
  end

  it 'is served when nobody can tell' do
    file = File.open(__FILE__)
    reader, writer = IO.pipe
    closed = File.open(__FILE__).tap(&:close)
    expect(closed).to be_closed
    [nil, file.fileno, reader.fileno, 9999, -1].each do |descriptor|
      expect(stored_for?(descriptor)).to be(true), descriptor.inspect
    end
  ensure
    [file, reader, writer].each { |it| it&.close }
  end
end
