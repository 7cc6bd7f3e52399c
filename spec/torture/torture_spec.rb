# frozen_string_literal: true

require 'fileutils'
require 'stringio'
require_relative 'torture'

RSpec.describe Torture do
  # A trial that does what the block says.
  def trial(work)
    Class.new(Torture::Trial) do
      guarantee 'water is wet'
      define_method(:run) { |report| work.call(report) }
    end
  end

  def report_of(&work)
    described_class.run('water', trial(work), Torture::Scale.small, StringIO.new)
  end

  describe 'a report' do
    it 'says that a promise was kept when something was done and nothing found' do
      expect(report_of { |report| report.figure('drops', 3) }).to have_attributes(verdict: 'kept', kept?: true, seconds: be >= 0)
    end

    it 'says how often it was broken' do
      report = report_of do |drops|
        drops.figure('drops', 3)
        2.times { |number| drops.violation("drop #{number} is dry") }
      end
      expect(report).to have_attributes(verdict: 'broken: 2 violations', kept?: false)
      expect(Torture::Summary.new([report]).to_s).to include("water: water is wet\n- drop 0 is dry\n- drop 1 is dry")
    end

    it 'does not take a trial that broke off, or did nothing, for a promise kept' do
      broken = report_of do |report|
        report.figure('drops', 3)
        raise 'the tap is gone'
      end
      expect(broken).to have_attributes(verdict: 'could not be run: RuntimeError: the tap is gone', kept?: false)
      expect(report_of { nil }).to have_attributes(verdict: 'nothing was done', kept?: false)
    end
  end

  it 'makes a table of them' do
    reports = [report_of { |report| report.figure('drops', 3) && report.figure('a|b', 1) }, report_of { nil }]
    head, rule, *rows = Torture::Summary.new(reports).to_s.lines(chomp: true)
    expect(head).to match(/\A\| trial \| what was done +\| verdict +\| seconds \|\z/)
    expect(rule).to match(/\A[|\- ]+\z/)
    expect(rows.map { |row| row.split(/(?<!\\)\|/).map(&:strip).first(4) })
      .to eq([['', 'water', 'drops: 3, a\|b: 1', 'kept'], ['', 'water', '', 'nothing was done']])
  end

  it 'refuses a trial that there is not' do
    expect { expect(described_class.command(%w[nonsense])).to eq(2) }.to output(/no nonsense; choose among/).to_stderr
  end

  it 'takes sizes from the environment, in full' do
    scale = Torture::Scale.new(:full, { 'DROPS' => '7' })
    expect(scale.of('DROPS', small: 1, full: 100)).to eq(7)
    expect(scale.of('TAPS', small: 1, full: 100)).to eq(100)
    expect(Torture::Scale.small.of('DROPS', small: 1, full: 100)).to eq(1)
    expect { Torture::Scale.new(:full, { 'DROPS' => 'many' }).of('DROPS', small: 1, full: 2) }.to raise_error(ArgumentError)
  end

  it 'knows the guarantee of every trial' do
    expect(described_class.trials.values.map(&:guarantee)).to all(match(/\A\S.*\S\z/))
  end

  describe 'in small' do
    described_class.trials.select { |_, trial| trial.small? }.each do |name, trial|
      it "#{name}: #{trial.guarantee}" do
        FileUtils.mkdir_p(Torture::DIRECTORY)
        log = File.join(Torture::DIRECTORY, "small-#{name}.log")
        report = File.open(log, 'w') { |out| described_class.run(name, trial, Torture::Scale.small, out) }
        expect(report).to be_kept, "#{report.verdict}\n#{File.read(log).lines.last(60).join}"
      end
    end
  end
end
