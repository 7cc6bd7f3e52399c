# frozen_string_literal: true

require 'json'
require 'tmpdir'
require_relative '../../bench/comparison/report'
require_relative '../../bench/comparison/trial'
require_relative '../../bench/k6'
require_relative '../../bench/comparison/worker_memory'

# What is made of figures: trials whose figures are known, so that what the report says of them is, too.
RSpec.describe Comparison do
  # A second of a server that spends 100 ms of processor time and 10 statements for each registration.
  def trial(**changes)
    stats = { p50: 10.0, p95: 20.0, p99: 40.0, max: 80.0, count: 150 }
    { scenario: 'steady', door: 'off', round: 1, passed: true, seconds: 1.0, at_work: 1.0, requests: 150,
      units: 10, failed: 0, attempts: 10, interrupted: 0, failures: [], checks: { 'passes' => 300, 'fails' => 0 },
      latency: { all: stats, distribution: { 50.0 => 10.0, 99.0 => 40.0 }, endpoints: { 'announce' => stats } }, duration: stats,
      cpu: { application: 1.0, database: 0.2, load_generator: 0.1, others: 0.01, seconds: 1.0 },
      memory: { application: 300 << 20, application_proportional: 200 << 20, database: 100 << 20 },
      database: Hash.new(0).merge('questions' => 100, 'trx_rw_commits' => 50),
      rows: { systems: 10, complete: 10, activations: 40 },
      gem: { boot: 'rmt_rs 0.1.0: controller door', left_to_ruby: 0, failed: 0 } }.merge(changes)
  end

  # Three rounds in which the controller door does 4, 5 and 7 times as many as Ruby.
  def three_rounds
    [40, 50, 70].each_with_index.flat_map do |units, index|
      [trial(round: index + 1), trial(round: index + 1, door: 'controller', units: units, attempts: units)]
    end
  end

  def results(trials)
    numbers = { 'ROUNDS' => trials.map { |it| it[:round] }.max, 'USERS' => 10, 'DURATION' => 60, 'RAMP_TO' => 200,
                'RAMP_FACTOR' => 1.25, 'RAMP_STEP' => 10, 'RAMP_LIMIT' => 1000, 'INSTANCES' => 3, 'WITHIN' => 1,
                'REGISTRATIONS' => 100_000, 'MEMORY_LIMIT' => 300 }
    { started_at: '2026-11-20T12:00:00+00:00', command: 'rake bench[steady]', trials: trials,
      machine: { processor: 'a <fast> one', processors: 2, memory: 8 << 30, system: 'Debian', kernel: '6', load: [0.0] },
      versions: { rmt_rs: '0.1.0', rmt_rs_revision: { commit: 'a' * 40, dirty: false } },
      settings: { application: 'RMT', workers: 2, threads: 5, log_level: 'info', rmt_rs: {},
                  catalogs: { 'realistic' => { 'products' => 440 } }, mariadb: {}, open_files: 4096, listen_backlog: 4096,
                  doors: %w[off controller], numbers: numbers } }
  end

  def report(trials, **changes)
    Dir.mktmpdir do |directory|
      Comparison::Report.new(results(trials).merge(changes), directory).write
      %w[report.md report.html results.json].map { |name| File.read(File.join(directory, name), encoding: 'UTF-8') }
    end
  end

  it 'takes the median of the rounds, and shows their spread' do
    figures = Comparison::Figures.new(three_rounds)
    expect(figures.figure('steady', 'controller', 'rate')).to eq(value: 50.0, least: 40.0, most: 70.0)
    expect(figures.ratio('steady', 'controller', 'rate')).to eq(value: 5.0, least: 4.0, most: 7.0)
    expect(figures.ratio('steady', 'controller', 'cpu')).to include(value: be_within(0.001).of(0.2))
    expect(figures.ratio('steady', 'controller', 'failed')).to be_nil # of nothing there are no multiples
    expect(figures.spread([4, nil, 1, 2, 3])).to eq(value: 2.5, least: 1, most: 4)
  end

  it 'gives its verdict at the top' do
    markdown, html, json = report(three_rounds)
    verdict = 'Steady: 50.0 registrations a second (99 of 100 requests within 40 ms) through Rust (door controller), ' \
              '10.0 registrations a second (99 of 100 requests within 40 ms) through Ruby (door off); Rust (door controller) ' \
              'means 5.0 times (4.0 to 7.0) as many and 5.0 times (4.0 to 7.0) less CPU of the application for each. ' \
              'Every answer was checked, and was as it should be.'
    expect(markdown).to match(/\A# .+\n\n> #{Regexp.escape(verdict)}$/)
    expect(html).to include(%(<p class="verdict">#{verdict}</p>), 'a &lt;fast&gt; one')
    expect(JSON.parse(json)).to include('verdict' => verdict, 'doubts' => [])
    expect(markdown).not_to include('Doubts')
    expect(markdown).to include('| registrations/s | 10.0 | 50.0 (40.0–70.0) | 5.0 times more (4.0–7.0) |',
                                '| statements per registration | 10.0 | 2.0 (1.4–2.5) | 5.0 times less (4.0–7.0) |',
                                '| requests, p50, ms | 10.0 | 10.0 | the same |')
  end

  it 'counts a herd first, and looks at the time only where all of it was registered' do
    herds = lambda do |units|
      %w[off controller].zip(units, [30.0, 10.0]).map do |door, registered, last|
        curve = [[0.0, 1], [last, registered]]
        trial(scenario: 'herd', door: door, units: registered, attempts: 10, failed: 10 - registered,
              herd: { last: last, median: last, arrived: curve, registered: curve, failed: [] })
      end
    end
    verdict = ->(units) { Comparison::Verdict.new(results(herds.call(units)), Comparison::Figures.new(herds.call(units))).to_s }
    expect(verdict.call([5, 10])).to include('10 instances were registered (the last after 10 s) through Rust (door controller)',
                                             'means 2.0 times as many and 2.0 times less CPU')
    expect(verdict.call([10, 10])).to include('means 3.0 times sooner and')
  end

  it 'names failures by endpoint and cause' do
    failures = [{ endpoint: 'activate', cause: 'timeout', count: 3 }, { endpoint: 'show', cause: 'status 503', count: 1 }]
    markdown, = report([trial(failed: 4, units: 6, failures: failures)])
    expect(markdown).to include('| Ruby (door off) | activate | timeout | 3 | 30.00 % |',
                                '| Ruby (door off) | show | status 503 | 1 | 10.00 % |',
                                'Not everything succeeded: steady through Ruby (door off)')
  end

  describe 'targets' do
    # Through the controller door 20 times less CPU of the application, a tenth of the database's.
    def rounds(count, scenario: 'registration', **changes)
      own = { door: 'controller', units: 200, attempts: 200, database: Hash.new(0).merge('questions' => 200 * 30) }
      (1..count).flat_map do |round|
        [trial(scenario: scenario, round: round), trial(scenario: scenario, round: round, **own, **changes)]
      end
    end

    # What the table says of the first target that is called so.
    def target(name, trials, door: 'controller', **settings)
      all = results(trials)
      all[:settings].merge!(settings)
      scorecard = Comparison::Scorecard.new(all, Comparison::Figures.new(trials))
      scorecard.to_a.find { |it| it[:target].start_with?(name) && it[:door] == door }
    end

    it 'are at the top, for both doors' do
      markdown, = report(rounds(5))
      head = '|  | controller: asked | measured | met | rack: asked | measured | met |'
      expect(markdown).to match(/\A# .+\n\n## Targets\n\n#{Regexp.escape(head)}$/)
      expect(markdown).to include('| application CPU per registration, times less than Ruby | ≥ 18 | 20 | yes | ≥ 100 | – | ' \
                                  'not measured |')
    end

    it 'are left out where nothing of them was measured' do
      expect(report(three_rounds).first).not_to include('Targets')
    end

    it 'are met, or not, or not measured' do
      expect(target('application CPU', rounds(5))).to include(asked: '≥ 18', measured: '20', met: 'yes')
      expect(target('statements', rounds(5))).to include(asked: '≤ 30 / ≤ 8', measured: '30 / 0', met: 'yes')
      expect(target('p99', rounds(5))).to include(asked: '≥ 10', measured: '1', met: 'no')
      expect(target('announces', rounds(5))).to include(measured: '–', met: 'not measured')
      expect(target('application CPU', rounds(5), door: 'rack')).to include(asked: '≥ 100', met: 'not measured')
    end

    it 'are not met with few rounds, wrong answers or another application' do
      expect(target('application CPU', rounds(4))).to include(met: 'yes, but in 4 of 5 rounds')
      expect(target('application CPU', rounds(5, failed: 2))).to include(met: 'no: 10 failed')
      expect(target('application CPU', rounds(5), application: 'host app')).to include(measured: '20', met: 'not RMT')
    end

    it "are compared as they are, and shown rounded to the gem's disadvantage" do
      nearly = rounds(5, cpu: trial[:cpu].merge(application: 1.0 * 20 / 17.99, database: 0.4))
      expect(target('application CPU', nearly)).to include(measured: '17.9', met: 'no')
      more = rounds(5, database: Hash.new(0).merge('questions' => (200 * 30) + 1))
      expect(target('statements', more)).to include(measured: '30.1 / 0', met: 'no')
    end

    it 'hold a herd against the last one that Ruby registered, and say how many that was' do
      herds = lambda do |registered|
        [['off', 956, 193.0], ['controller', registered, 15.0]].map do |door, units, last|
          trial(scenario: 'herd', door: door, units: units, attempts: 2000, failed: 2000 - units,
                herd: { last: last, median: last, arrived: [[0.0, 1], [1.0, 2000]], registered: [[0.0, 0], [last, units]],
                        failed: [] })
        end
      end
      expect(target('herd', herds.call(2000))).to include(asked: '≥ 2000 / ≥ 10', measured: '2000 / 12.8', met: 'yes')
      expect(target('herd', herds.call(1999))).to include(met: 'no: 1 failed')
      expect(report(herds.call(2000)).first).to include('Ruby did not register the whole herd, but 956 of 2000 after 193 s')
    end

    it "hold a worker's memory against Ruby's, and look whether it grows" do
      trials = lambda do |growth|
        [['off', 2000, 100, 0], ['controller', 100_000, 120, growth]].map do |door, units, size, grown|
          workers = [{ rss: [90 << 20, size << 20], pss: [80 << 20, 80 << 20], growth: (grown * 1_048_576.0) },
                     { rss: [80 << 20, 80 << 20], pss: [70 << 20, 70 << 20], growth: 0.0 }]
          trial(scenario: 'memory', door: door, units: units, workers: { seconds: [0.0, 300.0], workers: workers })
        end
      end
      expect(target('memory', trials.call(9.5))).to include(measured: '100000 / 20 / 9.5', met: 'yes')
      expect(target('memory', trials.call(10.5))).to include(measured: '100000 / 20 / 10.5', met: 'no')
      markdown, = report(trials.call(9.5))
      expect(markdown).to include('after 2000 registrations.', '| memory of a worker at the end, MB (RSS) | 100.0 | 120.0 |',
                                  '| growth of a worker in the last half, MB per 100,000 registrations | 0.0 | 9.5 |',
                                  '![Memory: what the largest worker has, by registrations](memory.svg)')
    end

    it 'hold the large catalog against the small one, door by door' do
      trials = rounds(5) + rounds(5, scenario: 'large', cpu: trial[:cpu].merge(application: 1.3))
      expect(target('large', trials)).to include(asked: '≤ 1.2 × / ≤ 1.2 ×', measured: '1.3 × / 1 ×', met: 'no')
      markdown, = report(trials)
      expect(markdown).to include('### Against the small catalog',
                                  '| CPU of the application per registration, ms | 1.00 × | 1.30 × |')
    end
  end

  it 'draws as many doors as there are' do
    doors = %w[off controller rack].map { |door| trial(scenario: 'registration', door: door) }
    markdown, html, = report(doors)
    expect(markdown).to include('|  | Ruby (door off) | Rust (door controller) | Rust (door rack) | controller against off | ' \
                                'rack against off |')
    expect(html).to include('<img src="latency-registration.svg"')
  end

  describe Comparison::WorkerMemory do
    it 'takes the slope of the last half, per 100,000' do
      seconds = [0.0, 10.0, 20.0, 30.0, 40.0]
      # It grows by 1,000 bytes a second after the first half; 50 registrations a second.
      expect(described_class.growth(seconds, [0, 9_000_000, 500_000, 510_000, 520_000], 2000)).to be_within(1).of(2_000_000)
      expect(described_class.growth(seconds, [1, 500, 70, 70, 70], 2000)).to eq(0)
      expect(described_class.growth([0.0, 1.0], [1, 2], 10)).to be_nil
    end

    it 'has every worker, at the interval' do
      memory = described_class.new([Process.pid, Process.ppid], interval: 5)
      memory.sample(0)
      memory.sample(4, now: false)
      memory.sample(5, now: false)
      memory.sample(6)
      found = memory.to_h(units: 10)
      expect(found[:seconds]).to eq([0, 5, 6])
      expect(found[:workers].map { |worker| worker[:rss].size }).to eq([3, 3])
    end
  end

  describe 'doubts' do
    def doubts(trials, **changes)
      all = results(trials).merge(changes)
      Comparison::Doubts.new(all, Comparison::Figures.new(trials)).to_a
    end

    def cpu(**changes)
      trial[:cpu].merge(changes)
    end

    it 'are none on a quiet machine' do
      expect(doubts(three_rounds)).to eq([])
    end

    it 'k6 as the bottleneck: much of a machine of which nothing is left' do
      expect(doubts([*three_rounds, trial(round: 4, cpu: cpu(load_generator: 0.7))]))
        .to match([/k6 was the bottleneck.*\(steady off 4\)/])
      expect(doubts([*three_rounds, trial(round: 4, cpu: cpu(application: 0.2, load_generator: 0.7))])).to eq([])
    end

    it 'other programs, other code, requests that Rust did not answer' do
      silent = { boot: nil, left_to_ruby: 2, failed: 1 }
      changed = trial(door: 'controller', gem: silent, cpu: cpu(others: 0.3))
      other = three_rounds.reject { |it| it[:round] == 1 && it[:door] == 'controller' }
      expect(doubts([*other, changed], other_engine: 'RMT loads another one.'))
        .to match(['RMT loads another one.', /Other programs took more than 10 %.*\(steady controller 1\)/,
                   /The gem left requests to Ruby/, /Requests failed in Rust/, /does not say that the door was open/])
    end

    it 'one door, few rounds, uncommitted changes, a log that says too much' do
      all = results([trial])
      all[:settings][:log_level] = 'debug'
      all[:versions][:rmt_rs_revision][:dirty] = true
      expect(Comparison::Doubts.new(all, Comparison::Figures.new([trial])).to_a)
        .to match([/Only one door was measured/, /Fewer than three rounds/, /RMT logs at level debug/, /differs from its commit/])
    end
  end

  describe Comparison::Trial do
    # As k6 and its journal would have it.
    def trial_of(name, journal, settings, seconds: 20, figures: {})
      registered = { 'registered' => { 'passes' => journal.count { |it| !it['failed'] && !it['interrupted'] } } }
      summary = { 'state' => { 'testRunDurationMs' => seconds * 1000 },
                  'metrics' => registered.merge(figures).transform_values { |values| { 'values' => values } } }
      spent = Measurement::Spent.new(seconds: seconds, cpu: 1, database_cpu: 1, children_cpu: 1, machine_cpu: 4, counters: {},
                                     memory: {}, samples: [],
                                     result: K6::Run.new(summary: summary, journal: journal, passed: true, log: ''))
      described_class.new(scenario: Comparison::SCENARIOS.fetch(name), door: 'off', round: 1, settings: settings, spent: spent,
                          rows: {}, log: []).to_h
    end

    def entry(begun, ended, cause = nil)
      { 'begun' => (begun * 1000).to_i, 'ended' => (ended * 1000).to_i, 'requests' => 15, 'interrupted' => false,
        'failed' => cause && { 'endpoint' => 'activate', 'cause' => cause } }
    end

    let(:ramp) { { 'RAMP_FROM' => 1, 'RAMP_TO' => 4, 'RAMP_FACTOR' => 2, 'RAMP_STEP' => 10, 'RAMP_LIMIT' => 1000 } }

    # 10 users, 4 s for each registration, and 3 s more until the last one was done.
    it 'leaves out of the rate the time when users leave' do
      figures = { 'iteration_duration' => { 'count' => 50, 'avg' => 4000.0 }, 'registered' => { 'passes' => 50 } }
      found = trial_of('registration', [], { 'USERS' => 10 }, seconds: 23, figures: figures)
      expect(found).to include(units: 50, seconds: 23, at_work: 20)
      expect(Comparison::Figures.new([found]).figure('registration', 'off', 'rate')).to include(value: 2.5)
      expect(trial_of('announce', [], { 'USERS' => 10 }, seconds: 23, figures: figures)).to include(at_work: 23)
    end

    it 'finds the rate that is held' do
      # All of the first step are completed, half of the second; the third was cut short.
      journal = [*(1..10).map { |second| entry(second, second + 0.5) },
                 *(1..20).map { |half| entry(10 + (half / 2.0), 10 + half) },
                 entry(31, 32).merge('interrupted' => true)]
      found = trial_of('ramp', journal, ramp, seconds: 24, figures: { 'latency{step:0}' => { 'p(95)' => 20 } })
      expect(found[:ramp][:steps].map { |step| step.values_at(:offered, :completed, :held) })
        .to eq([[1, 0.9, true], [2, 1.0, false]])
      expect(found[:ramp]).to include(held: 1, most: 1.0)
      expect(found).to include(units: 30, failed: 0, interrupted: 1)
    end

    it 'holds no rate at which requests are slow or registrations fail' do
      journal = (1..10).map { |second| entry(second, second + 0.5) }
      slow = trial_of('ramp', journal, ramp, seconds: 10, figures: { 'latency{step:0}' => { 'p(95)' => 1500 } })
      expect(slow[:ramp]).to include(held: 0, steps: [include(held: false, p95: 1500)])
      failing = trial_of('ramp', [*journal.drop(1), entry(1, 2, 'timeout')], ramp, seconds: 10)
      expect(failing[:ramp]).to include(held: 0, steps: [include(failed: 1)])
    end

    it 'follows what becomes of a herd' do
      journal = [entry(100, 101.5), entry(100.5, 103), entry(101, 161, 'timeout')]
      found = trial_of('herd', journal, {})
      expect(found).to include(units: 2, failed: 1, attempts: 3,
                               failures: [{ endpoint: 'activate', cause: 'timeout', count: 1 }])
      herd = found[:herd]
      expect(herd).to include(last: 3.0, median: 3.0)
      expect(herd[:arrived].first(3)).to eq([[0.0, 1], [1.0, 3], [2.0, 3]])
      expect(herd[:registered].values_at(0, 2, 3, -1)).to eq([[0.0, 0], [2.0, 1], [3.0, 2], [61.0, 2]])
      expect(herd[:failed].values_at(60, 61)).to eq([[60.0, 0], [61.0, 1]])
    end
  end
end
