# frozen_string_literal: true

require_relative '../spec/support/processes'
require_relative 'usage'

# What a host and its database spend while a block runs, seen from outside.
#
# @example
#   spent = Measurement.of(host, database) { 1000.times { announce } }
#   spent.cpu # => 1.43, seconds of all of Puma's processes
class Measurement
  # `seconds`: on the clock; `cpu`, `database_cpu`, `children_cpu`, `machine_cpu`: seconds of processor
  # time of Puma's processes, of the database server, of programs that the block ran to their end, and of
  # everything; `counters`: what the server counted; `memory`: see {Measurement#memory}; `samples`: one each second;
  # `result`: what the block gave.
  Spent = Struct.new(:seconds, :cpu, :database_cpu, :children_cpu, :machine_cpu, :counters, :memory, :samples, :result,
                     keyword_init: true) do
    # @return [Integer] executed by the database
    def statements
      counters.fetch('questions')
    end

    # @return [Integer] transactions that wrote something
    def commits
      counters.fetch('trx_rw_commits')
    end
  end

  # A second of it: processor time as shares of one processor, and bytes (RSS) of Puma's processes and of the database.
  Sample = Struct.new(:at, :application, :database, :application_bytes, :database_bytes, keyword_init: true)

  COUNTERS = %w[questions com_select com_insert com_update com_delete com_begin com_commit com_rollback com_stmt_prepare
                com_stmt_execute].freeze
  # Of transactions that only read the server counts others.
  COMMITS = 'trx_rw_commits'
  INTERVAL = 1.0
  private_constant :COUNTERS, :COMMITS, :INTERVAL

  # @param host [Host]
  # @param database [MysqlDatabase] on a server of this machine that nobody else uses meanwhile
  # @param watch [Proc, nil] is called with each {Sample} while the block runs
  # @yield what is measured
  # @return [Spent]
  # @raise [Errno::ENOENT] when one of Puma's processes has ended
  def self.of(host, database, watch: nil, &block)
    database.with_client { |sql| new(host, sql, watch).take(&block) }
  end

  # @api private
  def initialize(host, sql, watch)
    @pids = [host.pid, *host.worker_pids]
    @sql = sql
    @watch = watch
    @server = [Integer(File.read(sql.query('SELECT @@pid_file AS file').first['file']))]
    @samples = []
    sql.query("SET GLOBAL innodb_monitor_enable = '#{COMMITS}'")
  end

  # @api private
  def take
    before = state
    sampler = Thread.new { sample }
    result = yield
    sampler.kill.join
    spent = state.merge(before) { |_, now, past| now.is_a?(Hash) ? difference(now, past) : now - past }
    # Reading the counters is a statement, too.
    %w[questions com_select].each { |name| spent[:counters][name] -= 1 }
    Spent.new(**spent, memory: memory, samples: @samples, result: result)
  ensure
    sampler&.kill&.join
  end

  private

  def state
    { seconds: Processes.now, cpu: Usage.cpu(@pids), database_cpu: Usage.cpu(@server), children_cpu: Usage.ended_children,
      machine_cpu: Usage.machine, counters: counters }
  end

  def difference(now, before)
    now.to_h { |name, count| [name, count - before.fetch(name)] }
  end

  def counters
    names = COUNTERS.map { |name| "'#{name}'" }.join(',')
    rows = @sql.query('SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM information_schema.GLOBAL_STATUS ' \
                      "WHERE VARIABLE_NAME IN (#{names}) UNION ALL " \
                      "SELECT NAME, COUNT FROM information_schema.INNODB_METRICS WHERE NAME = '#{COMMITS}'")
    rows.to_h { |row| [row['name'], row['value'].to_i] }
  end

  # Bytes: the most that Puma's processes and the server had, what is shared counted for each; and what Puma's have at
  # the end, counted once.
  def memory
    { application: [*@samples.map(&:application_bytes), Usage.resident(@pids)].max,
      application_proportional: Usage.proportional(@pids),
      database: [*@samples.map(&:database_bytes), Usage.resident(@server)].max }
  end

  def sample
    before = first = clocks
    loop do
      sleep(INTERVAL)
      now = clocks
      seconds, application, database = now.zip(before).map { |more, less| more - less }
      @samples << Sample.new(at: now.first - first.first, application: application / seconds, database: database / seconds,
                             application_bytes: Usage.resident(@pids), database_bytes: Usage.resident(@server))
      before = now
      @watch&.call(@samples.last)
    end
  rescue SystemCallError
    nil # a process has ended: the measurement itself says so
  end

  def clocks
    [Processes.now, Usage.cpu(@pids), Usage.cpu(@server)]
  end
end
