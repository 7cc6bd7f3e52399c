# frozen_string_literal: true

require_relative '../support/host'

module Property
  # A checkout of RMT, started by bin/host with a database of its own.
  class Server
    # @return [String] base URL
    attr_reader :url
    # @return [String] URL of its database
    attr_reader :database

    # @param rmt [String] directory of the checkout
    # @param door [String]
    def initialize(rmt, door)
      @rmt = rmt
      @door = door
    end

    # @return [self] once it answers
    # @raise [Host::Error] when it does not start; why is on the screen
    def start
      output, writer = IO.pipe
      errors, error_writer = IO.pipe
      environment = { 'DATABASE_URL' => nil, 'HOST_DATABASE' => "rmt_rs_compare_#{@door}" }
      command = [File.join(Host::PROJECT, 'bin/host'), '--rmt', @rmt, '--door', @door]
      @pid = Process.spawn(environment, *command, in: File::NULL, out: writer, err: error_writer, pgroup: true)
      [writer, error_writer].each(&:close)
      @progress = Thread.new { follow(errors) }
      _, @url, _, @database = output.gets&.split || raise(Host::Error, "RMT with door #{@door} did not start; see above")
      self
    end

    # @return [Array<Symbol>] operations that are answered by Rust
    def in_rust
      File.read(@log, encoding: 'UTF-8').scrub[/rmt_rs .* door, in Rust: (.*)/, 1].to_s.split(', ').map(&:to_sym)
    end

    # @return [Array<String>] what its log says so far of requests that were left to RMT's own code
    def left
      @tail ||= File.open(@log, encoding: 'UTF-8')
      @left ||= []
      @left.concat(@tail.read.scrub.scan(/rmt_rs: .* (?:left to|failed in) Ruby.*/))
    end

    # @return [void]
    def stop
      return unless @pid

      Processes.terminate(@pid)
      @progress&.join
      @tail&.close
      @pid = nil
    end

    private

    def follow(errors)
      errors.each_line do |line|
        warn("door #{@door}: #{line}")
        @log = line[/log in (.*)/, 1] || @log
      end
    end
  end
end
