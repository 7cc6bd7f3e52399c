# frozen_string_literal: true

require 'json'
require_relative '../hostile/inputs'
require_relative '../hostile/wire'
require_relative '../machine'
require_relative '../stage'

module Torture
  # Sends what nobody of good will sends, byte by byte, to every operation behind both doors.
  class Hostile < Trial
    guarantee 'whatever is sent: no 5xx, no worker lost, memory bounded, nothing remembered for strangers'

    # Puma says so itself, of what it does not implement.
    PUMAS_STATUSES = [501, 505].freeze
    # Crashes of Puma 5 and of Rails 6.1 on Rack 2.2, before anything of RMT's or the gem's: they are the same with the gem off.
    THEIR_OWN = { 'a large chunk' => 'Puma', "GET /connect/systems/products?#{'a[' * 17}" => 'Rack: QueryLimitError',
                  "GET /connect/repositories/installer?#{'&' * 28}" => 'Rack: QueryLimitError' }.freeze
    # What a worker may be larger in the end by, for each byte of the largest body: the objects that Ruby makes of a million
    # keys, their copy for the log, and that line itself; Ruby gives nothing back.
    BYTES_KEPT = 40
    # What it may be larger by after strangers have named thousands of hosts.
    STRANGERS_MIB = 48
    # And when nothing else has happened.
    SLACK_MIB = 160
    private_constant :PUMAS_STATUSES, :THEIR_OWN, :BYTES_KEPT, :STRANGERS_MIB, :SLACK_MIB

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @size = scale.of('BODY_MIB', small: 1, full: 32) << 20
      seed = scale.of('SEED', small: Random.new_seed % 100_000, full: Random.new_seed % 100_000)
      report.figure('seed', seed)
      @counts = Hash.new(0)
      Stage.open('hostile') do |stage|
        @stage = stage
        %w[rack controller].each do |door|
          @chance = Random.new(seed)
          stage.with_host(door, workers: 2) { |host| behind(door, host) }
        end
      end
      @counts.sort.each { |what, count| report.figure(what, count) }
    end

    private

    def behind(door, host)
      @door = door
      @host = host
      @wire = Wire.new(host.port)
      @machine = Machine.new(host.url, "hostile-#{door}", @stage.bases.first).register
      @inputs = Inputs.new(@machine.login, @machine.password, @size)
      workers = host.worker_pids
      before = resident
      send_inputs
      send_mutations
      look_at_what_is_stored
      meet_under_other_names
      bounded("#{door} door: after all of it", resident - before, (BYTES_KEPT * (@size >> 20)) + SLACK_MIB)
      strangers
      @report.violation("#{door} door: workers were lost") unless host.worker_pids == workers
      @report.violation("#{door} door: it is not healthy any more") unless host.healthy?
    end

    # @return [Array<Inputs::Input>] in small a sample of those that differ in their values only
    def chosen
      scale.full? ? @inputs.to_a : @inputs.select.with_index { |input, number| input.kind.nil? || (number % 21).zero? }
    end

    def send_inputs
      inputs = chosen
      inputs.each { |input| try(input.name, input.pieces, silent: input.silent, answers: input.answers) }
      3.times { |number| @wire.abandon(@inputs.request(Inputs::ANNOUNCE, '{"hostname":"gone"}')[0..-(number + 2)]) }
      @report.say("#{@door} door: #{inputs.size} inputs, #{rss_text}")
    end

    def try(name, pieces, silent:, answers: 1)
      read = exchange(name, pieces, silent, answers)
      # A busy machine may be too late with it once: then it is put off, and nothing was done.
      if read.first.status == 503 && !silent
        @counts['put off and sent again'] += 1
        read = exchange(name, pieces, silent, answers)
      end
      read.each do |answer|
        @counts['inputs'] += 1
        @counts["answered with #{answer.status || 'silence'}"] += 1
        judge(name, answer, silent)
      end
    rescue Timeout::Error
      @report.violation("#{@door} door: #{name}: no answer within #{Wire::SECONDS} s")
    end

    def exchange(name, pieces, silent, answers)
      [@wire.exchange(*pieces, pause: name == 'slow' ? 0.05 : 0, answers: answers, last: silent)].flatten(1)
    end

    def judge(name, answer, silent)
      if answer.status.nil?
        @report.violation("#{@door} door: #{name}: no answer") unless silent
      elsif answer.status == 503 && silent
        # Who says that nothing more will come counts as gone, for Puma as well; nothing is written for him.
        @counts['put off for one who has left'] += 1
      elsif answer.status >= 500 && !PUMAS_STATUSES.include?(answer.status)
        return @counts["crashes of #{THEIR_OWN[name]}"] += 1 if THEIR_OWN.key?(name)

        @report.violation("#{@door} door: #{name}: #{answer.status} #{answer.body.to_s[0, 200].inspect}")
      end
    end

    # Requests as they should be, with some bytes changed.
    def send_mutations
      seeds = [['POST', '/connect/subscriptions/systems',
                '{"hostname":"m","hwinfo":{"cpus":2,"a":[1.5e3,null]},"system_profiles":{}}'],
               ['POST', '/connect/systems/products', JSON.generate(@machine.products.first)],
               ['GET', '/connect/systems/products?identifier=SLES&version=15.6&arch=x86_64', ''],
               ['PUT', '/connect/systems', '{"hostname":"m","online_at":["2026-11-01:1"],"hwinfo":{}}'],
               ['GET', '/services/1', ''], ['POST', '/connect/systems/products/synchronize', '{"products":[{"identifier":"a"}]}']]
      texts = seeds.map do |method, path, body|
        @inputs.request([method, path], body, 'X-Forwarded-Host' => 'proxy:8443',
                                              'System-Token' => 'x')
      end
      scale.of('MUTATIONS', small: 100, full: 20_000).times do |number|
        try("mutation #{number}", [mutated(texts.sample(random: @chance))], silent: true)
      end
    end

    def mutated(text)
      text = text.dup
      @chance.rand(1..4).times do
        at = @chance.rand(text.bytesize)
        case @chance.rand(4)
        when 0 then text.setbyte(at, @chance.rand(256))
        when 1 then text[at, 0] = Inputs::Values::FRAGMENTS.sample(random: @chance).b
        when 2 then text[at, @chance.rand(1..8)] = ''
        else text[at, 0] = text[@chance.rand(text.bytesize), @chance.rand(1..40)]
        end
      end
      text
    end

    # What was acknowledged is stored as it was sent.
    def look_at_what_is_stored
      texts = Inputs::Values::FRAGMENTS + Array.new(scale.of('TEXTS', small: 20, full: 500)) do
                                            Array.new(20) do
                                              letter
                                            end.pack('U*')
                                          end
      texts.each do |text|
        hwinfo = { text => [text, { 'a' => text }], 'n' => 1 }
        body = JSON.generate(hostname: text, hwinfo: hwinfo)
        answer = @wire.exchange(@inputs.request(Inputs::ANNOUNCE, body))
        next @report.violation("#{@door} door: #{text.inspect} was answered with #{answer.status}") unless answer.status == 201

        row = row_of(JSON.parse(answer.body).fetch('id'))
        stored = [row['hostname'], JSON.parse(row['system_information'])]
        @report.violation("#{@door} door: #{text.inspect} is stored as #{stored.inspect}") unless stored == [text, hwinfo]
        @counts['texts held against what is stored'] += 1
      end
    end

    def row_of(id)
      @stage.database.with_client do |client|
        client.query("SELECT hostname, system_information FROM systems WHERE id = #{id}").first
      end
    end

    # Any character that RMT's tables can hold.
    def letter
      loop do
        code = @chance.rand(1..0xFFFF)
        return code unless (0xD800..0xDFFF).cover?(code)
      end
    end

    # Each client calls the server otherwise, all at once, and sees its own name only.
    def meet_under_other_names
      # What others did to the first one may have cost it its products.
      @machine = Machine.new(@host.url, "meets-#{@door}", @stage.bases.first).register
      @inputs = Inputs.new(@machine.login, @machine.password, @size)
      rounds = scale.of('MEETINGS', small: 20, full: 1000)
      paths = ['/services/1', '/connect/systems/activations',
               "/connect/systems/products?#{URI.encode_www_form(@machine.products.first.slice(:identifier, :version, :arch))}"]
      threads = Array.new(8) do |number|
        Thread.new { rounds.times { |round| ask_as("host-#{number}-#{@door}.example", paths[round % 3]) } }
      end
      threads.each(&:join)
      @counts['requests under other names'] += rounds * 8
    end

    def ask_as(name, path)
      answer = Wire.new(@host.port).exchange(@inputs.request(['GET', path], '', 'Host' => name))
      seen = answer.body.force_encoding(Encoding::UTF_8).scan(/host-\d-[a-z]+\.example/).uniq
      return if answer.status == 200 && seen == [name]

      @report.violation("#{@door} door: #{path} as #{name}: #{answer.status}, and names #{seen.inspect}")
    end

    # Hosts, programs and tokens that come once each.
    def strangers
      count = scale.of('STRANGERS', small: 200, full: 20_000)
      visit(0, count / 4)
      before = resident
      visit(count / 4, count)
      @counts['strangers'] += count
      bounded("#{@door} door: after #{count} strangers", resident - before, STRANGERS_MIB)
    end

    def visit(from, to)
      (from...to).each do |number|
        name = "stranger-#{number}-#{'x' * 100}.example"
        headers = { 'X-Forwarded-Host' => name, 'Accept' => "x/#{number},*/*", 'User-Agent' => "zypp #{number}" }
        path = number.even? ? '/services/1' : '/connect/systems/activations'
        try("stranger #{number}", [@inputs.request(['GET', path], '', headers)], silent: false)
      end
    end

    def bounded(what, grown, most)
      @report.figure("#{what}, a worker is larger by, MiB", grown)
      @report.violation("#{what}: #{grown} MiB more than before") if grown > most
    end

    # @return [Integer] of the largest worker, MiB
    def resident
      @host.worker_pids.map { |pid| File.read("/proc/#{pid}/status")[/VmRSS:\s+(\d+)/, 1].to_i >> 10 }.max
    end

    def rss_text
      "#{resident} MiB"
    end
  end
end
