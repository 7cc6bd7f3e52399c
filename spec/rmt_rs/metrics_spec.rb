# frozen_string_literal: true

require 'json'
require 'net/http'
require 'rmt_rs'
require 'tmpdir'

RSpec.describe RmtRs::Metrics do
  it 'has names that Prometheus takes, and labels that no client chooses' do
    expect(described_class.names).to all(match(/\Armt_rs_[a-z_]+\z/))
    expect(described_class.names.uniq).to eq(described_class.names)
    expect(described_class::ALL.values.flat_map(&:labels).uniq).to match_array(%i[operation door outcome reason breaker])
    expect(described_class::ALL.values.map(&:meaning)).to all(be_a(String))
  end

  it 'cuts times from half a millisecond to a minute' do
    expect(described_class::SECONDS).to eq(described_class::SECONDS.sort)
    expect(described_class::SECONDS.minmax).to eq([0.0005, 60])
  end

  it 'is not installed where there is no Yabeda, or where RMT shows no metrics' do
    hide_const('Yabeda')
    expect(described_class.install).to be(false)
    stub_const('Yabeda', Module.new)
    stub_const('Settings', { scc: { metrics: { enabled: false } } })
    expect(described_class.install).to be(false)
  end

  describe 'the dashboard' do
    dashboard = JSON.parse(File.read(File.join(Host::PROJECT, 'docs/grafana-dashboard.json')))
    panels = dashboard['panels'].flat_map { |panel| [panel, *panel['panels']] }.reject { |panel| panel['type'] == 'row' }
    queries = panels.flat_map { |panel| panel['targets'].map { |target| target['expr'] } }

    it 'shows every metric, and none that is not there' do
      shown = queries.join(' ').scan(/\brmt_rs_[a-z_]+/).map { |name| name.sub(/_(bucket|sum|count)\z/, '') }.uniq
      expect(shown).to match_array(described_class.names)
    end

    it 'asks for the parts of histograms of histograms, and of nothing else' do
      histograms = described_class::ALL.select { |_, metric| metric.type == :histogram }
      names = histograms.map { |name, metric| [described_class::GROUP, name, metric.unit].compact.join('_') }
      queries.join(' ').scan(/\brmt_rs_[a-z_]+/).each do |name|
        base = name.sub(/_(bucket|sum|count)\z/, '')
        expect(names.include?(base)).to be(base != name), name
      end
    end

    it 'groups by labels that there are' do
      known = %w[instance le] + described_class::ALL.values.flat_map(&:labels).map(&:to_s)
      expect(queries.flat_map { |query| query.scan(/by \(([^)]*)\)/) }.flatten.flat_map { |it| it.split(', ') }.uniq - known)
        .to be_empty
    end

    it 'has panels, each with a title and a place of its own' do
      places = panels.map { |panel| panel['gridPos'].values_at('x', 'y') }
      expect(places.uniq.size).to eq(panels.size)
      expect(panels.map { |panel| panel['title'] }.uniq.size).to eq(panels.size)
      expect(panels.map { |panel| panel['id'] }.uniq.size).to eq(panels.size)
    end
  end

  describe 'with Yabeda' do
    # It is in no distribution's packages: it comes with RMT.
    before(:context) do
      @present = system(RbConfig.ruby, '-e', 'require "logger"; require "active_support"; require "yabeda/prometheus"',
                        %i[out err] => File::NULL)
    end

    before { skip 'Yabeda and its exporter for Prometheus are not installed here' unless @present }

    def get(host, path)
      Net::HTTP.get(URI("#{host.url}#{path}"))
    end

    def shown(metrics, name)
      metrics.lines(chomp: true).grep(/\A#{Regexp.escape(name)}[ {]/).to_h { |line| line.rpartition(' ').values_at(0, 2) }
             .transform_values(&:to_f)
    end

    %w[rack controller].each do |door|
      it "shows all of them, at the #{door} door" do
        database = SuiteDatabase.fresh("metrics_#{door}").install_triggers
        host = Host.new(database_url: database.url, door: door, workers: 0, engines: ['shows_metrics']).start
        uri = URI("#{host.url}/connect/subscriptions/systems")
        3.times { Net::HTTP.post(uri, '{"hostname":"h"}', 'Content-Type' => 'application/json') }
        Net::HTTP.post(uri, 'hostname=h', 'Content-Type' => 'application/x-www-form-urlencoded')
        Net::HTTP.post(uri, '{"hostname":["h"]}', 'Content-Type' => 'application/json')
        metrics = get(host, '/metrics')

        expect(metrics.scan(/^# TYPE (rmt_rs_\w+)/).flatten).to match_array(described_class.names)
        # It was asked for its health, too.
        outcomes = shown(metrics, 'rmt_rs_operations_total').select { |labels, _| labels.include?('announce') }
        label = lambda do |outcome, at = 'controller'|
          %(rmt_rs_operations_total{operation="announce",door="#{at}",outcome="#{outcome}"})
        end
        expected = { label['fallback'] => 1.0 }
        expected.merge!(door == 'rack' ? { label['rust', 'rack'] => 3.0, label['rust'] => 1.0 } : { label['rust'] => 4.0 })
        expect(outcomes).to eq(expected)
        expect(shown(metrics, 'rmt_rs_fallbacks_total').values).to eq([1.0])
        times = shown(metrics, 'rmt_rs_operation_duration_seconds_count')
        expect(times.select { |labels, _| labels.include?('announce') }.values.sum).to eq(5)
        expect(shown(metrics, 'rmt_rs_announces_together_sum').values).to eq([4.0])
        expect(shown(metrics, 'rmt_rs_passes_total').values.sum).to eq(door == 'rack' ? 2 : 0)
        expect(shown(metrics, 'rmt_rs_pool_size').values).to eq([7.0])
        expect(shown(metrics, 'rmt_rs_breaker_open{operation="announce",breaker="core"}').values).to eq([0.0])
        expect(shown(metrics, 'rmt_rs_pool_open').values.first).to be_between(1, 7)
      ensure
        host&.stop
      end
    end
  end
end
