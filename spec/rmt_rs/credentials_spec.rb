# frozen_string_literal: true

require 'active_record'
require 'json'
require 'logger'
require 'net/http'
require 'rmt_rs'
require 'rmt_rs/credentials'
require 'rmt_rs/survey'
require_relative '../support/native_session'

# Passwords as hashes, in a host app under Puma and in its tasks; what the core does itself is tested there.
RSpec.describe RmtRs::Credentials do
  hash = %r{\A\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\z}

  # Starts a host for a group of examples, on a database with the catalog of the recorded conversations.
  def self.host(name, **options)
    before(:context) do
      @database = SuiteDatabase.fresh(name)
      @database.load_sql(File.expand_path('../conformance/catalog.sql', __dir__))
      env = { 'RMT_RS_CREDENTIALS' => 'argon2id', **options.delete(:env).to_h }
      @host = Host.new(database_url: @database.url, env: env, **options).start
    end
    after(:context) { @host&.stop }
    before { run_sql('DELETE FROM activations', 'DELETE FROM systems') }
  end

  def run_sql(*statements)
    @database.with_client { |sql| statements.each { |statement| sql.query(statement) } }
  end

  def rows(query = 'SELECT * FROM systems ORDER BY id')
    @database.with_client { |sql| sql.query(query).to_a }
  end

  def log
    File.read(@host.log)
  end

  def request(kind, path, credentials: nil, body: nil, headers: {})
    uri = URI("#{@host.url}#{path}")
    request = Net::HTTP.const_get(kind).new(uri.request_uri, { 'Accept' => 'application/json', **headers })
    request.basic_auth(*credentials) if credentials
    if body
      request.body = JSON.generate(body)
      request['Content-Type'] = 'application/json'
    end
    Net::HTTP.start(uri.host, uri.port, read_timeout: 60) { |http| http.request(request) }
  end

  def announce(hostname = 'web01')
    answer = request('Post', '/connect/subscriptions/systems', body: { hostname: hostname })
    expect(answer.code).to eq('201')
    JSON.parse(answer.body)
  end

  def activations(*credentials)
    request('Get', '/connect/systems/activations', credentials: credentials)
  end

  def keepalive(*credentials, **headers)
    request('Put', '/connect/systems', credentials: credentials, body: { hostname: 'web02' }, headers: headers)
  end

  shared_examples 'a door' do
    it 'tells the password once and stores a hash' do
      told = announce
      expect(told['password']).to match(/\A\h{16}\z/)
      stored = rows.first
      expect(stored['password']).to match(hash)
      expect(stored['login']).to eq(told['login'])
      answer = keepalive(told['login'], told['password'], 'System-Token' => '')
      expect([answer.code, answer.body.to_s]).to eq(['204', ''])
      expect(rows.map { |row| row['password'] }).to eq([stored['password']])
      expect(log).not_to include(told['password'])
      expect(log).not_to include(stored['password'])
    end

    it 'refuses what is wrong' do
      told = announce
      stored = rows.first['password']
      wrong = ['0' * 16, '', stored, "\xff\xfe", 'x' * 10_000]
      expect(wrong.map { |password| keepalive(told['login'], password).code }.uniq).to eq(['401'])
      expect(keepalive('SCC_nobody', told['password']).code).to eq('401')
      expect(keepalive(told['login'].downcase, "#{told['password'].upcase}  ").code).to eq('204')
      expect(rows.first['password']).to eq(stored)
    end

    it 'puts a hash in the place of a password at its first use, for many at once' do
      run_sql("INSERT INTO systems SET id = 1, login = 'SCC_a', password = 'p', created_at = NOW(), updated_at = NOW()",
              "INSERT INTO systems SET id = 2, login = 'SCC_a', password = 'p', system_token = 'two', " \
              'created_at = NOW(), updated_at = NOW()')
      answers = Array.new(16) { Thread.new { keepalive('SCC_a', 'p').code } }.map(&:value)
      expect(answers.tally).to eq('204' => 16)
      passwords = rows.map { |row| row['password'] }
      expect(passwords).to all(match(hash))
      expect(passwords.uniq.size).to eq(1)
      expect(keepalive('SCC_a', 'p').code).to eq('204')
      expect(keepalive('SCC_a', 'q').code).to eq('401')
    end
  end

  context 'with the controller door' do
    host 'credentials_controller', door: 'controller'

    it_behaves_like 'a door'

    it 'says so at boot and leaves nothing to Ruby because of it' do
      expect(log).to include('controller door, passwords of systems are stored as hashes (argon2id)')
      expect(log).to match(/in Rust: #{RmtRs::Operations::ALL.keys.join(', ')}$/)
    end

    # Multipart is what only Rails understands.
    it "knows the same systems on Ruby's own way" do
      uri = URI("#{@host.url}/connect/subscriptions/systems")
      request = Net::HTTP::Post.new(uri.path, 'Accept' => 'application/json')
      request.set_form([%w[hostname form]], 'multipart/form-data')
      answer = Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }
      expect(answer.code).to eq('201')
      told = JSON.parse(answer.body)
      expect(told['password']).to match(/\A\h{16}\z/)
      expect(rows.first).to include('hostname' => 'form', 'password' => match(hash))
      expect(log).to include('announce left to Ruby')
      expect(activations(told['login'], told['password']).code).to eq('200')
    end
  end

  context 'with the rack door' do
    host 'credentials_rack', door: 'rack', env: { 'PRELOAD_APP' => '1' }

    it_behaves_like 'a door'

    it 'registers machines that are many at once' do
      told = Array.new(20) { |number| Thread.new { announce("web#{number}") } }.map(&:value)
      expect(told.map { |it| activations(it['login'], it['password']).code }.tally).to eq('200' => 20)
      expect(rows.map { |row| row['password'] }).to all(match(hash))
    end
  end

  context 'with the door off' do
    host 'credentials_off', door: 'off'

    it_behaves_like 'a door'

    it 'says so at boot' do
      expect(log).to include('off door, passwords of systems are stored as hashes (argon2id)')
    end
  end

  # The column is too narrow: nothing else of the database refuses.
  %w[off controller rack].each do |door|
    context "when hashes cannot be stored, with the door #{door}" do
      host "credentials_narrow_#{door}", door: door

      before { run_sql('ALTER TABLE systems MODIFY password varchar(40)') }

      it 'still lets everybody in, and says so once' do
        values = Array.new(30) { |id| "('SCC_#{id}', 'p#{id}', NOW(), NOW())" }
        run_sql("INSERT INTO systems (login, password, created_at, updated_at) VALUES #{values.join(', ')}")
        expect(Array.new(30) { |id| keepalive("SCC_#{id}", "p#{id}").code }.tally).to eq('204' => 30)
        expect(rows.map { |row| row['password'] }).to eq(Array.new(30) { |id| "p#{id}" })
        lines = log.lines.grep(/passwords stay stored as they are/)
        expect(lines.size).to be_between(1, @host.worker_pids.size)
        expect(lines.first).to match(door == 'off' ? /ValueTooLong/ : /The hash of a password is too long/)
      end
    end
  end

  context 'when it was switched back' do
    host 'credentials_back', door: 'off', env: { 'RMT_RS_CREDENTIALS' => 'plaintext' }

    it 'still knows hashes, and stores none' do
      NativeSession.use('credentials_back', credentials: 'argon2id')
      told = announce
      expect(rows.first['password']).to eq(told['password'])
      stored = RmtRs::Native.password_to_store('SCC_h', 'secret')
      run_sql("INSERT INTO systems SET login = 'SCC_h', password = '#{stored}', created_at = NOW(), updated_at = NOW()")
      expect(keepalive('SCC_h', 'secret').code).to eq('204')
      expect(keepalive('SCC_h', stored).code).to eq('401')
      expect(keepalive(told['login'], told['password']).code).to eq('204')
      expect(rows.map { |row| row['password'] }).to eq([told['password'], stored])
    end
  end

  describe 'the tasks' do
    host 'credentials_tasks', door: 'controller'

    def rake(task, **env)
      host = Host.new(database_url: @database.url, door: env.delete(:door) || 'off', port: @host.port,
                      log: File.join(Host::PROJECT, "tmp/log/rake-#{task}-#{Process.pid}.log"),
                      env: { 'RMT_RS_CREDENTIALS' => 'argon2id', **env.transform_keys(&:to_s) })
      [host.run(RbConfig.ruby, '-S', 'rake', "rmt_rs:credentials:#{task}"), File.read(host.log)]
    end

    def insert(ids)
      values = ids.map { |id| "(#{id}, 'SCC_#{id}', 'p#{id}', '2026-01-01', '2026-01-01')" }
      run_sql("INSERT INTO systems (id, login, password, created_at, updated_at) VALUES #{values.join(', ')}")
    end

    it 'count and convert, beside registrations' do
      insert(1..40)
      run_sql("UPDATE systems SET password = '$argon2id$damaged' WHERE id = 40",
              "UPDATE systems SET password = '#{RmtRs::Native.password_to_store('SCC_39', 'p39')}' WHERE id = 39")
      expect(rake('status')).to match([true, /plain: +38 .*current: +1$.*outdated: +0 .*damaged: +1 /m])
      told = announce
      registering = Thread.new { Array.new(5) { keepalive('SCC_30', 'p30').code } }
      expect(rake('hash')).to match([true, /^41 of 41 systems seen, 3[78] hashed/])
      expect(registering.value.uniq).to eq(['204'])
      expect(rake('status', door: 'rack')).to match([true, /plain: +0 .*current: +40$.*damaged: +1 /m])
      expect(rows.reject { |row| row['id'] == 40 }.map { |row| row['password'] }).to all(match(hash))
      expect(rows("SELECT COUNT(*) AS n FROM systems WHERE id <= 40 AND updated_at > '2026-01-02'").first['n']).to be <= 1
      expect([keepalive('SCC_7', 'p7'), keepalive('SCC_40', 'p40'), keepalive(*told.values_at('login', 'password'))].map(&:code))
        .to eq(%w[204 401 204])
      expect(rake('hash')).to match([true, /^41 of 41 systems seen, 0 hashed/])
      expect(rake('status', RMT_RS_CREDENTIALS_ITERATIONS: '3')).to match([true, /current: +0$.*outdated: +40 /m])
    end

    before { NativeSession.use('credentials_tasks', credentials: 'argon2id') }

    it 'convert nothing unless hashes are asked for' do
      insert([1])
      expect(rake('hash', RMT_RS_CREDENTIALS: 'plaintext')).to match([false, /set credentials to argon2id/])
      expect(rake('hash', RMT_RS_CREDENTIALS: nil)).to match([false, /credentials is not set/])
      expect(rows.first['password']).to eq('p1')
    end
  end

  describe 'refused at boot' do
    let(:argon2id) { RmtRs::Configuration.new({ door: 'controller', credentials: 'argon2id' }, {}) }

    def check(configuration = argon2id)
      described_class.check(configuration)
    ensure
      described_class.instance_variable_set(:@storing, nil)
    end

    it 'is nothing where nobody needs the passwords' do
      expect { check }.not_to raise_error
      stub_const('Settings', { scc: { sync_systems: false } })
      expect { check }.not_to raise_error
    end

    [{}, { scc: {} }, { scc: { sync_systems: nil } }, { scc: { sync_systems: true } }].each do |settings|
      it "is an RMT that forwards systems to SCC: #{settings}" do
        stub_const('Settings', settings)
        expect { check }.to raise_error(RmtRs::ConfigurationError, /forwards systems to SCC.*scc.sync_systems to false/)
      end
    end

    %w[SccProxy RegistrationSharing Registry].each do |engine|
      it "is an RMT with #{engine}" do
        stub_const("#{engine}::Engine", Class.new)
        expect { check }.to raise_error(RmtRs::ConfigurationError, /#{engine} is loaded/)
      end
    end

    it 'is a column that takes no hash' do
      column = Struct.new(:limit).new(64)
      stub_const('System', Class.new { define_singleton_method(:columns_hash) { { 'password' => column } } })
      expect { check }.to raise_error(RmtRs::ConfigurationError, /takes 64 characters, and a hash needs \d+/)
    end

    it 'is never the switch, nor plain passwords' do
      stub_const('Settings', { scc: { sync_systems: true } })
      expect { check(RmtRs::Configuration.new({ door: 'off', credentials: 'argon2id' }, {})) }.not_to raise_error
      expect { check(RmtRs::Configuration.new({ door: 'rack', credentials: 'plaintext' }, {})) }.not_to raise_error
    end

    it 'says so and does not start' do
      database = SuiteDatabase.fresh('credentials_refused')
      host = Host.new(database_url: database.url, door: 'controller', engines: %w[hands_on_passwords],
                      env: { 'RMT_RS_CREDENTIALS' => 'argon2id' })
      expect { host.start }.to raise_error(Host::Error, /ended while it started/)
      expect(File.read(host.log)).to include('credentials: argon2id is not possible here: SccProxy is loaded')
    end
  end

  describe "on Ruby's own way" do
    before do
      @database = SuiteDatabase.fresh('credentials_pause')
      NativeSession.use('credentials_pause', credentials: 'argon2id')
      stub_const('RailsSystem', Class.new(ActiveRecord::Base) { self.table_name = 'systems' })
      RailsSystem.establish_connection(NativeSession.rails_config('credentials_pause'))
      @pause = described_class.pause
      @now = 0
      described_class.pause = described_class::Pause.new(clock: -> { @now })
      described_class.instance_variable_set(:@storing, true)
      allow(RmtRs).to receive(:logger).and_return(Logger.new(@log = StringIO.new))
    end

    after do
      described_class.instance_variable_set(:@storing, nil)
      described_class.pause = @pause
      RailsSystem.remove_connection
      RmtRs::Native.shut_down
    end

    def hashes
      before = RmtRs::Native.hashes_computed
      yield
      RmtRs::Native.hashes_computed - before
    end

    def authenticate(id)
      expect(described_class.systems(RailsSystem, "SCC_#{id}", "p#{id}").map(&:id)).to eq([id])
    end

    it 'leaves what cannot be stored alone for a minute' do
      values = (1..6).map { |id| "(#{id}, 'SCC_#{id}', 'p#{id}', NOW(), NOW())" }
      run_sql("INSERT INTO systems (id, login, password, created_at, updated_at) VALUES #{values.join(', ')}",
              'CREATE TRIGGER full BEFORE UPDATE ON systems FOR EACH ROW ' \
              "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'")
      spent = [0, 1, 59, 60, 61, 119, 120].map do |now|
        @now = now
        hashes { (1..6).each { |id| authenticate(id) } }
      end
      expect(spent).to eq([1, 0, 0, 1, 0, 0, 1])
      expect(@log.string.lines).to match([/passwords stay stored as they are, .*: ActiveRecord::StatementInvalid$/])
      run_sql('DROP TRIGGER full')
      @now = 180
      expect(hashes { (1..6).each { |id| authenticate(id) } }).to eq(6)
      expect(rows.map { |row| row['password'] }).to all(match(hash))
    end
  end

  describe 'in the library' do
    before do
      SuiteDatabase.fresh('credentials_native')
      NativeSession.use('credentials_native', credentials: 'argon2id')
    end

    after { RmtRs::Native.shut_down }

    it 'hashes without the lock of Ruby, and knows what it has made' do
      stored = RmtRs::Native.password_to_store('SCC_a', 'secret')
      expect(stored).to match(hash)
      before = RmtRs::Native.hashes_computed
      expect(RmtRs::Native.compare_passwords('SCC_a', 'SECRET ', [stored, 'damaged', "#{stored[0..-2]}-"]))
        .to eq([[true, true], [false, false], [false, false]])
      expect(RmtRs::Native.hashes_computed).to eq(before)
      expect(RmtRs::Native.compare_passwords('SCC_a', 'other', [stored])).to eq([[false, true]])
      expect(RmtRs::Native.compare_passwords('SCC_a', 'other', [])).to eq([])
      expect(RmtRs::Native.hashes_computed).to eq(before + 2)
    end

    it 'hashes in a process that was forked from one that did' do
      stored = RmtRs::Native.password_to_store('SCC_a', 'secret')
      reader, writer = IO.pipe
      pid = fork do
        writer.puts(RmtRs::Native.compare_passwords('SCC_a', 'secret', [stored]).inspect,
                    RmtRs::Native.hashes_computed, RmtRs.announce('hostname' => 'child').login)
        GC.start
        writer.close
        exit!(0)
      end
      writer.close
      expect(reader.read.lines.map(&:chomp)).to match(['[[true, true]]', '1', /\ASCC_/])
      Process.wait(pid)
      expect(RmtRs::Native.compare_passwords('SCC_a', 'wrong', [stored])).to eq([[false, true]])
    end
  end
end
