# frozen_string_literal: true

require 'json'
require 'open3'
require 'rmt_rs'

# `rake rmt_rs:doctor` in the host app, as an operator runs it.
RSpec.describe 'rake rmt_rs:doctor' do
  def database(name)
    SuiteDatabase.fresh(name).install_triggers
  end

  # Its lines by their subjects, and how it ended.
  def examine(database, door: 'controller', engines: [], rakefile: 'Rakefile', **env)
    directory = Dir.mktmpdir
    engines.each { |name| File.symlink(File.join(Host::PROJECT, 'spec/engines', name), File.join(directory, name)) }
    environment = { 'DATABASE_URL' => database.url, 'RMT_RS_DOOR' => door, 'RAILS_ENV' => 'production', 'WEB_CONCURRENCY' => '2',
                    'RAILS_MAX_THREADS' => '5', 'HOST_APP_ENGINES' => directory }.merge(env.transform_keys(&:to_s))
    output, status = Open3.capture2e(environment, RbConfig.ruby, '-S', 'rake', '-f', rakefile, 'rmt_rs:doctor',
                                     chdir: Host::APP)
    expect(output).not_to include(PrivateMariadb::PASSWORD * 2)
    [output, status.exitstatus]
  ensure
    FileUtils.rm_rf(directory)
  end

  # A statement by the server's administrator.
  def administer(database, *statements)
    database.with_client { |sql| statements.each { |statement| sql.query(statement) } }
  end

  it 'finds nothing where all is well' do
    output, status = examine(database('doctor_well'), door: 'rack')
    expect(output.lines.map { |line| line.split[0..1].join(' ') }).to eq(
      ['ok versions:', 'ok flag:', 'ok library:', 'ok database:', 'ok session:', 'ok rights:', 'ok schema:', 'ok triggers:',
       'ok pool:', 'ok connections:', 'ok survey:', 'ok rack', '0 failed,']
    ), output
    expect(output).to match(/^ok       versions: rmt_rs #{RmtRs::VERSION}, Rails 6\.1\.\d.*, Ruby #{RUBY_VERSION}$/)
    expect(output).to match(/^ok       database: rmt_rs reaches doctor_well at 127\.0\.0\.1:\d+ \(.*MariaDB.*\)$/)
    expect(output).to include('ok       pool: 7 connections for 5 threads')
    expect(output).to include('2 processes with 7 connections and 5 of Rails\' are 24; the database takes 300')
    expect(status).to eq(0)
  end

  it 'says that the door is off, and looks at the rest all the same' do
    output, status = examine(database('doctor_off'), door: 'off')
    expect(output).to match(/^warning  flag: the door is off: .*\n {9}-> set rmt_rs: door: controller/)
    expect(output).to match(/^ok       schema: /)
    expect([output[/\d+ failed, \d+ warnings/], status]).to eq(['0 failed, 1 warnings', 0])
  end

  it 'names what is wrong with the settings, where RMT would not boot, and no password' do
    output, status = examine(database('doctor_flag'), RMT_RS_POOL: 'many', RMT_RS_PASSWORD: 's3cr3t')
    expect(output).to match(/^failed   flag: rmt_rs: pool: "many" is not allowed: .*\n {9}-> correct that key/)
    expect(output).not_to include('s3cr3t')
    expect(status).to eq(1)
  end

  it 'does so in an application that boots before it loads its tasks, as RMT does' do
    Dir.mktmpdir do |directory|
      rakefile = File.join(directory, 'Rakefile')
      File.write(rakefile, "require '#{Host::APP}/config/environment'\nRails.application.load_tasks\n")
      output, status = examine(database('doctor_early'), rakefile: rakefile, RMT_RS_POOL: 'many')
      expect(output).to match(/\Afailed   flag: rmt_rs: pool: "many"|\nfailed   flag: rmt_rs: pool: "many"/)
      expect(status).to eq(1)
    end
  end

  it 'finds a library that is another one' do
    output, status = examine(database('doctor_library'), RMT_RS_LIBRARY: '/nowhere/rmt_rs.so')
    expect(output).to match(%r{^failed   library: .*/nowhere/rmt_rs.so\n {9}-> install the gem anew})
    expect(status).to eq(1)
  end

  it 'finds a database that cannot be reached, and one that lets nobody in' do
    here = database('doctor_reach')
    output, status = examine(here, RMT_RS_PORT: Processes.free_port.to_s)
    expect(output).to match(/^failed   database: doctor_reach at .* is not reached: .*\n {9}-> start the database/)
    expect(status).to eq(1)
    output, status = examine(here, RMT_RS_PASSWORD: 'wr0ngwr0ng')
    expect(output).to match(/^failed   database: doctor_reach at .* is not reached: .*Access denied/)
    expect(output).not_to include('wr0ngwr0ng')
    expect(status).to eq(1)
  end

  it 'finds rights that are missing, and names each' do
    here = database('doctor_rights')
    administer(here, "CREATE OR REPLACE USER doctor@'127.0.0.1' IDENTIFIED BY 'd0ct0r'",
               "GRANT SELECT ON doctor_rights.* TO doctor@'127.0.0.1'",
               "GRANT INSERT, UPDATE, DELETE ON doctor_rights.systems TO doctor@'127.0.0.1'")
    output, status = examine(here, RMT_RS_USERNAME: 'doctor', RMT_RS_PASSWORD: 'd0ct0r')
    missing = output.scan(/^failed   rights: (\w+) on (\w+): .*command denied/)
    tables = %w[activations profiles system_profiles system_uptimes deregistered_systems]
    expect(missing).to match_array(tables.product(%w[INSERT UPDATE DELETE]).map(&:reverse))
    expect(output).to include('-> GRANT INSERT ON `doctor_rights`.* to the account doctor')
    expect(output).not_to include('d0ct0r')
    expect(status).to eq(1)
    # Nothing was written.
    expect(here.with_client { |sql| sql.query('SELECT COUNT(*) AS n FROM systems').first['n'] }).to eq(0)
  end

  it 'finds a session that is not as Rails has it' do
    here = database('doctor_session')
    # What the server does when somebody connects who may not administer it.
    administer(here, "CREATE OR REPLACE USER visitor@'127.0.0.1' IDENTIFIED BY 'v1s1tor'",
               "GRANT ALL ON doctor_session.* TO visitor@'127.0.0.1'",
               "SET GLOBAL init_connect = 'SET SESSION lock_wait_timeout = 7'")
    output, status = examine(here, RMT_RS_USERNAME: 'visitor', RMT_RS_PASSWORD: 'v1s1tor')
    expect(output).to match(/^warning  session: lock_wait_timeout is "7", and "\d+" with Rails\n {9}-> make both ask/)
    expect(output).to match(/^ok       rights: /)
    expect(status).to eq(0)
  ensure
    administer(here, "SET GLOBAL init_connect = ''")
  end

  it 'finds columns and tables that are missing, altered, added, or compared in vain' do
    here = database('doctor_schema')
    administer(here, 'ALTER TABLE systems DROP COLUMN instance_data, ADD future INT DEFAULT 5',
               'ALTER TABLE profiles MODIFY data LONGBLOB NOT NULL, ADD owner INT NOT NULL',
               'DROP TABLE system_uptimes', 'ALTER TABLE activations MODIFY subscription_id BIGINT NOT NULL',
               'ALTER TABLE subscriptions MODIFY status VARCHAR(255) NULL',
               'ALTER TABLE subscription_product_classes CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin')
    output, status = examine(here)
    found = output.scan(/^warning  schema: (.*): Ruby answers (.*)$/).to_h
    expect(found.keys).to contain_exactly(
      'systems.instance_data is missing', 'systems.future is not known', 'profiles.data is of type longblob',
      'profiles.owner has no default', 'the table system_uptimes is missing', 'activations.subscription_id may not be NULL',
      'subscriptions.status may be NULL',
      'products.product_class and subscription_product_classes.product_class have different collations'
    )
    expect(found['the table system_uptimes is missing']).to eq('update, deregister')
    expect(found['profiles.owner has no default']).to eq('announce, update, deregister')
    expect(status).to eq(0)
  end

  it 'finds triggers that are missing' do
    here = database('doctor_triggers')
    administer(here, 'DROP TRIGGER rmt_rs_products_insert', 'DROP TRIGGER rmt_rs_services_delete')
    output, status = examine(here)
    expect(output).to match(/^warning  triggers: 16 of 18 triggers are there: .*\n {9}-> run rails generate rmt_rs:install and/)
    expect(output).not_to include('grant the right TRIGGER')
    expect(status).to eq(0)
  end

  it 'finds that there are not connections enough' do
    here = database('doctor_connections')
    output, status = examine(here, WEB_CONCURRENCY: '30', RMT_RS_POOL: '3')
    expect(output).to match(/^warning  pool: 3 connections for 5 threads: .*\n {9}-> set rmt_rs: pool: 7/)
    expect(output).to match(/^ok       connections: 30 processes .* are 240; the database takes 300$/)
    expect(status).to eq(0)
    output, status = examine(here, WEB_CONCURRENCY: '30')
    expect(output).to match(/^failed   connections: .* are 360; the database takes 300\n {9}-> set max_connections .* to 370/)
    expect(status).to eq(1)
  end

  it 'says what engines keep with Ruby, and what keeps the rack door from the front' do
    output, status = examine(database('doctor_engines'), door: 'rack', engines: %w[replaces_announce unknown_middleware])
    expect(output).to match(/^warning  survey: Ruby answers announce: announce_system is replaced in .*replaces_announce/)
    expect(output).to match(/^ok       survey: .*; Rust answers authenticate, update/)
    expect(output).to match(/^warning  rack door: it stands at the end of the stack: UnknownMiddleware is not known/)
    expect(status).to eq(0)
  end
end
