# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'open3'
require 'rexml/document'
require 'tmpdir'
require_relative '../../bench/comparison/scenario'
require_relative '../../bench/k6'
require_relative '../../lib/rmt_rs/configuration'

# That the comparison works, in small. What it measures is for quiet machines: nothing here looks at a time.
RSpec.describe 'rake bench' do
  def rake(scenarios, environment, **options)
    Open3.capture2e(environment, 'rake', "bench[#{scenarios}]", chdir: Host::PROJECT, **options)
  end

  describe 'with all scenarios' do
    before(:context) do
      numbers = { ROUNDS: 1, WARMUP: 1, USERS: 2, DURATION: 3, RAMP_FROM: 2, RAMP_TO: 4, RAMP_FACTOR: 2, RAMP_STEP: 2,
                  RAMP_USERS: 40, INSTANCES: 12, WITHIN: 0.5, REGISTRATIONS: 40, FLEET: 320, UPDATES: 80 }
      environment = numbers.to_h { |name, value| [name.to_s, value.to_s] }
      @output, @status = rake('all', environment.merge('RMT_HOME' => nil, 'DOORS' => nil))
      @directory = @output[%r{the report is (.+)/report\.html}, 1]
      @results = JSON.parse(File.read(File.join(@directory, 'results.json'))) if @directory
    end

    after(:context) { FileUtils.rm_rf(@directory) if @directory }

    # All but the one that the gem is compared with.
    def rust
      RmtRs::Configuration::DOORS - %w[off]
    end

    def trials(scenario)
      @results['trials'].select { |trial| trial['scenario'] == scenario }
    end

    it 'ends well, and says what it does' do
      expect(@status).to be_success, @output
      rust.each { |door| expect(@output).to match(/herd, round 1 of 1, door #{door}: 12 succeeded/) }
      expect(@output).to include('RMT_HOME is not set: this is the small host app')
    end

    it 'measures each scenario through each door that makes sense' do
      doors = @results['trials'].map { |trial| trial['scenario'] }.uniq
                                .to_h { |scenario| [scenario, trials(scenario).map { |trial| trial['door'] }] }
      both = rust.flat_map { |door| [door, "#{door}+argon2id"] }
      expect(doors).to eq('steady' => rust, 'registration' => rust, 'large' => rust, 'credentials' => both, 'ramp' => rust,
                          'herd' => rust, 'announce' => ['off', *rust], 'keepalive' => ['off', *rust], 'memory' => rust)
    end

    it 'has every check pass' do
      @results['trials'].each do |trial|
        expect(trial).to include('passed' => true, 'failed' => 0, 'failures' => [], 'checks' => include('fails' => 0))
        expect(trial['units']).to be_positive
        expect(trial['gem']).to include('left_to_ruby' => 0, 'failed' => 0)
        expect(trial['gem']['boot']).to match(/\Armt_rs \d.*: #{trial['door']} door/) if rust.include?(trial['door'])
      end
    end

    it 'registers as clients do: seven requests and two for each of four services' do
      own = { 'announce' => 1, 'activate' => 1, 'show' => 1, 'activate-module' => 3, 'update' => 1 }
      with_xml = own.merge('service-unauthenticated' => 4, 'service' => 4)
      { 'steady' => with_xml, 'credentials' => with_xml, 'ramp' => with_xml,
        'registration' => own, 'large' => own, 'herd' => own, 'memory' => own }
        .flat_map { |scenario, requests| trials(scenario).product([requests]) }.each do |trial, requests|
          systems = trial['units']
          expect(trial['requests']).to eq(requests.values.sum * systems)
          expect(trial['latency']['endpoints'].transform_values { |stats| stats['count'] / systems }).to eq(requests)
          expect(trial['rows']).to eq('systems' => systems, 'complete' => systems, 'activations' => 4 * systems)
        end
      expect(trials('herd').map { |trial| trial['units'] }.uniq).to eq([12])
      expect(trials('memory').map { |trial| trial['units'] }.uniq).to eq([40])
    end

    it 'begins each trial with empty tables, or with its fleet' do
      trials('announce').each { |trial| expect(trial['rows']).to include('systems' => trial['units'], 'activations' => 0) }
      expect(trials('keepalive').map { |trial| trial['rows']['systems'] }.uniq).to eq([320])
    end

    it 'counts what the server was asked' do
      # Opening connections takes statements, too.
      off, controller = trials('announce').first(2)
      expect(off['database']['questions']).to be_between(5 * off['units'], (5 * off['units']) + 40)
      announces = controller['units']
      expect(controller['database']['questions']).to be_between(announces, announces + 40)
      expect(controller['database']).to include('com_insert' => announces,
                                                'trx_rw_commits' => be_between(announces, announces + 10))
    end

    it 'has every figure of every trial' do
      @results['trials'].each do |trial|
        expect(trial['latency']['endpoints'].keys).to eq(Comparison::SCENARIOS[trial['scenario']].endpoints)
        [trial['latency']['all'], *trial['latency']['endpoints'].values].each do |stats|
          expect(stats.values_at('p50', 'p95', 'p99', 'max', 'count')).to all(be_positive)
        end
        expect(trial['latency']['distribution'].size).to be > 15
        expect(trial['cpu'].values_at('application', 'database', 'load_generator', 'seconds')).to all(be_positive)
        expect(trial['memory'].values).to all(be > 10_000_000)
      end
    end

    it 'samples each second' do
      trials('steady').each do |trial|
        expect(trial['samples']).not_to be_empty
        expect(trial['samples'].first.keys).to eq(%w[at application database application_bytes database_bytes])
        expect(trial['memory']['application']).to be >= trial['samples'].map { |sample| sample['application_bytes'] }.max
      end
    end

    it 'follows the memory of each worker' do
      trials('memory').each do |trial|
        seconds, workers = trial['workers'].values_at('seconds', 'workers')
        expect(seconds).to eq(seconds.sort).and have_attributes(size: be >= 2)
        expect(workers.size).to eq(2)
        workers.each do |worker|
          expect(worker['rss'].zip(worker['pss'])).to all(satisfy { |rss, pss| rss > pss && pss > 10_000_000 })
          expect(worker['rss'].size).to eq(seconds.size)
        end
      end
    end

    it 'follows the ramp and the herd' do
      expect(trials('ramp').first['ramp']['steps'].map { |step| step.values_at('offered', 'failed') }).to eq([[2, 0], [4, 0]])
      herd = trials('herd').first['herd']
      expect(%w[arrived registered].map { |curve| herd[curve].last.last }).to eq([12, 12])
      expect(herd['failed']).to eq([])
    end

    it 'says what it was measured on' do
      expect(@results['machine'].values).to all(be_truthy)
      expect(@results['versions']).to include('rmt_rs' => /\d/, 'ruby' => /\d/, 'rails' => /\d/, 'puma' => /\d/,
                                              'mariadb' => /MariaDB/, 'k6' => /k6/, 'gnuplot' => /gnuplot/)
      expect(@results['settings']).to include('application' => 'host app', 'workers' => 2, 'threads' => 5,
                                              'numbers' => include('ROUNDS' => 1, 'HERD_ROUNDS' => 1, 'MEMORY_ROUNDS' => 1),
                                              'catalogs' => { 'realistic' => include('products' => 440),
                                                              'large' => include('products' => 4000) })
    end

    it 'compares where two doors were measured' do
      ratios = @results['summary']['announce']['controller']['ratios']
      expect(ratios.keys).to include('rate', 'p99', 'cpu', 'load_cpu', 'statements', 'commits')
      expect(ratios['statements']['value']).to be < 0.5
      expect(@results['summary']['steady'].keys).to eq(rust)
    end

    it 'holds it against the targets, of which the host app meets none' do
      expect(@results['targets'].map { |target| target['met'] }.uniq - ['not RMT', 'not measured']).to eq([])
      statements = @results['targets'].find { |it| it['target'].start_with?('statements') && it['door'] == 'controller' }
      expect(statements).to include('asked' => '≤ 30 / ≤ 8', 'measured' => %r{\A\d+\.?\d* / \d\.?\d*\z}, 'met' => 'not RMT')
    end

    it 'has a report with pictures that browsers can show' do
      html, markdown = %w[report.html report.md].map { |name| File.read(File.join(@directory, name), encoding: 'UTF-8') }
      pictures = %w[latency-steady latency-registration latency-large latency-credentials latency-ramp ramp latency-herd herd
                    latency-announce latency-keepalive latency-memory memory].map { |name| "#{name}.svg" }
      expect(html.scan(/<img src="(.+?)"/).flatten).to eq(pictures)
      expect(markdown.scan(/!\[.+?\]\((.+?)\)/).flatten).to eq(pictures)
      pictures.each do |name|
        picture = REXML::Document.new(File.read(File.join(@directory, name), encoding: 'UTF-8'))
        expect(picture.root.name).to eq('svg')
        expect(picture.to_s).to include(*rust.map { |door| "Rust (door #{door})" })
      end
      [html, markdown].each { |report| expect(report).to include(@results['verdict'], 'Not measured') }
    end
  end

  describe 'asked for what it cannot do' do
    # Of what a run begins there is nothing then; that it looked whether RMT has its gems is in a log.
    def begun = Dir.children(File.join(Host::PROJECT, 'tmp')).sort - ['log']

    # @return [String] what it said
    def refusal(scenarios, environment, **options)
      before = begun
      output, status = rake(scenarios, { 'RMT_HOME' => nil, 'DOORS' => nil }.merge(environment), **options)
      expect(status.exitstatus).to eq(2), output
      expect(output).not_to match(/starting|compil/i)
      expect(begun).to eq(before)
      output
    end

    it 'refuses what does not exist, and says what does' do
      expect(refusal('stampede', {})).to match(/no scenario stampede; choose steady, registration, .* targets or all/)
      expect(refusal('steady', { 'DOORS' => 'window' })).to match(/no door window; choose among off, controller/)
      expect(refusal('steady', { 'ROUNDS' => 'many' })).to match(/ROUNDS=many is no whole number above 0/)
      expect(refusal('steady', { 'CATALOG' => 'tiny' })).to match(/CATALOG=tiny is none of realistic, large/)
      expect(refusal('steady', { 'DOORS' => 'off' })).to match(/with door off the host app cannot register/)
    end

    it 'refuses a directory that is no RMT, and an RMT without its gems' do
      expect(refusal('steady', { 'RMT_HOME' => '/nowhere' })).to match(/RMT_HOME: .*name the directory that holds its config.ru/)
      Dir.mktmpdir do |directory|
        %w[config.ru config/rmt.yml lib/rmt.rb].each do |file|
          FileUtils.mkdir_p(File.dirname(File.join(directory, file)))
          FileUtils.touch(File.join(directory, file))
        end
        File.write(File.join(directory, 'Gemfile'), "gem 'a-gem-that-nobody-has-installed'\n")
        environment = { 'RMT_HOME' => directory, 'BUNDLE_GEMFILE' => nil, 'RUBYOPT' => nil }
        expect(refusal('steady', environment)).to match(/the gems of .* are not installed: run `bundle install`/)
      end
    end

    it 'refuses a port that is taken' do
      taken = TCPServer.new('127.0.0.1', 0)
      expect(refusal('steady', { 'PORT' => taken.addr[1].to_s })).to match(/port \d+ is taken; end what listens there/)
    ensure
      taken&.close
    end

    it 'refuses a herd for which there are too few file handles' do
      output = refusal('herd', {}, rlimit_nofile: [600, 600])
      expect(output).to match(/2200 files may have to be open at a time, and 600 are allowed: raise that limit.*ulimit -n 2200/)
    end

    it 'refuses to begin without k6, and without gnuplot' do
      Dir.mktmpdir do |clone|
        # As after a clone: k6 is not in tmp/ yet.
        %w[bench lib/rmt_rs spec/support].each do |directory|
          FileUtils.mkdir_p(File.join(clone, directory))
          FileUtils.cp_r(File.join(Host::PROJECT, directory, '.'), File.join(clone, directory))
        end
        FileUtils.mkdir_p(programs = File.join(clone, 'programs'))
        command = [RbConfig.ruby, '-r', File.join(clone, 'bench/comparison'), '-e', 'exit Comparison.command(%w[steady])']
        refused = lambda do
          output, status = Open3.capture2e({ 'PATH' => programs, 'RMT_HOME' => nil }, *command)
          [status.exitstatus, output]
        end
        expect(refused.call).to match([2, /k6 was not found: run bin.setup/])
        FileUtils.ln_s(K6.program, programs)
        expect(refused.call).to match([2, /gnuplot, which draws the pictures, was not found: run bin.setup/])
        expect(File.exist?(File.join(clone, 'tmp'))).to be(false)
      end
    end
  end
end
