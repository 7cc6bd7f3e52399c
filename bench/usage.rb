# frozen_string_literal: true

require 'etc'

# What processes and the machine use, as the kernel counts it: needs Linux's /proc.
module Usage
  TICKS = Etc.sysconf(Etc::SC_CLK_TCK).to_f
  PAGE = Etc.sysconf(Etc::SC_PAGESIZE)
  private_constant :TICKS, :PAGE

  module_function

  # @param pids [Array<Integer>]
  # @return [Float] seconds of processor time since they were started
  # @raise [SystemCallError] when one of them has ended
  def cpu(pids)
    # utime and stime, the 14th and 15th field; the 2nd is the name in brackets.
    pids.sum { |pid| File.read("/proc/#{pid}/stat").rpartition(') ').last.split.values_at(11, 12).sum(&:to_i) } / TICKS
  end

  # @param pids [Array<Integer>]
  # @return [Integer] bytes of memory, what they share counted for each (RSS)
  # @raise [SystemCallError] when one of them has ended
  def resident(pids)
    pids.sum { |pid| File.read("/proc/#{pid}/statm").split[1].to_i } * PAGE
  end

  # @param pids [Array<Integer>]
  # @return [Integer, nil] bytes of memory, what they share counted once (PSS); nil when the kernel does
  #   not tell
  def proportional(pids)
    pids.sum { |pid| File.read("/proc/#{pid}/smaps_rollup")[/^Pss:\s+(\d+)/, 1].to_i } * 1024
  rescue SystemCallError
    nil
  end

  # @return [Float] seconds of processor time of children that have ended
  def ended_children
    Process.times.then { |times| times.cutime + times.cstime }
  end

  # @return [Float] seconds of processor time of the whole machine since it was started
  def machine
    user, nice, system, _idle, _iowait, interrupts, soft, stolen = File.foreach('/proc/stat').first.split.drop(1).map(&:to_i)
    (user + nice + system + interrupts + soft + stolen) / TICKS
  end
end
