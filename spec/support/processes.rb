# frozen_string_literal: true

require 'socket'

# What the test servers need to know about processes and ports of this machine.
module Processes
  # Below the range from which Linux takes the ports of outgoing connections, so that a
  # remembered port is not lost to one of them.
  PORTS = (21_000...32_000)

  module_function

  # @param pid [Integer]
  # @return [Boolean] whether the process runs; one that has ended but was not waited for does not
  def alive?(pid)
    Process.kill(0, pid)
    !%w[Z X].include?(stat(pid)&.first)
  rescue Errno::ESRCH
    false
  rescue Errno::EPERM
    true
  end

  # Starts a program that outlives this one's Ctrl-C: in a process group of its own, without
  # input, its output in a file.
  #
  # @param command [Array<String>] the program and its arguments
  # @param log [String, IO] where its output goes; a file is emptied first
  # @param env [Hash{String => String}] changes to the environment
  # @param options [Hash] further options of Process.spawn
  # @yieldparam pid [Integer] its process id, before a signal can interrupt the caller
  # @return [Integer] process id
  def spawn(*command, log:, env: {}, **options)
    output = log.is_a?(String) ? [log, 'w'] : log
    Thread.handle_interrupt(Exception => :never) do
      Process.spawn(env, *command, in: File::NULL, %i[out err] => output, pgroup: true, **options)
             .tap { |pid| yield pid if block_given? }
    end
  end

  # Runs a program to its end; it does not outlive an exception that interrupts the waiting.
  #
  # @return [Boolean] whether it succeeded
  # @see spawn
  def run(*command, **options)
    status(*command, **options).success?
  end

  # As {run}.
  #
  # @return [Process::Status] how it ended
  def status(*command, **options)
    child = nil
    spawn(*command, **options) { |pid| child = pid }
    Process.wait2(child).last
  rescue Exception # rubocop:disable Lint/RescueException -- a signal's, too
    terminate_group(child) if child
    raise
  end

  # @param pid [Integer]
  # @return [Array<Integer>] processes whose parent is +pid+
  def children(pid)
    all.select { |child| stat(child)&.at(1).to_i == pid }.sort
  end

  # Ends a process that need not be a child of this one.
  #
  # @param pid [Integer]
  # @param patience [Numeric] seconds from SIGTERM to SIGKILL
  # @return [void]
  def terminate(pid, patience: 60)
    Process.kill(:TERM, pid)
    return if wait_until(patience) { reap(pid) || !alive?(pid) }

    Process.kill(:KILL, pid)
    wait_until(10) { reap(pid) || !alive?(pid) }
  rescue Errno::ESRCH
    nil # ended by itself in the meantime
  end

  # Ends a program {run} has started, and what that has started.
  #
  # @param group [Integer] process id of the program
  # @return [void]
  def terminate_group(group)
    %i[TERM KILL].each do |signal|
      Process.kill(signal, -group)
      break if wait_until(5) { group_ended?(group) }
    end
  rescue Errno::ESRCH
    nil # ended by itself in the meantime
  end

  # Asks again and again.
  #
  # @param seconds [Numeric] how long at most
  # @param pause [Numeric] seconds between two questions
  # @yieldreturn [Object] truthy ends the waiting
  # @return [Object, nil] what the block gave, nil when the time was up
  def wait_until(seconds, pause: 0.05)
    deadline = now + seconds
    loop do
      answer = yield
      return answer if answer
      return nil if now > deadline

      sleep(pause)
    end
  end

  # @param port [Integer]
  # @return [Boolean] whether a server could listen on that port of 127.0.0.1
  # @raise [Errno::EACCES] when the port needs privileges this user lacks
  def free_port?(port)
    TCPServer.new('127.0.0.1', port).close
    true
  rescue Errno::EADDRINUSE
    false
  end

  # @return [Integer] a port of 127.0.0.1 nobody listens on
  def free_port
    loop do
      port = rand(PORTS)
      return port if free_port?(port)
    end
  end

  # @param path [String] a log file
  # @param count [Integer] lines
  # @return [String] its last lines, empty when there is no such file
  def last_lines(path, count = 15)
    return '' unless File.file?(path)

    File.open(path) do |file|
      file.seek([file.size - 16_384, 0].max)
      file.read.scrub.lines.last(count).join
    end
  end

  # Collects a child that has ended, lest it stays as a zombie.
  def reap(pid)
    Process.wait(pid, Process::WNOHANG)
  rescue Errno::ECHILD
    nil
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # Those that have ended but that nobody has waited for do not count.
  def group_ended?(group)
    reap(group)
    all.none? { |pid| stat(pid)&.values_at(0, 2)&.then { |state, own| own.to_i == group && !%w[Z X].include?(state) } }
  end

  def all
    Dir.glob('/proc/[0-9]*').map { |path| File.basename(path).to_i }
  end

  # @return [Array(String, String, String), nil] state, parent and group of a process. The name
  #   before them is in parentheses and may itself hold spaces and parentheses.
  def stat(pid)
    File.read("/proc/#{pid}/stat").rpartition(')').last.split.first(3)
  rescue SystemCallError
    nil
  end
end
