# frozen_string_literal: true

require 'socket'
require 'rmt_rs/waited'

RSpec.describe RmtRs::Waited do
  def seconds(env)
    described_class.new(clock: -> { 1_700_000_050.5 }).seconds(env)
  end

  it 'believes a proxy that says when a request came' do
    { 't=1700000000.500' => 50, '1700000000.5' => 50, '1700000000' => 50.5, '1700000040500' => 10,
      't=1700000050499999' => 0.000001 }.each do |header, waited|
      expect(seconds('HTTP_X_REQUEST_START' => header)).to be_within(0.0005).of(waited), header
    end
  end

  it 'ignores what makes no sense' do
    ['', 't=', 't=now', '-1700000000', '1700000100', '1600000000', "1700000000\n", '17000000001', '1e9', 't=1700000000.',
     '9' * 10_000].each do |header|
      expect(seconds('HTTP_X_REQUEST_START' => header)).to be_nil, header
    end
    expect(seconds({})).to be_nil
  end

  it 'asks the kernel how long a request lies unread', if: defined?(Socket::TCP_INFO) do
    server = TCPServer.new('127.0.0.1', 0)
    client = TCPSocket.new('127.0.0.1', server.addr[1])
    socket = server.accept
    client.write('x')
    socket.wait_readable
    at_first = seconds('puma.socket' => socket)
    sleep(0.2)
    later = seconds('puma.socket' => socket)
    expect(at_first).to be >= 0
    # The kernel counts in ticks.
    expect(later - at_first).to be_between(0.15, 60)
    expect(seconds('HTTP_X_REQUEST_START' => 'nonsense', 'puma.socket' => socket)).to be >= later
    socket.close
    expect(seconds('puma.socket' => socket)).to be_nil
  ensure
    [client, socket, server].each { |it| it&.close }
  end

  it 'knows nothing of unix sockets' do
    sockets = UNIXSocket.pair
    expect(seconds('puma.socket' => sockets.first)).to be_nil
  ensure
    sockets&.each(&:close)
  end
end
