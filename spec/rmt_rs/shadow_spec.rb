# frozen_string_literal: true

require 'tmpdir'
require 'rmt_rs'
require 'rmt_rs/shadow'

RSpec.describe RmtRs::Shadow do
  seen = Struct.new(:status, :headers, :body)
  now = Time.utc(2026, 11, 28, 12)

  describe RmtRs::Shadow::Comparison do
    let(:headers) { { 'Content-Type' => 'application/json' } }

    define_method(:compare) do |rust, ruby, **options|
      described_class.new(seen.new(*rust), seen.new(*ruby), now: now, **options)
    end

    it 'finds nothing where all is the same, but for what is drawn by lot' do
      rust = [201, headers.merge('System-Token' => 'one', 'X-Runtime' => '1'), '{"id":1,"login":"SCC_a","password":"p","x":1}']
      ruby = [201, { 'content-type' => 'application/json', 'system-token' => 'two', 'x-runtime' => '2' },
              '{"id":2,"login":"SCC_b","password":"q","x":1}']
      expect(compare(rust, ruby, sent_token: 'old').differences).to be_empty
    end

    it 'names status, headers, and where a body differs' do
      differences = compare([200, headers, '{"a":[{"b":1,"c":2}],"d":"x"}'],
                            [422, headers.merge('X-More' => '1'), '{"a":[{"b":2,"c":2}],"d":"x"}']).differences
      expect(differences).to eq(['status (Rust 200, Ruby 422)', 'header x-more (Rust nil, Ruby "1")',
                                 'body.a[0].b (Rust 1, Ruby 2)'])
    end

    it 'notices what only a reader of bytes would' do
      expect(compare([200, headers, '{"a":1}'], [200, headers, '{"a": 1}']).differences)
        .to eq(['spelling of the body (Rust 0, Ruby 1)'])
      expect(compare([200, headers, '{"a":1,"b":2}'],
                     [200, headers, '{"b":2,"a":1}']).differences.first).to start_with('keys of body')
      expect(compare([200, headers, '<a/>'], [200, headers, '<b/>']).differences.first).to start_with('body')
    end

    it 'takes a token that was kept for another thing than a new one' do
      kept = compare([200, { 'System-Token' => 'old' }, ''], [200, { 'System-Token' => 'new' }, ''], sent_token: 'old')
      expect(kept.differences).to eq(['header system-token'])
    end

    it 'takes a header without a value for an empty one, which is how it travels, and not for none' do
      empty = [200, { 'System-Token' => '' }, '']
      expect(compare(empty, [200, { 'System-Token' => nil }, ''], sent_token: '').differences).to be_empty
      expect(compare(empty, [200, {}, ''], sent_token: '').differences).to eq(['header system-token'])
    end

    it 'expects new ids of the copy of a system, and of no other' do
      rows = ->(created_at) { JSON.generate('systems' => [{ 'system_token' => 'sent', 'created_at' => created_at }]) }
      differences = lambda do |created_at|
        comparison = compare([200, headers, '[{"id":4,"system_id":2,"status":"A"}]'],
                             [200, headers, '[{"id":7,"system_id":3,"status":"B"}]'], sent_token: 'sent')
        comparison.rows(rows[created_at], rows[created_at])
        comparison.differences.map { |it| it[/\S+/] }
      end
      expect(differences['2026-11-28 11:59:59']).to eq(['body[0].status'])
      expect(differences['2026-11-27 11:59:59']).to eq(['body[0].id', 'body[0].system_id', 'body[0].status'])
    end

    it 'compares rows, and shows no secrets' do
      row = lambda { |**columns|
        JSON.generate('systems' => [{ 'hostname' => 'a', 'created_at' => '2020-01-01 00:00:00', **columns }])
      }
      comparison = compare([204, {}, ''], [204, {}, ''])
      comparison.rows(row[updated_at: '2026-11-28 11:59:59', password: 'geheim', hostname: 'a'],
                      row[updated_at: '2026-11-28 12:00:01', password: 'anders', hostname: 'b'])
      expect(comparison.differences).to eq(['systems.hostname (Rust "a", Ruby "b")', 'systems.password'])
      comparison.rows('{"activations":[{},{}]}', '{"activations":[{}]}')
      expect(comparison.differences.last).to eq('number of rows in activations (Rust 2, Ruby 1)')
    end
  end

  describe RmtRs::Shadow::Ledger do
    around { |example| Dir.mktmpdir { |directory| (@directory = File.join(directory, 'ledger')) && example.run } }

    it 'sums what several processes have counted, forks included' do
      ledger = described_class.new(@directory, clock: -> { 1.0 })
      ledger.compared(:show, [])
      pid = fork do
        ledger.compared('show', ['body.a[3].b (Rust 1, Ruby 2)'])
        ledger.skipped(:rack, 'another format')
        ledger.flush
        exit!(0)
      end
      Process.wait(pid)
      ledger.flush
      report = described_class.report(@directory)
      expect(report.compared).to eq('show' => 2)
      expect(report.same).to eq('show' => 1)
      expect(report.differences).to eq('show: body.a[].b' => 1)
      expect(report.skipped).to eq('rack: another format' => 1)
      text = RmtRs::Shadow::Summary.new(report).to_s
      expect(text).to include('2 requests were compared: 1 differed.', 'show: body.a[].b', 'body.a[3].b (Rust 1, Ruby 2)')
      described_class.clear(@directory)
      expect(RmtRs::Shadow::Summary.new(described_class.report(@directory)).to_s).to start_with('Nothing was compared yet.')
    end

    it 'goes on where nothing can be kept' do
      File.write(@directory, '')
      expect { described_class.new(@directory).compared(:show, []) }.not_to raise_error
    end
  end
end
