# frozen_string_literal: true

require 'timeout'
require_relative '../support/native_session'

RSpec.describe RmtRs::Native do
  before do
    SuiteDatabase.fresh('native')
    NativeSession.use('native')
  end

  let(:sql) { SuiteDatabase.mariadb.client('native') }
  let(:profiles) { { pci_data: { identifier: 'aaaa', data: 'Slot 00' } } }

  after { sql.close }

  def count(table)
    sql.query("SELECT COUNT(*) AS n FROM #{table}").first['n']
  end

  # Holds `table` while the block runs, so that every statement on it waits.
  def hold(table)
    holder = SuiteDatabase.mariadb.client('native')
    holder.query("LOCK TABLES #{table} WRITE")
    yield
  ensure
    holder&.close
  end

  # Waits until a statement of the library waits for a held table.
  def wait_until_blocked
    blocked = Processes.wait_until(10, pause: 0.02) do
      sql.query('SHOW FULL PROCESSLIST').any? { |row| row['State'].to_s.include?('metadata lock') }
    end
    raise 'nothing waits for the table' unless blocked
  end

  it 'announces a system' do
    announced = RmtRs.announce('hostname' => 'web01', 'hwinfo' => { 'cpus' => 2 })
    row = sql.query('SELECT * FROM systems').first
    expect(row).to include('id' => announced.id, 'login' => announced.login, 'password' => announced.password,
                           'hostname' => 'web01', 'system_information' => '{"cpus":2}')
    expect(announced.announced_at).to be_within(60).of(Time.now.to_i)
    expect(announced.login).to match(/\ASCC_\h{32}\z/)
    expect(announced.password).to match(/\A\h{16}\z/)
  end

  it 'lets other threads run meanwhile' do
    ticks = 0
    hold('systems') do
      thread = Thread.new { RmtRs.announce({}) }
      wait_until_blocked
      ticker = Thread.new { 50.times { ticks += 1 and sleep(0.001) } }
      expect(ticker.join(5)).to be(ticker)
      expect(thread).to be_alive
      thread.report_on_exception = false
      thread.kill
    end
    expect(ticks).to eq(50)
  end

  it 'serves many threads at once, each its own system' do
    threads = Array.new(16) { |n| Thread.new { Array.new(20) { RmtRs.announce('hostname' => n.to_s).login } } }
    logins = threads.flat_map(&:value)
    expect(logins.uniq.size).to eq(320)
    expect(count('systems')).to eq(320)
  end

  describe 'when the thread is interrupted' do
    it 'finishes a write that had begun, whole, after Thread#kill' do
      hold('systems') do
        thread = Thread.new { RmtRs.announce('hostname' => 'killed', 'system_profiles' => profiles) }
        wait_until_blocked
        thread.kill
        expect(thread.join(2)).to be(thread)
      end
      expect(Processes.wait_until(5, pause: 0.02) { count('systems') == 1 }).to be(true)
      expect([count('profiles'), count('system_profiles')]).to eq([1, 1])
      RmtRs.announce('hostname' => 'next')
      expect(count('systems')).to eq(2)
    end

    it 'never begins a write after Thread#kill' do
      hold('profiles') do
        thread = Thread.new { RmtRs.announce('hostname' => 'killed', 'system_profiles' => profiles) }
        wait_until_blocked
        thread.kill
        expect(thread.join(2)).to be(thread)
      end
      RmtRs.announce('hostname' => 'next', 'system_profiles' => profiles)
      expect(sql.query('SELECT hostname FROM systems').map(&:values)).to eq([['next']])
    end

    it 'raises what Timeout raises, and works afterwards' do
      hold('systems') do
        expect { Timeout.timeout(0.3) { RmtRs.announce('hostname' => 'late') } }.to raise_error(Timeout::Error)
      end
      5.times { |n| expect(RmtRs.announce('hostname' => n.to_s).hostname).to eq(n.to_s) }
      hostnames = sql.query('SELECT hostname FROM systems ORDER BY id').map { |row| row['hostname'] }
      expect(hostnames - ['late']).to eq(%w[0 1 2 3 4])
      expect(hostnames.count('late')).to eq(1)
    end

    it 'goes on waiting when the interruption raises nothing' do
      thread = nil
      hold('systems') do
        thread = Thread.new { RmtRs.announce('hostname' => 'patient') }
        wait_until_blocked
        trap('USR2') { nil }
        3.times { Process.kill('USR2', Process.pid) && thread.wakeup && sleep(0.02) }
      end
      expect(thread.value.hostname).to eq('patient')
      expect(count('systems')).to eq(1)
    end
  end

  it 'gives up at the deadline and says that something may have been written' do
    NativeSession.use('native', deadline: 0.5)
    hold('systems') do
      expect { RmtRs.announce({}) }.to raise_error(RmtRs::Unavailable) { |error| expect(error).to be_written }
    end
    hold('profiles') do
      expect { RmtRs.announce('system_profiles' => profiles) }
        .to raise_error(RmtRs::Unavailable) { |error| expect(error).not_to be_written }
    end
  end

  # In a process of its own: mysql2 keeps its classes where compaction moves them, and crashes at the next error.
  it 'withstands GC stress and compaction' do
    output = NativeSession.run(<<~'RUBY', 'native')
      profiles = { 'pci_data' => { 'identifier' => 'aaaa', 'data' => 'Slot 00' } }
      GC.stress = true
      10.times do |n|
        announced = RmtRs.announce('hostname' => "gc#{n}", 'hwinfo' => { 'a' => 'x' * 100 }, 'system_profiles' => profiles)
        raise announced.body unless announced.body.include?(announced.login)

        RmtRs.announce('hostname' => 'x' * 300)
        raise 'not refused'
      rescue RmtRs::BadInput
        nil
      end
      GC.stress = false
      GC.auto_compact = true
      moved = Array.new(200) { |n| RmtRs.announce('hostname' => "moved#{n}").hostname }
      raise 'moved' unless moved == Array.new(200) { |n| "moved#{n}" }

      GC.auto_compact = false
      kept = Array.new(50) { |n| RmtRs.announce('hostname' => "compact#{n}").tap { GC.compact if (n % 10).zero? } }
      print kept.map(&:hostname) == Array.new(50) { |n| "compact#{n}" }
    RUBY
    expect(output).to eq('true')
    expect(count('systems')).to eq(260)
  end

  it 'makes its first objects in several threads at once' do
    # Whatever asks Ruby for a class lets the other threads have their turn meanwhile.
    output = NativeSession.run(<<~'RUBY', 'native')
      TracePoint.new(:c_call) { |point| sleep(0.05) if point.method_id == :const_get }.enable
      # No thread of this process could, if they wait for each other.
      watchdog = fork { sleep(20); Process.kill(:KILL, Process.ppid) }
      settings = JSON.generate('operations' => ['health'], 'tokens_enabled' => true, 'appearance' => RmtRs.appearance)
      threads = Array.new(4) { Thread.new { RmtRs::Native::Settings.new(settings) } }
      p threads.map { |thread| thread.value.class }.uniq
      Process.kill(:KILL, watchdog)
    RUBY
    expect(output).to eq("[RmtRs::Native::Settings]\n")
  end

  describe 'after a fork' do
    it 'works in parent and child, each on connections of its own' do
      output = NativeSession.run(<<~'RUBY', 'native')
        5.times { RmtRs.announce({ 'hostname' => 'parent' }) }
        children = Array.new(3) { fork { 5.times { RmtRs.announce({ 'hostname' => 'child' }) } } }
        5.times { RmtRs.announce({ 'hostname' => 'parent' }) }
        statuses = children.map { |pid| Process.wait2(pid).last.exitstatus }
        5.times { RmtRs.announce({ 'hostname' => 'parent' }) }
        p statuses
      RUBY
      expect(output).to eq("[0, 0, 0]\n")
      hosts = sql.query('SELECT hostname, COUNT(DISTINCT login) AS n FROM systems GROUP BY 1 ORDER BY 1').map(&:values)
      expect(hosts).to eq([['child', 15], ['parent', 15]])
    end

    it 'lets the child collect and end without a word on the inherited connections' do
      output = NativeSession.run(<<~'RUBY', 'native')
        RmtRs.announce({})
        pid = fork { GC.start; GC.compact if GC.respond_to?(:compact) }
        Process.wait(pid)
        RmtRs.announce({})
        require 'mysql2'
        print 'ok'
      RUBY
      expect(output).to eq('ok')
      aborted = sql.query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'").first['Value'].to_i
      NativeSession.run('RmtRs.announce({}); Process.wait(fork { exit! }); RmtRs.announce({})', 'native')
      expect(sql.query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'").first['Value'].to_i).to eq(aborted)
      expect(count('systems')).to eq(4)
    end

    it 'works in a child whose parent never used it, and in grandchildren' do
      NativeSession.run(<<~'RUBY', 'native')
        child = fork do
          RmtRs.announce({ 'hostname' => 'child' })
          grandchild = fork { RmtRs.announce({ 'hostname' => 'grandchild' }) }
          exit!(Process.wait2(grandchild).last.success?)
        end
        exit!(Process.wait2(child).last.success?)
      RUBY
      expect(sql.query('SELECT hostname FROM systems ORDER BY 1').map(&:values)).to eq([['child'], ['grandchild']])
    end
  end

  describe 'when it panics', :faults do
    let(:library) { File.join(Host::PROJECT, "tmp/faults/rmt_rs.#{RbConfig::CONFIG['DLEXT']}") }

    it 'raises InternalError, which a rescue sees, and works on' do
      output = NativeSession.run(<<~'RUBY', 'native', library: library)
        $stdout.sync = true
        [[:panic_in_call], [:panic_in_task, 'hunter2']].each do |how|
          RmtRs::Native.public_send(*how)
        rescue => e
          puts "#{e.class}: #{e.message}"
        end
        puts RmtRs.announce({ 'hostname' => 'after' }).hostname
      RUBY
      expect(output.gsub(/\S+:\d+:\d+/, 'PLACE')).to eq(<<~TEXT)
        rmt_rs: panic at PLACE: in the call
        RmtRs::InternalError: panic in the binding
        rmt_rs: panic at PLACE: [its message may hold values]
        RmtRs::InternalError: panic in the core
        after
      TEXT
    end
  end

  it 'declines what JSON cannot express' do
    expect { RmtRs.announce('hwinfo' => { 'a' => Float::INFINITY }) }.to raise_error(RmtRs::Declined)
    deep = 200.times.inject({}) { |inner, _| { 'a' => inner } }
    expect { RmtRs.announce('hwinfo' => deep) }.to raise_error(RmtRs::Declined)
    expect(count('systems')).to eq(0)
  end
end
