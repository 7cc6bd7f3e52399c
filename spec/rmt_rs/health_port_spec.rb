# frozen_string_literal: true

require 'net/http'
require 'socket'
require 'rmt_rs'

RSpec.describe 'Health on a port of its own' do
  PATH = '/api/health/status' # rubocop:disable Lint/ConstantDefinitionInBlock

  # What comes back for bytes, until the other end closes.
  def talk(bytes, patience: 20)
    answer = +''
    Socket.tcp('127.0.0.1', @port, connect_timeout: 10) do |socket|
      socket.write(bytes)
      answer << socket.readpartial(65_536) while socket.wait_readable(patience)
      answer << '(still open)'
    end
  rescue EOFError, Errno::ECONNRESET, Errno::EPIPE
    answer
  end

  def health(port = @port, method: Net::HTTP::Get)
    Net::HTTP.start('127.0.0.1', port, open_timeout: 5, read_timeout: 5) { |http| http.request(method.new(PATH)) }
  end

  def self.host(workers:, **env)
    before(:context) do
      @port = Processes.free_port
      @database = SuiteDatabase.fresh('health_port')
      @host = Host.new(database_url: @database.url, door: 'rack', workers: workers, threads: 1,
                       env: { 'RMT_RS_HEALTH_LISTEN' => "127.0.0.1:#{@port}", **env.transform_keys(&:to_s) })
      @host.start
    end
    after(:context) { @host&.stop }
  end

  describe 'of a process' do
    host(workers: 0)

    it 'is answered as on the other' do
      own, other = [@port, @host.port].map { |port| health(port) }
      expect([own.code, own.body, own['Content-Type'], own['Cache-Control']])
        .to eq([other.code, other.body, other['Content-Type'], other['Cache-Control']])
      head = health(method: Net::HTTP::Head)
      expect([head.code, head.body, head['Content-Length']]).to eq(['200', nil, other.body.bytesize.to_s])
    end

    it 'is all there is' do
      ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET #{PATH}?x HTTP/1.1\r\nHost: x\r\n\r\n", "GET #{PATH}/ HTTP/1.0\r\n\r\n",
       "POST #{PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "GET //api/health/status HTTP/1.1\r\nHost: x\r\n\r\n",
       "GET /connect/systems/activations HTTP/1.1\r\nHost: x\r\n\r\n"].each do |request|
        expect(talk(request)).to match(%r{\AHTTP/1\.[01] 404 }), request
      end
      expect(talk("GET #{PATH} HTTP/1.0\r\n\r\n")).to end_with('{"state":"online"}')
    end

    it 'survives nonsense, and ends what does not end by itself' do
      ["\0" * 100_000, "GET #{PATH} HTTP/9.9\r\n\r\n", "GET #{PATH} HTTP/1.1\r\n#{"X: #{'y' * 1000}\r\n" * 100}\r\n",
       "GET #{'/' * 100_000} HTTP/1.1\r\n\r\n", "\r\n" * 10_000, "\xff\xfe\r\n\r\n",
       "GET #{PATH} HTTP/1.1\r\nHost: x\r\n", 'G', ''].each do |bytes|
        expect(talk(bytes)).not_to match(/ 200 |still open/), bytes[0, 50].inspect
      end
      expect(health.code).to eq('200')
    end

    it 'is answered while others hold as many connections as there may be' do
      idle = Array.new(200) { TCPSocket.new('127.0.0.1', @port) }
      expect(health.code).to eq('200')
    ensure
      idle&.each(&:close)
    end

    it 'is answered while all of Puma waits for the database' do
      @database.with_client do |sql|
        sql.query('LOCK TABLES systems WRITE')
        announce = Thread.new do
          Net::HTTP.post(URI("#{@host.url}/connect/subscriptions/systems"), '{"hostname":"a"}',
                         'Content-Type' => 'application/json')
        end
        Processes.wait_until(30) { sql.query('SHOW PROCESSLIST').any? { |row| row['Info'].to_s.include?('INSERT') } }
        expect(Array.new(20) { health.code }).to all(eq('200'))
        sql.query('UNLOCK TABLES')
        expect(announce.value.code).to eq('201')
      end
    end
  end

  { 'preloaded' => '1', 'by themselves' => '0' }.each do |how, preload|
    describe "of workers that have booted #{how}" do
      host(workers: 2, PRELOAD_APP: preload)

      def listeners
        inodes = File.readlines('/proc/net/tcp').drop(1).map(&:split)
        inodes = inodes.select { |it| it[1].end_with?(format(':%04X', @port)) && it[3] == '0A' }.map { |it| "socket:[#{it[9]}]" }
        [@host.pid, *@host.worker_pids].select do |pid|
          Dir.glob("/proc/#{pid}/fd/*").any? { |fd| inodes.include?(File.readlink(fd)) rescue false } # rubocop:disable Style/RescueModifier
        end
      end

      it 'is answered by each, and by the new ones after a restart' do
        expect(Processes.wait_until(30) { listeners.sort == @host.worker_pids.sort }).to be(true)
        before = @host.worker_pids
        # What is preloaded cannot be restarted by phases.
        if preload_app?
          Process.kill(:KILL, before.first)
        else
          Process.kill(:USR1, @host.pid)
        end
        replaced = Processes.wait_until(120, pause: 0.2) do
          gone = preload_app? ? before.first(1) : before
          (@host.worker_pids & gone).empty? && @host.worker_pids.size == 2 && listeners.sort == @host.worker_pids.sort
        end
        expect(replaced).to be(true)
        expect(Array.new(20) { health.code }).to all(eq('200'))
      end

      define_method(:preload_app?) { preload == '1' }
    end
  end

  describe 'where it cannot be' do
    it 'says so, and the rest is served' do
      taken = TCPServer.new('127.0.0.1', 0)
      host = Host.new(database_url: SuiteDatabase.fresh('health_port').url, door: 'controller', workers: 0,
                      env: { 'RMT_RS_HEALTH_LISTEN' => "127.0.0.1:#{taken.addr[1]}" }).start
      expect(File.read(host.log)).to include("health cannot listen on 127.0.0.1:#{taken.addr[1]}: ")
      expect(host).to be_healthy
    ensure
      host&.stop
      taken&.close
    end
  end
end
