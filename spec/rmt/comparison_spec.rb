# frozen_string_literal: true

require_relative '../spec_helper'
require_relative 'comparison'

RSpec.describe RmtSpec::Comparison do
  def results(*examples)
    { 'examples' => examples.map do |id, status, error, message|
      { 'id' => id, 'full_description' => "does #{id}", 'status' => status,
        'exception' => error && { 'class' => error, 'message' => message } }.compact
    end }
  end

  let(:off) do
    results(%w[same passed], %w[breaks passed], %w[mends failed RuntimeError no], %w[skipped pending],
            ['spins', 'failed', 'Timeout::Error', 'execution expired'], %w[gone passed],
            ['fails', 'failed', 'NameError', 'id 1'])
  end
  let(:on) do
    results(%w[same passed], %w[breaks failed NameError undefined], %w[mends passed], %w[skipped pending],
            ['spins', 'failed', 'Timeout::Error', 'execution expired'], ['fails', 'failed', 'NameError', 'id 2'],
            %w[new passed])
  end

  it 'names what differs, how, and with what message' do
    comparison = described_class.new(off, on, [])
    expect(comparison.differences.map { |one| [one.example, one.off, one.on, one.message] }).to eq(
      [['does breaks', 'passed', 'failed, NameError', 'undefined'], ['does mends', 'failed, RuntimeError', 'passed', 'no'],
       ['does gone', 'passed', 'not run', nil], ['does new', 'not run', 'passed', nil]]
    )
    expect(comparison.unexplained).to eq(comparison.differences)
  end

  it 'takes what fails alike for no difference' do
    expect(described_class.new(off, on, []).failing_alike)
      .to eq([['does spins', 'failed, Timeout::Error'], ['does fails', 'failed, NameError']])
  end

  it 'sets apart what has a reason, and names reasons that are out of date' do
    exceptions = %w[breaks same elsewhere].map { |id| { 'example' => "does #{id}", 'reason' => 'because' } }
    comparison = described_class.new(off, on, exceptions)
    expect(comparison.explained.map { |one| [one.example, one.reason] }).to eq([['does breaks', 'because']])
    expect(comparison.unexplained.map(&:example)).to eq(['does mends', 'does gone', 'does new'])
    expect(comparison.outdated).to eq(['does same']) # what was not run here may differ elsewhere
  end
end
