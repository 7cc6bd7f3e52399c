# frozen_string_literal: true

require 'rmt_rs'

RSpec.describe RmtRs::Configuration do
  let(:rails) { { adapter: 'mysql2', host: 'db', username: 'rmt', password: 'secret', database: 'rmt', pool: 7 } }

  def configuration(settings = {}, environment = {})
    described_class.new(settings, environment)
  end

  def native(settings = {}, environment = {})
    JSON.parse(configuration({ door: 'controller' }.merge(settings), environment).to_native(rails, environment: {}))
  end

  it 'is off unless switched on' do
    expect(configuration).to be_off
    expect(configuration({ 'door' => 'controller' })).not_to be_off
    expect(configuration({}, { 'RMT_RS_DOOR' => 'controller' }).door).to eq('controller')
  end

  it 'does not show its secrets' do
    shown = configuration({ door: 'rack', password: 'hunter2', pool: 3 }).inspect
    expect(shown).to include('door: rack', 'pool: 3', 'password: a secret')
    expect(shown).not_to include('hunter2')
    expect(configuration({ door: 'rack', password: 'hunter2' }).to_s).not_to include('hunter2')
  end

  it 'waits for 50 seconds, and answers health where only this machine can ask' do
    expect(configuration({ door: 'rack' })).to have_attributes(max_wait: 50.0, health_listen: nil)
    expect(configuration({ door: 'rack' }, { 'RMT_RS_MAX_WAIT' => '30' }).max_wait).to eq(30.0)
    %w[127.0.0.1:4225 [::1]:4225 127.0.0.2:1].each do |address|
      expect(configuration({ door: 'rack', health_listen: address }).health_listen).to eq(address)
    end
    ['0.0.0.0:4225', '[::]:4225', '10.0.0.1:4225', '127.0.0.1', '4225', '127.0.0.1:0', '127.0.0.1:65536', 'localhost:1',
     "127.0.0.1:4225\n", '127.0.0.1.1:4', '::1:4225', '[::1', '[:::1]:4'].each do |address|
      expect { configuration({ door: 'rack', health_listen: address }) }
        .to raise_error(RmtRs::ConfigurationError, /health_listen/), address
    end
  end

  it "takes YAML's reading of a bare off" do
    expect(configuration({ door: false })).to be_off
  end

  it 'prefers the environment' do
    expect(configuration({ door: 'controller' }, { 'RMT_RS_DOOR' => 'off' })).to be_off
    expect(configuration({ door: 'controller' }, { 'RMT_RS_DOOR' => '' })).not_to be_off
  end

  it 'configures the database from Rails, unless told otherwise' do
    expect(native['database']).to include('host' => 'db', 'port' => 3306, 'username' => 'rmt', 'password' => 'secret',
                                          'database' => 'rmt', 'pool' => 7, 'connect_timeout_ms' => 2000)
    changed = native({ host: 'other', pool: 3 }, { 'RMT_RS_PORT' => '4406', 'RMT_RS_PASSWORD' => 'new' })
    expect(changed['database']).to include('host' => 'other', 'port' => 4406, 'password' => 'new', 'pool' => 3)
  end

  it "opens as many connections as Puma's threads need, unless told otherwise" do
    pool = lambda do |settings, web_threads|
      JSON.parse(configuration({ door: 'controller', **settings }).to_native(rails, environment: {}, web_threads: web_threads))
          .dig('database', 'pool')
    end
    expect(pool[{}, 0]).to eq(7)
    expect(pool[{}, 5]).to eq(7)
    expect(pool[{}, 16]).to eq(18)
    expect(pool[{ pool: 3 }, 16]).to eq(3)
  end

  it 'asks Puma for its threads' do
    require 'puma/cli'
    before = Puma.cli_config
    Puma.cli_config = nil
    expect(described_class.web_threads).to eq(0)
    Puma.cli_config = Puma::Configuration.new { |puma| puma.threads 3, 9 }.tap(&:load)
    expect(described_class.web_threads).to eq(9)
  ensure
    Puma.cli_config = before
  end

  it 'has defaults, and takes other values' do
    expect(native).to include('deadline_ms' => 4000,
                              'database' => include('statement_timeout_ms' => 4000))
    expect(native({ deadline: '2.5', connect_timeout: 1 }))
      .to include('deadline_ms' => 2500, 'database' => include('connect_timeout_ms' => 1000))
  end

  {
    { door: 'window' } => /rmt_rs: door: "window" is not allowed: give off, controller, rack .*RMT_RS_DOOR/,
    { door: true } => /rmt_rs: door: true is not allowed/,
    { pool: 0 } => /rmt_rs: pool: 0 is not allowed: give a whole number from 1 to 1000/,
    { pool: 'many' } => /rmt_rs: pool: "many"/,
    { port: 70_000 } => /rmt_rs: port: 70000/,
    { deadline: 'soon' } => /rmt_rs: deadline: "soon" is not allowed: give seconds from 0.5 to 60/,
    { connect_timeout: -1 } => /rmt_rs: connect_timeout: -1/,
    { host: '' } => /rmt_rs: host/,
    { ssl_mode: 'maybe' } => /rmt_rs: ssl_mode: "maybe" is not allowed: give disabled, preferred/,
    { sslca: '/nowhere' } => %r{rmt_rs: sslca: "/nowhere" is not allowed: give the path of a readable file},
    { dor: 'off' } => /rmt_rs: unknown key dor: allowed are door, pool/
  }.each do |wrong, complaint|
    it "refuses #{wrong}" do
      expect { configuration({ door: 'controller' }.merge(wrong)) }.to raise_error(RmtRs::ConfigurationError, complaint)
    end
  end

  it 'refuses a misspelt variable' do
    expect { configuration({ door: 'controller' }, { 'RMT_RS_POLL' => '5' }) }
      .to raise_error(RmtRs::ConfigurationError, /unknown variable RMT_RS_POLL: allowed are door, pool/)
  end

  it 'never shows a password' do
    expect { configuration({ door: 'controller', password: '' }) }
      .to raise_error(RmtRs::ConfigurationError, /rmt_rs: password: is not allowed/)
  end

  it 'can always be switched off' do
    expect(configuration({ door: 'controller', pool: 'nonsense', typo: 1 }, { 'RMT_RS_DOOR' => 'off' })).to be_off
  end

  describe '.load' do
    it "reads RMT's settings" do
      stub_const('Settings', { rmt_rs: { door: 'controller' } })
      expect(described_class.load.door).to eq('controller')
    end

    it 'is off when RMT has no such section, or there is no RMT' do
      expect(described_class.load).to be_off
      stub_const('Settings', { rmt_rs: nil })
      expect(described_class.load).to be_off
    end

    it 'can be switched off whatever the section holds' do
      stub_const('Settings', { rmt_rs: 'controller' })
      expect(described_class.load(environment: { 'RMT_RS_DOOR' => 'off' })).to be_off
    end

    it 'refuses a section that is no section' do
      stub_const('Settings', { rmt_rs: ['controller'] })
      expect { described_class.load }.to raise_error(RmtRs::ConfigurationError, /rmt_rs: \["controller"\]: allowed are keys/)
      stub_const('Settings', { rmt_rs: 'controller' })
      expect { described_class.load }.to raise_error(RmtRs::ConfigurationError, /rmt_rs: "controller": allowed are keys/)
    end
  end

  describe 'credentials' do
    def cost(**settings)
      { 'credentials' => 'argon2id', **settings.transform_keys { |key| "credentials_#{key}" } }
    end

    it 'are plain unless switched on, with the cost that OWASP recommends' do
      expect(native['credentials']).to be_nil
      expect(configuration({ door: 'controller' })).not_to be_hashes
      expect(native({ 'credentials' => 'argon2id' })['credentials'])
        .to eq('hash' => true, 'cost' => { 'memory' => 19_456, 'iterations' => 2, 'parallelism' => 1 })
      expect(native({}, { 'RMT_RS_CREDENTIALS' => 'plaintext' })['credentials']).to include('hash' => false)
    end

    it 'takes a cost that is worth it' do
      expect(native(cost(memory: 7168, iterations: 5))['credentials'])
        .to include('cost' => { 'memory' => 7168, 'iterations' => 5, 'parallelism' => 1 })
      expect(native(cost(memory: 262_144, iterations: 64, parallelism: 16))['credentials']['cost']['parallelism']).to eq(16)
    end

    { 'too little memory' => { memory: 7167 }, 'too little for so few iterations' => { memory: 19_455 },
      'one iteration' => { iterations: 1 }, 'five iterations with too little' => { memory: 7167, iterations: 5 },
      'no lanes' => { parallelism: 0 }, 'more than a process can bear' => { memory: 262_145 } }.each do |what, given|
      it "refuses #{what}" do
        expect { native(cost(**given)) }.to raise_error(RmtRs::ConfigurationError, /credentials_/)
      end
    end

    it 'are looked at with the door off, and never keep it from being off' do
      off = ->(settings) { configuration({ door: 'off', **settings }) }
      expect(off[{ credentials: 'argon2id' }].credentials).to eq('argon2id')
      expect(off[{}]).not_to be_hashes
      [{ credentials: 'argon2' }, { credentials: 'argon2id', credentials_memory: 8 }].each do |mistaken|
        expect(off[mistaken]).to be_off
        expect(off[mistaken].credentials).to eq('plaintext')
        expect(JSON.parse(off[mistaken].to_native(nil)).dig('credentials', 'cost', 'memory')).to eq(19_456)
      end
    end
  end
end
