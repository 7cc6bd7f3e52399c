# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'net/http'
require 'tmpdir'
require 'rmt_rs'
require 'rmt_rs/survey'

# The controller door in a host app under Puma, two workers of five threads, as in production.
RSpec.describe 'The controller door' do
  # Starts a host for a group of examples, on an empty database of its own.
  def self.host(database, **options)
    before(:context) do
      @mariadb ||= SuiteDatabase.mariadb
      @database = @mariadb.database(database).drop.create.load_sql(SuiteDatabase::STRUCTURE)
      @host = Host.new(database_url: @database.url, door: 'controller', **options).start
    end
    after(:context) { @host&.stop }
    before { @database.with_client { |sql| %w[system_profiles profiles systems].each { |t| sql.query("DELETE FROM #{t}") } } }
  end

  def announce(body, headers = {})
    uri = URI("#{@host.url}/connect/subscriptions/systems")
    body = JSON.generate(body) unless body.is_a?(String)
    headers = { 'Content-Type' => 'application/json', 'Accept' => 'application/json' }.merge(headers)
    Net::HTTP.start(uri.host, uri.port, read_timeout: 30) { |http| http.post(uri.path, body, headers) }
  end

  def rows(query)
    @database.with_client { |sql| sql.query(query).to_a }
  end

  def log
    File.read(@host.log)
  end

  # What Rust can carry out.
  def operations
    RmtRs::Operations::ALL.keys
  end

  unavailable = Refusals::UNAVAILABLE

  describe 'switched on' do
    host 'door_on', env: { 'PRELOAD_APP' => '1' }

    it 'says so at boot, in one line' do
      expect(log.scan(/rmt_rs .*/)).to eq(["rmt_rs #{RmtRs::VERSION}: controller door, in Rust: #{operations.join(', ')}"])
    end

    it 'answers in Rust' do
      prepared = -> { rows("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").first['Value'].to_i }
      before = prepared.call
      answer = announce({ hostname: 'web01', hwinfo: { cpus: 2 } })
      expect(answer.code).to eq('201')
      # The host app's own path does not prepare statements.
      expect(prepared.call - before).to eq(1)
      system = rows('SELECT * FROM systems').first
      expect(JSON.parse(answer.body)).to eq('id' => system['id'], 'login' => system['login'],
                                            'password' => system['password'], 'last_seen_at' => nil)
    end

    it 'answers with the headers that Rack and Puma make of a body' do
      answer = announce({ hostname: 'headers' })
      expect(answer['ETag']).to eq(%(W/"#{Digest::SHA256.hexdigest(answer.body)[0, 32]}"))
      expect(answer['Content-Length']).to eq(answer.body.bytesize.to_s)
      expect(answer['Cache-Control']).to eq('max-age=0, private, must-revalidate')
      expect(answer['Content-Type']).to eq('application/json; charset=utf-8')
    end

    it "logs RMT's line, and the time the database took" do
      secret = JSON.parse(announce({ hostname: 'logged', system_profiles: { pci: { identifier: 'i' } } }).body)['password']
      expect(log).not_to include(secret)
      expect(log).to match(/INFO -- : System 'logged' announced$/)
      expect(log.lines.grep(/Completed 201/)).to all(match(/ActiveRecord: \d+\.\d+ms/))
    end

    it 'keeps up with many clients at once' do
      threads = Array.new(10) { |n| Thread.new { Array.new(20) { |m| announce({ hostname: "#{n}-#{m}" }).code } } }
      expect(threads.flat_map(&:value).tally).to eq('201' => 200)
      expect(rows('SELECT COUNT(DISTINCT hostname) AS h, COUNT(DISTINCT login) AS l, COUNT(*) AS n FROM systems').first)
        .to eq('h' => 200, 'l' => 200, 'n' => 200)
    end

    {
      'a hostname that is too long' => [{ hostname: 'x' * 300 }, 'hostname is too long'],
      'a hostname outside the basic plane' =>
        [{ hostname: "web\u{1F600}" }, 'hostname contains characters that cannot be stored'],
      'hwinfo outside the basic plane' =>
        [{ hwinfo: { a: "\u{1F600}" } }, 'hwinfo contains characters that cannot be stored'],
      'hwinfo nested deeper than the database takes' =>
        [{ hwinfo: 40.times.inject(1) { |inner, _| { a: inner } } }, 'hwinfo cannot be stored as JSON'],
      'hwinfo larger than the database takes' =>
        [{ hwinfo: { a: 'x' * (17 << 20) } }, 'The request is too large to be stored'],
      'a profile whose identifier is too long' =>
        [{ system_profiles: { pci: { identifier: 'x' * 300, data: 'x' } } }, 'The identifier of a profile is too long'],
      'an array as hostname that is too long' => [{ hostname: ['x' * 300] }, 'A parameter cannot be stored']
    }.each do |what, (body, message)|
      it "refuses #{what} and stores nothing" do
        expect(announce(body)).to be_refused_with(422, message)
        expect(rows('SELECT 1 FROM systems UNION ALL SELECT 1 FROM profiles')).to be_empty
      end
    end

    it 'refuses keys that are no UTF-8' do
      expect(announce("{\"hwinfo\":{\"\xFF\":1}}".b)).to be_refused_with(400, 'The request is not valid UTF-8')
      expect(announce("{\"\xFF\":1}".b)).to be_refused_with(400, 'The request is not valid UTF-8')
      expect(rows('SELECT 1 FROM systems')).to be_empty
    end

    it 'refuses more parameters than Rails can wrap' do
      many = (1..200_000).to_h { |number| ["k#{number}", 1] }
      expect(announce(many)).to be_refused_with(422, 'The request has too many parameters')
      expect(announce(hostname: 'web01', hwinfo: many.first(1_000).to_h).code).to eq('201')
      expect(rows('SELECT hostname FROM systems')).to eq([{ 'hostname' => 'web01' }])
    end

    it "leaves to Rails what is Rails' to refuse" do
      ['{"hostname":', "{\"hostname\":\"\xFF\"}".b].each do |body|
        answer = announce(body)
        expect([answer.code, answer.body]).to eq(['400', '{"status":400,"error":"Bad Request"}'])
      end
      answer = announce({ system_profiles: { pci: { identifier: 'a', data: '' } } })
      expect([answer.code, answer.body]).to eq(['422', REFUSED_BY_RAILS])
      expect(rows('SELECT 1 FROM systems')).to be_empty
    end

    it 'takes 1 MB of hwinfo' do
      expect(announce({ hwinfo: { a: 'x' * (1 << 20) } }).code).to eq('201')
      expect(rows('SELECT LENGTH(system_information) AS n FROM systems').first['n']).to eq((1 << 20) + 8)
    end

    it 'has Ruby answer what only Ruby can, and says so' do
      answer = announce({ hostname: ['a', 1] })
      expect(answer.code).to eq('201')
      expect(rows('SELECT hostname FROM systems').first['hostname']).to eq('["a", 1]')
      expect(log).to match(/WARN -- : rmt_rs: announce left to Ruby: an array or object where text is expected/)
    end
  end

  describe 'next to engines with callbacks' do
    host 'door_callbacks', engines: ['neighbour']

    it 'leaves them the system they expect, and tells those who wait for the commit' do
      answer = announce({ hostname: 'cloud', instance_data: '<document/>' })
      expect(answer.code).to eq('201')
      system = rows('SELECT * FROM systems').first
      expect(system).to include('hostname' => 'cloud', 'instance_data' => '<document/>', 'proxy_byos_mode' => 0)
      expect(log).to include("shared #{system['login']} #{system['id']} nil not_applicable true\n")
        .or include("shared #{system['login']} #{system['id']} nil 0 true\n")
      expect(log).to match(/in Rust: #{operations.join(', ')}$/)
    end
  end

  describe 'next to an engine that replaces announce' do
    host 'door_replaced', engines: ['replaces_announce']

    it 'leaves announce to it, and says why at boot' do
      expect(JSON.parse(announce({ hostname: 'a' }).body)).to eq('id' => 0, 'login' => 'replaced')
      reason = %r{\(announce_system is replaced in .*/replaces_announce.rb:\d+\)}
      others = (operations - %i[announce]).join(', ')
      expect(log).to match(/in Rust: #{others}; left to Ruby: announce #{reason}$/)
    end
  end

  describe 'next to a callback it does not know' do
    host 'door_unknown_callback', engines: ['adds_callback']

    it 'leaves announce to Ruby, and says why at boot' do
      expect(announce({ hostname: 'a' }).code).to eq('201')
      expect(rows('SELECT pubcloud_reg_code AS code FROM systems').first['code']).to eq('set by a callback')
      reason = %r{\(System has a callback in .*/adds_callback.rb:\d+\)}
      others = operations - %i[announce authenticate update activate upgrade destroy synchronize deregister]
      expect(log).to match(/in Rust: #{others.join(', ')}; left to Ruby: announce #{reason}, authenticate #{reason}, /)
    end
  end

  describe 'next to code whose place is not known, and callbacks on other models' do
    host 'door_unknown_validator', engines: ['adds_validator']

    it 'leaves announce to Ruby, and says why at boot' do
      expect(announce({ hostname: 'a' }).code).to eq('201')
      reasons = %r{\(System has a callback in an unknown place; Profile has a callback in .*/adds_validator.rb:\d+\)}
      expect(log).to match(/left to Ruby: announce #{reasons}, /)
    end
  end

  describe 'as a plugin in engines/' do
    host 'door_plugin', engines: ['rmt_rs']

    it 'needs nothing but the link' do
      expect(announce({ hostname: 'plugged' }).code).to eq('201')
      expect(log).to match(/in Rust: #{operations.join(', ')}$/)
    end
  end

  %w[0 1].each do |preload|
    describe "with PRELOAD_APP=#{preload}" do
      host "door_preload#{preload}", env: { 'PRELOAD_APP' => preload }

      it 'serves from every worker' do
        both = Processes.wait_until(30) do
          threads = Array.new(8) { Thread.new { Array.new(5) { announce({ hostname: 'w' }).code } } }
          expect(threads.flat_map(&:value).tally).to eq('201' => 40)
          log.scan(/#(\d+)\]  INFO -- : System 'w' announced/).flatten.uniq.size == 2
        end
        expect(both).to be(true)
      end
    end
  end

  describe 'switched off' do
    before(:context) do
      @database = SuiteDatabase.fresh('door_off')
      # Whatever else is wrong, the switch works.
      @host = Host.new(database_url: @database.url, door: 'off', env: { 'RMT_RS_POOL' => 'nonsense' }).start
    end

    after(:context) { @host&.stop }

    it 'is as if the gem were not there' do
      expect(announce({ hostname: 'ruby' }).code).to eq('201')
      expect(log).not_to include('rmt_rs')
      maps = @host.worker_pids.map { |pid| File.read("/proc/#{pid}/maps") }
      expect(maps.join).not_to include('rmt_rs.so')
    end
  end

  describe 'without a library that fits' do
    broken = File.join(Dir.mktmpdir, "rmt_rs.#{RbConfig::CONFIG['DLEXT']}")
    File.write(broken, 'no library')
    after(:context) { FileUtils.rm_rf(File.dirname(broken)) }
    host 'door_broken', env: { 'RMT_RS_LIBRARY' => broken }

    it 'lets Ruby answer everything, and says so' do
      expect(announce({ hostname: 'ruby' }).code).to eq('201')
      expect(log).to match(/ERROR -- : rmt_rs .*: off, Ruby answers everything/)
    end
  end

  describe 'configured wrongly' do
    {
      { 'RMT_RS_DOOR' => 'window' } => /rmt_rs: door: "window" is not allowed: give off, controller, rack/,
      { 'RMT_RS_DEADLINE' => 'soon' } => /rmt_rs: deadline: "soon" is not allowed/
    }.each do |env, complaint|
      it "does not boot with #{env}" do
        host = Host.new(database_url: SuiteDatabase.fresh('door_wrong').url, door: 'controller', workers: 0, env: env)
        expect { host.start }.to raise_error(Host::Error, /ended while it started/)
        expect(File.read(host.log)).to match(complaint)
      ensure
        host&.stop
      end
    end
  end

  describe 'when Rust cannot reach the database' do
    host 'door_refused', env: { 'RMT_RS_PASSWORD' => 'wr0ng-s3cret' }

    it 'has Ruby answer, and logs no secret' do
      expect(log).not_to include('off, Ruby answers everything')
      expect(announce({ hostname: 'saved' }).code).to eq('201')
      expect(rows('SELECT hostname FROM systems').map { |row| row['hostname'] }).to eq(['saved'])
      expect(log).to match(/WARN -- : rmt_rs: announce left to Ruby: no database connection: .*Access denied/)
      expect(log).not_to include('wr0ng-s3cret')
    end
  end

  # A server of its own: it is stopped, frozen and crowded.
  describe 'when the database fails' do
    before(:context) { @mariadb = PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-failing')).start }
    after(:context) { @mariadb&.stop }
    before { @mariadb.start }

    host 'door_failing'

    def sql(statement)
      @database.with_client { |client| client.query(statement) }
    end

    # @return [Net::HTTPResponse] which took less than five seconds
    def quickly
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      yield.tap { expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be < 5 }
    end

    def recovers
      back = Processes.wait_until(20, pause: 0.1) { announce({ hostname: 'after' }).code == '201' }
      expect(back).to be(true), 'no recovery'
      expect(rows('SELECT DISTINCT hostname FROM systems').map { |row| row['hostname'] }).to include('before', 'after')
    end

    before { expect(announce({ hostname: 'before' }).code).to eq('201') }

    it 'answers 503 while it is gone, and recovers' do
      @mariadb.stop
      3.times { expect(quickly { announce({ hostname: 'gone' }) }).to be_refused_with(503, unavailable) }
      @mariadb.start
      recovers
      expect(rows("SELECT 1 FROM systems WHERE hostname = 'gone'")).to be_empty
    end

    it 'answers 503 in workers that booted without it, and recovers' do
      @mariadb.stop
      host = Host.new(database_url: @database.url, door: 'controller').start
      running = @host
      @host = host
      3.times { expect(quickly { announce({ hostname: 'gone' }) }).to be_refused_with(503, unavailable) }
      @mariadb.start
      recovers
    ensure
      @host = running
      host&.stop
      @mariadb.start
    end

    it 'does not notice a restart' do
      @mariadb.stop
      @mariadb.start
      10.times { expect(announce({ hostname: 'after' }).code).to eq('201') }
      recovers
    end

    it 'answers 503 while it is frozen, and recovers' do
      Process.kill(:STOP, @mariadb.pid)
      2.times { expect(quickly { announce({ hostname: 'frozen' }) }).to be_refused_with(503, unavailable) }
      Process.kill(:CONT, @mariadb.pid)
      recovers
    ensure
      Process.kill(:CONT, @mariadb.pid)
    end

    it 'boots and answers 503 while it is frozen, and recovers' do
      Process.kill(:STOP, @mariadb.pid)
      host = Host.new(database_url: @database.url, door: 'controller').start
      running = @host
      @host = host
      2.times { expect(quickly { announce({ hostname: 'frozen' }) }).to be_refused_with(503, unavailable) }
      Process.kill(:CONT, @mariadb.pid)
      recovers
    ensure
      Process.kill(:CONT, @mariadb.pid)
      @host = running
      host&.stop
    end

    it 'answers 503 while it is read-only, and recovers' do
      sql('SET GLOBAL read_only = 1')
      # The account of the tests may write nevertheless, so the class of error is raised by a trigger.
      sql('CREATE TRIGGER refuse BEFORE INSERT ON systems FOR EACH ROW ' \
          "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'read-only'")
      expect(quickly { announce({ hostname: 'refused' }) }).to be_refused_with(503, unavailable)
      sql('DROP TRIGGER refuse')
      sql('SET GLOBAL read_only = 0')
      recovers
    end

    it 'answers 503 while it is full, and recovers' do
      sql('CREATE TRIGGER refuse BEFORE INSERT ON systems FOR EACH ROW ' \
          "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'")
      expect(quickly { announce({ hostname: 'refused' }) }).to be_refused_with(503, unavailable)
      sql('DROP TRIGGER refuse')
      recovers
    end

    it 'answers 503 while it has too many connections, and recovers' do
      ids = rows("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '#{@database.name}' AND ID <> CONNECTION_ID()")
      crowd = []
      sql('SET GLOBAL max_connections = 10')
      control = @database.client
      ids.each { |row| control.query("KILL #{row['ID']}") rescue nil } # rubocop:disable Style/RescueModifier
      begin
        loop { crowd << @database.client }
      rescue Mysql2::Error
        nil
      end
      expect(quickly { announce({ hostname: 'crowded' }) }).to be_refused_with(503, unavailable)
      crowd.each(&:close)
      recovers
      control.query('SET GLOBAL max_connections = 300')
    ensure
      crowd&.each(&:close)
      control&.close
    end
  end
end
