# frozen_string_literal: true

require_relative '../../../bench/comparison/worker_memory'
require_relative '../passers_by'
require_relative '../registrations'
require_relative '../stage'

module Torture
  # Asks for much, and looks at the workers before and after.
  class Leaks < Trial
    guarantee 'a worker does not grow with the requests it has answered: no memory, file handle, thread or connection is lost'

    HOST = { workers: 2, threads: 5 }.freeze
    CLIENTS = 10
    SAMPLES = 40
    # The part of the requests after which a worker is as large as it will be: Ruby's heap and the caches are filled.
    WARM = 0.4
    # What a worker may grow by for 100,000 requests, in bytes: less than a tenth of its size, noise of Ruby's heap included.
    GROWTH = 8 * 1024 * 1024
    # All leave in the end, so that the tables are the same at any time.
    STEPS = [*(Registrations::STEPS - %i[sometimes_deregister]), :deregister].freeze
    private_constant :HOST, :STEPS, :CLIENTS, :SAMPLES, :WARM, :GROWTH

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @goal = scale.of('REQUESTS', small: 1_200, full: 200_000)
      Stage.open('leaks') do |stage|
        @stage = stage
        Ledger.new(stage.database).open
        (scale.full? ? %w[rack controller] : %w[rack]).each { |door| behind(door) }
      end
    end

    private

    def behind(door)
      @stage.with_host(door, **HOST) do |host|
        @host = host
        @workers = host.worker_pids
        @memory = Comparison::WorkerMemory.new(@workers, interval: 0)
        total = load_until(door, (@goal * WARM).to_i)
        before = resources
        total += load_until(door, @goal - total)
        compare(door, before, resources_after(before))
        @report.violation("#{door} door: a worker has ended") unless host.worker_pids == @workers
        @report.figure("requests, #{door} door", total)
        judge_memory(door)
      end
      @stage.empty
    end

    # @return [Integer] requests
    def load_until(door, goal)
      @done ||= 0
      machines = Registrations.new(Ledger.new(@stage.database), @host.url, @stage.bases, threads: CLIENTS - 2, steps: STEPS,
                                                                                         tolerated: [])
      crowd = [machines.start, PassersBy.new(@host.url, threads: 2).start]
      watch(door, goal) { crowd.sum(&:answered) }
      crowd.each(&:stop)
      crowd.flat_map(&:oddities).first(5).each { |text| @report.violation("#{door} door: #{text}") }
      crowd.sum(&:answered).tap { |count| @done += count }
    ensure
      crowd&.each(&:stop)
    end

    def watch(door, goal)
      step = [@goal / SAMPLES, 1].max
      next_sample = 0
      Processes.wait_until(6 * 3_600, pause: 0.2) do
        count = yield
        if count >= next_sample
          next_sample = count + step
          @memory.sample(@done + count)
          @report.say("#{door} door: #{@done + count} of #{@goal} requests, workers of #{megabytes} MiB")
        end
        count >= goal
      end
    end

    def megabytes
      @workers.map { |pid| Usage.resident([pid]) / 1_048_576 }.join(' and ')
    end

    # What renders the catalog ahead, or ends with the last requests, has threads and sockets of its own for a moment.
    def resources_after(before)
      after = nil
      Processes.wait_until(15, pause: 0.5) { left(before, after = resources).empty? }
      after
    end

    # Of each worker; connections of all of them, at the server.
    def resources
      Processes.wait_until(30) { connections(busy: true).zero? }
      { 'file handles' => @workers.map { |pid| Dir.children("/proc/#{pid}/fd").size },
        'threads' => @workers.map { |pid| Dir.children("/proc/#{pid}/task").size }, 'connections' => [connections] }
    end

    def connections(busy: false)
      @stage.database.with_client do |sql|
        idle = " AND COMMAND <> 'Sleep'" if busy
        others = 'FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND DB = DATABASE()'
        sql.query("SELECT COUNT(*) AS n #{others}#{idle}").first['n']
      end
    end

    # @return [Array<String>] of what there is more. A connection less or more is a file handle less or more.
    def left(before, after)
      files = [before, after].map { |it| it['file handles'].sum - it['connections'].sum }
      more = { 'threads' => after['threads'].sum > before['threads'].sum, 'file handles' => files.last > files.first }
      more.select { |_, is_more| is_more }.keys
    end

    def compare(door, before, after)
      # As many as Rust may open, and Rails for what it answers.
      limit = HOST[:workers] * ((2 * HOST[:threads]) + 2)
      before.each_key do |what|
        @report.figure("#{what}, #{door} door", "#{before[what].join(' and ')} before, #{after[what].join(' and ')} after")
      end
      @report.violation("#{door} door: more connections than #{limit}") if after['connections'].sum > limit
      left(before, after).each { |what| @report.violation("#{door} door: #{what} were left") }
    end

    # In small there is nothing to be seen but that it is looked at.
    def judge_memory(door)
      growths = @memory.to_h(units: @done).fetch(:workers).map { |worker| worker[:growth] }
      @done = 0
      text = growths.compact.map { |growth| format('%.1f', growth / 1_048_576) }.join(' and ')
      @report.figure("growth of workers, MiB per 100,000 requests, #{door} door", text)
      return if !scale.full? || growths.none? { |growth| growth > GROWTH }

      @report.violation("#{door} door: workers grow by #{text} MiB per 100,000 requests")
    end
  end
end
