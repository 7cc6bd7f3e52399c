# frozen_string_literal: true

module RmtRs
  # Notices that settings are to be read anew: one of their files was touched, or the process got SIGHUP.
  #
  # Costs a look at a clock for each request, and one at the files in a second.
  class Watch
    # Seconds between two looks.
    PAUSE = 1.0
    private_constant :PAUSE

    # @param files [Array<String>]
    # @param clock [#call] seconds that never go back
    def initialize(files, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
      @files = files
      @clock = clock
      @lock = Mutex.new
      @next_look = 0
      @stamps = stamps
    end

    # @return [Boolean] true once for each time that it is to be done; threads that ask meanwhile go on
    def due?
      return false if @clock.call < @next_look || !@lock.try_lock

      begin
        look
      ensure
        @lock.unlock
      end
    end

    private

    def look
      @next_look = @clock.call + PAUSE
      listen unless @listens == Process.pid
      before = @stamps
      @stamps = stamps
      hung_up = @hung_up
      @hung_up = false
      hung_up || @stamps != before
    end

    def stamps
      @files.map do |file|
        stat = File.stat(file)
        [stat.mtime, stat.size, stat.ino]
      rescue SystemCallError
        nil
      end
    end

    # Not before the process serves requests: Puma sets its own handler after the application was loaded, and what is
    # set after that is the workers'. Puma's goes on where it reopens logs; else it would end the process.
    def listen
      @listens = Process.pid
      before = Signal.trap('HUP') do
        @hung_up = true
        @next_look = 0
        before.call if before.respond_to?(:call) && reopens_logs?
      end
    rescue ArgumentError
      # Not on this platform.
      nil
    end

    def reopens_logs?
      ::Puma.cli_config.options[:redirect_stdout] ? true : false
    rescue NameError
      false
    end
  end
end
