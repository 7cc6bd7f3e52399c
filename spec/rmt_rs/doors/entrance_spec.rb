# frozen_string_literal: true

require 'json'
require 'logger'
require 'net/http'
require 'socket'
require 'stringio'
require 'rmt_rs'
require 'rmt_rs/doors/entrance'

RSpec.describe RmtRs::Doors::Entrance do
  describe 'by itself' do
    let(:log) { StringIO.new }
    let(:time) { [0.0] }
    let(:reached) { [] }
    let(:entrance) do
      app = lambda do |env|
        reached << env['PATH_INFO']
        [200, {}, []]
      end
      described_class.new(app, 50.0, waited: RmtRs::Waited.new(clock: -> { 1_700_000_100 }), clock: -> { time.first })
    end

    around do |example|
      before = [RmtRs.logger, RmtRs.instance_variable_get(:@operations)]
      RmtRs.logger = Logger.new(log)
      RmtRs.instance_variable_set(:@operations, Set[:announce])
      example.run
    ensure
      RmtRs.logger = before.first
      RmtRs.instance_variable_set(:@operations, before.last)
    end

    def call(waited, path: '/connect/systems')
      entrance.call('PATH_INFO' => path, 'HTTP_X_REQUEST_START' => "t=#{1_700_000_100 - waited}")
    end

    it "refuses in RMT's shape what has waited too long, and reaches nothing" do
      status, headers, body = call(51)
      expect([status, headers['Content-Type']]).to eq([503, 'application/json; charset=utf-8'])
      message = 'The server is overloaded at the moment. Please try again later.'
      expect(JSON.parse(body.join)).to eq('type' => 'error', 'error' => message, 'localized_error' => message)
      expect(headers['Retry-After'].to_i).to be_between(10, 30)
      expect(reached).to be_empty
      expect(call(50).first).to eq(200)
    end

    it 'has those who were refused together come back apart' do
      expect(Array.new(50) { call(51)[1]['Retry-After'] }.uniq.size).to be > 5
      lot = Random.new(1)
      expect(RmtRs::Refusal.headers_for(503, random: lot)).to eq('Retry-After' => Random.new(1).rand(10..30).to_s)
      expect(RmtRs::Refusal.headers_for(422)).to eq({})
    end

    it 'leaves health and what is not the registration path alone' do
      %w[/api/health/status / /repo/SUSE/x /connectx].each { |path| expect(call(51, path: path).first).to eq(200) }
    end

    it 'says once that there is overload, and once that it is over' do
      3.times { call(51) }
      time[0] = 5
      call(1)
      expect(log.string.scan('rmt_rs: ').size).to eq(1)
      expect(log.string).to include('overload: what has waited for more than 50.0 s is refused with 503')
      time[0] = 11
      2.times { call(1) }
      expect(log.string).to include('overload is over: 3 requests were refused')
      expect(log.string.scan('rmt_rs: ').size).to eq(2)
    end

    it 'does nothing where Rust answers nothing' do
      RmtRs.instance_variable_set(:@operations, Set.new)
      expect(call(51).first).to eq(200)
    end
  end

  %w[rack controller].each do |door|
    describe "before the #{door} door, under Puma" do
      before(:context) do
        @database = SuiteDatabase.fresh("entrance_#{door}")
        @host = Host.new(database_url: @database.url, door: door, workers: 0, threads: 1, env: { 'RMT_RS_MAX_WAIT' => '1' })
        @host.start
      end
      after(:context) { @host&.stop }

      def announce(name, headers = {})
        body = JSON.generate(hostname: name, hwinfo: { cpus: 1 })
        Net::HTTP.post(URI("#{@host.url}/connect/subscriptions/systems"), body,
                       { 'Content-Type' => 'application/json' }.merge(headers))
      end

      def names
        @database.with_client { |sql| sql.query('SELECT hostname FROM systems').map { |row| row['hostname'] } }
      end

      it 'refuses what has waited too long, by what a proxy says or the kernel knows, and writes nothing for it' do
        message = 'The server is overloaded at the moment. Please try again later.'
        expect(announce('late', 'X-Request-Start' => "t=#{(Time.now - 30).to_f.round(3)}")).to be_refused_with(503, message)
        @database.with_client do |sql|
          sql.query('LOCK TABLES systems WRITE')
          first = Thread.new { announce('first') }
          # It is in Rust, and holds the only thread.
          Processes.wait_until(30) do
            sql.query('SHOW PROCESSLIST').any? { |row| row['Info'].to_s.include?('INSERT') && row['Time'] }
          end
          second = Thread.new { announce('second') }
          sleep(1.5)
          sql.query('UNLOCK TABLES')
          expect(first.value).to be_a(Net::HTTPCreated)
          expect(second.value).to be_refused_with(503, message)
          expect(second.value['Retry-After'].to_i).to be_between(10, 30)
        end
        expect(announce('third')).to be_a(Net::HTTPCreated)
        expect(names).to contain_exactly('first', 'third')
      end
    end
  end
end
