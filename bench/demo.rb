# frozen_string_literal: true

require_relative '../spec/support/host'
require_relative '../spec/support/private_mariadb'
require_relative 'k6'
require_relative 'measurement'

# Announces the same number of systems through RMT's way of doing it, in Ruby, and through Rust, looks
# in the database that each is there once, and prints what both cost.
class Demo
  SYSTEMS = Integer(ENV.fetch('SYSTEMS', 1000))
  CLIENTS = 8
  DOORS = { 'off' => 'Ruby', 'controller' => 'Rust' }.freeze
  STRUCTURE = File.join(Host::APP, 'db/structure.sql')

  # @return [Boolean] whether everything was as it should be
  def run
    K6.program
    say 'starting the private MariaDB'
    mariadb = PrivateMariadb.new.start
    @database = mariadb.database('rmt_rs_demo').drop.create.load_sql(STRUCTURE)
    results = DOORS.keys.to_h { |door| [door, measure(door)] }
    report(results)
  rescue PrivateMariadb::Error, Host::Error, K6::Error => e
    warn "demo: #{e.message}"
    false
  ensure
    @database&.drop
    mariadb&.stop
  end

  private

  def measure(door)
    say "starting Puma, 2 workers x 5 threads, door #{door}"
    host = Host.new(database_url: @database.url, door: door).start
    load(host, 'SYSTEMS' => 200, 'MARK' => "warm-#{door}")
    say "announcing #{SYSTEMS} systems through #{DOORS[door]}, #{CLIENTS} clients at once"
    announced = Measurement.of(host, @database) { load(host, 'SYSTEMS' => SYSTEMS, 'MARK' => door) }
    check(door)
    idle = Measurement.of(host, @database) { load(host, 'SYSTEMS' => SYSTEMS, 'PATH_ONLY' => '/api/health/status') }
    { announced: announced, idle: idle }
  ensure
    host&.stop
  end

  def load(host, environment)
    K6.run('announce.js', { 'URL' => host.url, 'USERS' => CLIENTS }.merge(environment))
  end

  # Every system once, none of them twice, each with credentials of its own.
  def check(door)
    counts = @database.with_client do |sql|
      sql.query('SELECT COUNT(*), COUNT(DISTINCT hostname), COUNT(DISTINCT login), COUNT(DISTINCT password) ' \
                "FROM systems WHERE hostname LIKE '#{door}-%'").first.values
    end
    raise K6::Error, "of #{SYSTEMS} systems the database has #{counts.inspect}" unless counts == [SYSTEMS] * 4

    say 'the database has each of them once'
  end

  def report(results)
    puts
    puts format('%-6s %15s %10s %10s %15s %16s', 'path', 'announces/s', 'p50 ms', 'p99 ms', 'CPU ms each', 'statements each')
    results.each { |door, result| puts row(DOORS[door], result[:announced]) }
    puts
    compare(results.dig('off', :announced), results.dig('controller', :announced), results.dig('controller', :idle))
    puts "#{SYSTEMS} systems each, #{Etc.nprocessors} processors shared with load generator and database."
    true
  end

  def row(name, spent)
    duration = spent.result.values('http_req_duration')
    format('%-6s %15.0f %10.1f %10.1f %15.2f %16.1f', name, SYSTEMS / spent.seconds, duration['med'], duration['p(99)'],
           spent.cpu * 1000 / SYSTEMS, spent.statements.fdiv(SYSTEMS))
  end

  def compare(ruby, rust, idle)
    puts format('Rust: %.1f times the announces per second, %.1f times less CPU each.',
                ruby.seconds / rust.seconds, ruby.cpu / rust.cpu)
    puts format('An announce through Rust costs %.2f times the CPU of a Rails action that touches no database.',
                rust.cpu / idle.cpu)
  end

  def say(what)
    warn "demo: #{what}"
  end
end

exit Demo.new.run
