# frozen_string_literal: true

require 'fileutils'
require 'json'

module RmtRs
  class Shadow
    # What the comparisons of all processes came to: each process keeps a small file of its own, and {report} reads them all.
    class Ledger
      # Differences that a process remembers in full: the last ones.
      EXAMPLES = 50
      # Seconds between two writes.
      PAUSE = 1.0
      private_constant :EXAMPLES, :PAUSE

      # What several processes have counted.
      Report = Struct.new(:compared, :same, :skipped, :differences, :examples)

      class << self
        # @param application [Rails::Application]
        # @return [String] where its processes keep their files
        def directory(application)
          application.root.join('tmp/rmt_rs/shadow').to_s
        end

        # @param directory [String]
        # @return [Report] of all files there; counts by operation, of what was skipped and what differed by reason, too
        def report(directory)
          counts = Dir[File.join(directory, '*.json')].map { |file| JSON.parse(File.read(file)) }
          sum = ->(name) { counts.map { |it| it.fetch(name) }.reduce({}) { |all, one| all.merge(one) { |_, a, b| a + b } } }
          examples = counts.flat_map { |it| it.fetch('examples') }.sort_by { |it| it.fetch('at') }
          Report.new(sum['compared'], sum['same'], sum['skipped'], sum['differences'], examples.last(EXAMPLES))
        end

        # Forgets all.
        #
        # @param directory [String]
        # @return [void]
        def clear(directory)
          FileUtils.rm_f(Dir[File.join(directory, '*.json')])
        end
      end

      # @param directory [String] where processes keep their files; made when there is something to keep
      # @param clock [#call] seconds since 1970
      def initialize(directory, clock: -> { Time.now.to_f })
        @directory = directory
        @clock = clock
        @lock = Mutex.new
        start
      end

      # @param operation [Symbol, String]
      # @param differences [Array<String>] none when both were the same
      # @return [void]
      def compared(operation, differences)
        note do
          count('compared', operation)
          next count('same', operation) if differences.empty?

          # Without the values, which are many.
          differences.each { |it| count('differences', "#{operation}: #{it.sub(/ \(Rust .*/m, '').gsub(/\[\d+\]/, '[]')}") }
          @counts['examples'] = (@counts['examples'] << { 'at' => @clock.call, 'operation' => operation.to_s,
                                                          'differences' => differences.first(10) }).last(EXAMPLES)
        end
      end

      # @param operation [Symbol, String]
      # @param why [String] why there was nothing to compare
      # @return [void]
      def skipped(operation, why)
        note { count('skipped', "#{operation}: #{why}") }
      end

      # Writes what is not written yet.
      #
      # @return [void]
      def flush
        @lock.synchronize { write if @pid == Process.pid && @changed }
      end

      private

      def start
        @pid = Process.pid
        @counts = { 'compared' => {}, 'same' => {}, 'skipped' => {}, 'differences' => {}, 'examples' => [] }
        @written_at = 0.0
        @changed = false
      end

      def note
        @lock.synchronize do
          # What a parent has counted is in the parent's file.
          start if @pid != Process.pid
          yield
          @changed = true
          write if @clock.call - @written_at >= PAUSE
        end
      end

      def count(kind, name)
        @counts[kind][name.to_s] = @counts[kind].fetch(name.to_s, 0) + 1
      end

      # A full disk is no reason to answer nobody.
      def write
        FileUtils.mkdir_p(@directory)
        file = File.join(@directory, "#{@pid}.json")
        File.write("#{file}.new", JSON.generate(@counts))
        File.rename("#{file}.new", file)
        @written_at = @clock.call
        @changed = false
      rescue SystemCallError => e
        RmtRs.logger&.warn("rmt_rs: shadow: what was counted cannot be kept: #{e.message}")
      end
    end
  end
end
