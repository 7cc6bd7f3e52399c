# frozen_string_literal: true

require 'etc'
require_relative '../spec/support/processes'

# What a host and its database spend while a block runs, seen from outside.
#
# @example
#   spent = Measurement.of(host, database) { 1000.times { announce } }
#   spent.cpu # => 1.43, seconds of all of Puma's processes
class Measurement
  # `cpu`: seconds of processor time of Puma's processes; `statements`: executed by the database;
  # `seconds`: on the clock; `result`: what the block gave.
  Spent = Struct.new(:cpu, :statements, :seconds, :result, keyword_init: true)

  TICKS = Etc.sysconf(Etc::SC_CLK_TCK).to_f
  private_constant :TICKS

  class << self
    # @param host [Host]
    # @param database [MysqlDatabase] on a server that nobody else uses meanwhile
    # @yield what is measured
    # @return [Spent]
    def of(host, database)
      pids = [host.pid, *host.worker_pids]
      database.with_client do |sql|
        before = sample(pids, sql)
        result = yield
        after = sample(pids, sql)
        # Reading the counter is a statement, too.
        spent = after.zip(before).map { |now, then_| now - then_ }
        Spent.new(cpu: spent[0], statements: spent[1] - 1, seconds: spent[2], result: result)
      end
    end

    private

    def sample(pids, sql)
      statements = sql.query("SHOW GLOBAL STATUS LIKE 'Questions'").first['Value'].to_i
      [pids.sum { |pid| cpu_seconds(pid) }, statements, Processes.now]
    end

    # utime and stime, the 14th and 15th field; the 2nd is the name in brackets.
    def cpu_seconds(pid)
      File.read("/proc/#{pid}/stat").rpartition(') ').last.split.values_at(11, 12).sum(&:to_i) / TICKS
    end
  end
end
