# frozen_string_literal: true

require 'json'
require 'net/http'

RSpec.describe 'The breakers' do
  def announce(name) = @host.announce(name)

  def log
    File.read(@host.log)
  end

  def seconds
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  end

  %w[rack controller].each do |door|
    describe "of the #{door} door" do
      after { @host&.stop }

      it 'leave to Ruby what fails in Rust again and again, and try it again' do
        mariadb = SuiteDatabase.mariadb
        database = SuiteDatabase.fresh("breaker_#{door}")
        database.with_client { |sql| sql.query("DROP USER IF EXISTS 'later'@'127.0.0.1'") }
        @host = Host.new(database_url: mariadb.url("breaker_#{door}"), door: door, workers: 0,
                         env: { 'RMT_RS_USERNAME' => 'later', 'RMT_RS_PASSWORD' => 'later' }).start
        expect(Array.new(8) { |n| announce("web#{n}").code }).to all(eq('201'))
        expect(log.scan(/rmt_rs: announce left to Rails|rmt_rs: announce left to Ruby:/).size).to eq(5)
        expect(log.scan('announce has failed 5 times in a row: Ruby answers it for now').size).to eq(1)
        database.with_client do |sql|
          sql.query("CREATE USER 'later'@'127.0.0.1' IDENTIFIED BY 'later'")
          sql.query("GRANT ALL PRIVILEGES ON breaker_#{door}.* TO 'later'@'127.0.0.1'")
        end
        again = Processes.wait_until(60, pause: 0.5) { announce('again') && log.include?('announce is answered by Rust again') }
        expect(again).to be_truthy
        expect(database.with_client { |sql| sql.query("SELECT 1 FROM systems WHERE hostname LIKE 'web%'").count }).to eq(8)
      ensure
        database&.with_client { |sql| sql.query("DROP USER IF EXISTS 'later'@'127.0.0.1'") }
      end

      it 'keep threads free while the database is silent' do
        mariadb = PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-failing')).start
        database = mariadb.database("silent_#{door}").drop.create.load_sql(SuiteDatabase::STRUCTURE)
        @host = Host.new(database_url: database.url, door: door, workers: 0, threads: 5).start
        expect(announce('before').code).to eq('201')
        Process.kill(:STOP, mariadb.pid)
        frozen = Array.new(5) { Thread.new { announce('frozen') } }.map(&:value)
        expect(frozen).to all(be_refused_with(503, Refusals::UNAVAILABLE))
        # Now it is known; of a herd one at a time waits.
        herd = Array.new(20) { Thread.new { Array.new(10) { announce('herd') } } }
        health = Array.new(20) do
          sleep(0.05)
          seconds { Net::HTTP.get(URI("#{@host.url}/api/health/status")) }
        end
        expect(health.max).to be < 2
        expect(herd.flat_map(&:value)).to all(be_refused_with(503, Refusals::UNAVAILABLE))
        expect(log.scan('announce had no answer from the database 3 times in a row').size).to eq(1)
        Process.kill(:CONT, mariadb.pid)
        expect(Processes.wait_until(60, pause: 0.1) { announce('after').code == '201' }).to be_truthy
        expect(log.scan('announce has an answer from the database again').size).to eq(1)
        expect(Array.new(10) { announce('later').code }).to all(eq('201'))
      ensure
        Process.kill(:CONT, mariadb.pid) if mariadb
        mariadb&.stop
      end
    end
  end
end
