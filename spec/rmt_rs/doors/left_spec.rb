# frozen_string_literal: true

require 'json'
require 'net/http'
require 'socket'
require_relative '../../support/large_tree'

# Clients that connect, send, and close, while a lock on the database holds the write up.
RSpec.describe 'A client that left' do
  %w[rack controller].each do |door|
    describe "at the #{door} door" do
      before(:context) do
        @database = SuiteDatabase.fresh("left_#{door}")
        @database.with_client { |sql| LargeTree.statements.each { |statement| sql.query(statement) } }
        # So long that no request is given up meanwhile.
        @host = Host.new(database_url: @database.url, door: door, workers: 0, threads: 6,
                         env: { 'RMT_RS_DEADLINE' => '60' }).start
        post('/connect/subscriptions/systems', { hostname: 'warm' })
      end
      after(:context) { @host&.stop }

      before do
        @database.with_client { |sql| sql.query('DELETE FROM systems') }
        @sql = @database.client
      end
      after { @sql.close }

      def rows(query)
        @sql.query(query).to_a
      end

      def post(path, body, headers = {})
        Net::HTTP.start('127.0.0.1', @host.port, read_timeout: 90) do |http|
          http.post(path, JSON.generate(body), { 'Content-Type' => 'application/json' }.merge(headers))
        end
      end

      # Sends a request and does not read its answer.
      def send_only(path, body, headers = {})
        body = JSON.generate(body)
        headers = { 'Host' => 'rmt.example.com', 'Content-Type' => 'application/json',
                    'Content-Length' => body.bytesize }.merge(headers)
        socket = TCPSocket.new('127.0.0.1', @host.port)
        socket.write("POST #{path} HTTP/1.1\r\n#{headers.map { |key, value| "#{key}: #{value}\r\n" }.join}\r\n#{body}")
        socket
      end

      def eventually(what, &)
        expect(Processes.wait_until(60, &)).to be_truthy, what
      end

      # So many statements with these words wait for the lock.
      def held_up(count, words)
        eventually("#{count} #{words} wait") do
          rows('SHOW PROCESSLIST').count { |row| row['Info'].to_s.include?(words) && row['State'].to_s.include?('lock') } == count
        end
      end

      # Puma has read what the clients sent.
      def taken(sockets)
        ports = sockets.map { |socket| format('%04X', socket.local_address.ip_port) }
        eventually('Puma reads') do
          lines = File.readlines('/proc/net/tcp').map(&:split)
          own = lines.select { |it| it[1].to_s.end_with?(format(':%04X', @host.port)) && ports.include?(it[2][-4..]) }
          own.size == ports.size && own.all? { |it| it[4].end_with?(':00000000') && it[9] != '0' }
        end
      end

      def lines(text)
        File.read(@host.log).scan(text).size
      end

      it 'is not registered for what it asked when it left before the write' do
        login, password = JSON.parse(post('/connect/subscriptions/systems', { hostname: 'web01' }).body).values_at('login',
                                                                                                                   'password')
        headers = { 'Authorization' => "Basic #{["#{login}:#{password}"].pack('m0')}", 'System-Token' => '' }
        product = LargeTree.product(1).merge(token: LargeTree::REGCODE)
        @sql.query('LOCK TABLES systems WRITE, activations WRITE')
        gone = send_only('/connect/systems/products', product, headers)
        held_up(1, 'SELECT')
        gone.close
        before = lines('activate is not carried out: its client has left')
        @sql.query('UNLOCK TABLES')
        eventually('it is noticed') { lines('activate is not carried out: its client has left') == before + 1 }
        expect(rows('SELECT 1 FROM activations')).to be_empty
        expect(rows('SELECT system_token FROM systems')).to eq(['system_token' => nil])
        # Who stays is served.
        answer = post('/connect/systems/products', product, headers)
        expect(answer.code).to eq('201')
        expect(rows('SELECT system_token FROM systems')).to eq(['system_token' => answer['System-Token']])
      end

      it 'is not announced with others while it waits for its turn' do
        @sql.query('LOCK TABLES systems WRITE')
        staying = Array.new(2) { |n| Thread.new { post('/connect/subscriptions/systems', { hostname: "stays#{n}" }) } }
        held_up(2, 'INSERT')
        gone = Array.new(3) { |n| send_only('/connect/subscriptions/systems', { hostname: "gone#{n}" }) }
        also = Thread.new { post('/connect/subscriptions/systems', { hostname: 'stays2' }) }
        taken(gone)
        gone.each(&:close)
        @sql.query('UNLOCK TABLES')
        expect([*staying, also].map { |it| it.value.code }).to eq(%w[201 201 201])
        # All threads are free again.
        # Whoever comes after them finds all that they left.
        6.times { expect(post('/connect/subscriptions/systems', {}).code).to eq('201') }
        eventually('all is quiet') { rows('SHOW PROCESSLIST').none? { |row| row['Info'].to_s.include?('INSERT') } }
        names = rows('SELECT hostname FROM systems WHERE hostname IS NOT NULL').map { |row| row['hostname'] }
        expect(names).to contain_exactly('stays0', 'stays1', 'stays2')
      end

      it 'is registered once when it left after the write had begun' do
        @sql.query('LOCK TABLES systems WRITE')
        gone = send_only('/connect/subscriptions/systems', { hostname: 'web01' })
        held_up(1, 'INSERT')
        gone.close
        @sql.query('UNLOCK TABLES')
        eventually('it is stored') { rows('SELECT 1 FROM systems').any? }
        expect(post('/connect/subscriptions/systems', { hostname: 'after' }).code).to eq('201')
        expect(rows('SELECT hostname FROM systems ORDER BY id').map { |row| row['hostname'] }).to eq(%w[web01 after])
      end
    end
  end
end
