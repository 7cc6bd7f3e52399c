# frozen_string_literal: true

require 'json'
require_relative 'comparison/plan'
require_relative 'comparison/stage'

# Where the processor time of a registration goes, seen from inside the application: by endpoint, and by layer of what a
# request passes. One process performs registrations one after the other, without a web server; the database is a
# process of its own and not counted. For shares and comparisons: what an operator gets, `rake bench` says.
class Profile
  # It cannot be done; nothing was started.
  class Refused < StandardError; end

  # Numbers: their defaults. `SECONDS`: of processor time in which samples are taken.
  NUMBERS = { 'ROUNDS' => 5, 'REGISTRATIONS' => 50, 'WARMUP' => 20, 'SECONDS' => 15 }.freeze
  INSIDE = File.join(__dir__, 'profile/inside.rb')
  private_constant :NUMBERS, :INSIDE

  # @param environment [Hash{String => String}]
  # @return [Integer] exit status: 0, 2 when refused, 1 when it failed
  # @yield after the checks, before anything is started
  def self.command(environment: ENV.to_h)
    profile = new(environment)
    yield if block_given?
    profile.run
    0
  rescue Refused, Comparison::Refused => e
    warn "profile: #{e.message}"
    2
  rescue PrivateMariadb::Error, Host::Error, RmtCheckout::Error => e
    warn "profile: #{e.message}"
    1
  end

  # @param environment [Hash{String => String}]
  # @raise [Refused, Comparison::Refused]
  def initialize(environment)
    @numbers = NUMBERS.to_h { |name, default| [name, number(environment.fetch(name, ''), name, default)] }
    # As many clients as one; the catalog, the RMT and the doors are asked for as for a comparison.
    @plan = Comparison::Plan.new(%w[steady], environment.slice('RMT_HOME', 'DOORS', 'CATALOG'))
    raise Refused, 'set RMT_HOME to an installed RMT: the host app of the tests is no yardstick' unless @plan.rmt

    @load_paths = Gem::Specification.find_by_name('stackprof').full_require_paths
  rescue Gem::MissingSpecError
    raise Refused, 'stackprof is not installed: run `gem install stackprof`'
  end

  # @return [void]
  def run
    stage = Comparison::Stage.new(@plan, method(:say)).open
    stage.show_catalog(@plan.catalog_of(Comparison::SCENARIOS.fetch('steady')))
    @plan.doors.each { |door| report(door, measure(stage, door)) }
  ensure
    stage&.close
  end

  private

  def number(given, name, default)
    value = given.empty? ? default : Integer(given, 10, exception: false)
    return value if value&.positive?

    raise Refused, "#{name}=#{given} is no whole number above 0"
  end

  def measure(stage, door)
    say("door #{door}: #{@numbers['ROUNDS']} rounds of #{@numbers['REGISTRATIONS']} registrations")
    stage.fresh_rows(Comparison::SCENARIOS.fetch('steady'))
    out = File.join(Host::PROJECT, "tmp/profile-#{door}.json")
    FileUtils.rm_f(out)
    log = File.join(Host::PROJECT, "tmp/log/profile-#{door}.log")
    FileUtils.rm_f(log)
    host = stage.host(door, log: log, env: { 'PROFILE_ORDER' => JSON.generate(order(stage, out)) })
    return JSON.parse(File.read(out)) if host.run('bundle', 'exec', 'rails', 'runner', INSIDE) && File.exist?(out)

    raise Host::Error, "the profile failed. The end of #{log}:\n#{Processes.last_lines(log)}"
  end

  def order(stage, out)
    product = %w[identifier version arch].zip(stage.bases.first.triplet.split('/')).to_h
    { out: out, product: product, regcode: Catalog::REGCODES.first, load_paths: @load_paths,
      **@numbers.transform_keys(&:downcase) }
  end

  def report(door, result)
    puts "\n## Door #{door}\n\n#{endpoints(result['rounds'])}\n"
    puts layers(result, registrations_of(result['rounds']))
    puts "\nCounters: #{result['counters'].map { |name, count| "#{name} #{count}" }.join(', ')}" if result['counters'].any?
  end

  # Medians of the rounds, in milliseconds of processor time.
  def endpoints(rounds)
    table = rounds.first.keys.map do |endpoint|
      costs = rounds.map { |round| round.fetch(endpoint) }
      requests = costs.first['requests']
      [endpoint, requests / @numbers['REGISTRATIONS'], *per(costs, requests)]
    end
    all = registrations_of(rounds)
    rows = [*table, ['**registration**', all.first['requests'] / @numbers['REGISTRATIONS'], *per(all, @numbers['REGISTRATIONS'])]]
    ['| endpoint | requests | CPU ms each | of it other threads | objects each |', '|---|--:|--:|--:|--:|',
     *rows.map { |row| format('| %s | %d | %.3f | %.3f | %d |', *row) }].join("\n").concat("\n")
  end

  def per(costs, count)
    [median(costs.map { |it| it['process'] }) / count, median(costs.map { |it| it['process'] - it['thread'] }) / count,
     median(costs.map { |it| it['objects'] }) / count]
  end

  # All endpoints of a registration together, by round.
  def registrations_of(rounds)
    rounds.map do |round|
      round.except('health').values.reduce { |sum, cost| sum.merge(cost) { |_, a, b| a + b } }
    end
  end

  def layers(result, all)
    cpu, objects = %w[process objects].map { |name| median(all.map { |it| it[name] }).fdiv(@numbers['REGISTRATIONS']) }
    samples, made = result.values_at('samples', 'objects').map { |it| it.transform_values { |layer| layer['samples'] } }
    per_sample = cpu / samples.values.sum
    per_object = objects / made.values.sum
    [*heading('layer', '| most in '), *rows(samples, made, per_sample, per_object) { |layer| most(result, layer) },
     *methods_of_gem(*result['own'], per_sample, per_object)].join("\n")
  end

  def methods_of_gem(samples, made, per_sample, per_object)
    return [] if samples.empty?

    most = samples.max_by(25) { |_, many| many }.to_h
    ['', *heading('method of the gem, with what it calls'), *rows(most, made, per_sample, per_object)]
  end

  def heading(what, more = '')
    ["| #{what} | CPU ms per registration | objects #{more}|", "|---|--:|--:|#{'---|' unless more.empty?}"]
  end

  # @yieldreturn [String] a further cell
  def rows(samples, made, per_sample, per_object)
    samples.sort_by { |_, many| -many }.map do |name, many|
      cells = [name, format('%.2f', many * per_sample), (made[name].to_i * per_object).round]
      "| #{[*cells, *(yield name if block_given?)].join(' | ')} |"
    end
  end

  def most(result, layer)
    result['samples'].dig(layer, 'methods').keys.first(3).map { |name| "`#{name}`" }.join(', ')
  end

  def median(values)
    sorted = values.sort
    middle = sorted.size / 2
    sorted.size.odd? ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0
  end

  def say(what)
    warn "profile: #{what}"
  end
end
