# frozen_string_literal: true

require 'tmpdir'
require_relative '../../bench/comparison/plan'

# What RMT is given to load while it is measured.
RSpec.describe RmtCheckout do
  around do |example|
    Dir.mktmpdir do |directory|
      @directory = directory
      %w[config.ru config/rmt.yml lib/rmt.rb].each do |file|
        FileUtils.mkdir_p(File.join(directory, File.dirname(file)))
        FileUtils.touch(File.join(directory, file))
      end
      example.run
    end
  end

  # A bundle named by the caller would be the RMT's.
  before { stub_const('ENV', ENV.to_h.except('BUNDLE_GEMFILE')) }

  def engines
    Dir.glob(File.join(@directory, 'engines/*')).to_h { |place| [File.basename(place), File.realpath(place)] }
  end

  def plan(*scenarios)
    Comparison::Plan.new(scenarios, { 'RMT_HOME' => @directory }).rmt
  end

  it 'is given the gem, and for hashes of passwords a setting that RMT has to have then' do
    checkout = plan('credentials')
    checkout.link
    expect(engines).to match('rmt_rs' => Host::PROJECT, 'keeps_hashes' => %r{/bench/engines/keeps_hashes\z})
    expect(File).to exist(File.join(engines['keeps_hashes'], 'lib/keeps_hashes.rb'))
    checkout.unlink
    expect(engines).to eq({})
  end

  it 'is given nothing else for other scenarios, and what others have put there stays' do
    FileUtils.mkdir_p(File.join(@directory, 'engines/rmt_rs'))
    before = engines
    checkout = plan('steady')
    checkout.link
    checkout.unlink
    expect(engines).to eq(before)
  end
end
