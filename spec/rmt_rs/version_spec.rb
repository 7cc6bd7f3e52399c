# frozen_string_literal: true

require 'rmt_rs'

RSpec.describe 'The version' do
  def read(name)
    File.read(File.expand_path("../../#{name}", __dir__))
  end

  it 'is the same for gem, crates and lock file' do
    expect(read('Cargo.toml')[/^version = "(.*)"/, 1]).to eq(RmtRs::VERSION)
    %w[registration rmt_rs].each do |crate|
      expect(read('Cargo.lock')).to include(%(name = "#{crate}"\nversion = "#{RmtRs::VERSION}"\n))
    end
  end

  it 'is that of the RPM' do
    expect(read('packaging/rpm/rmt_rs.spec')[/^Version: +(.*)/, 1]).to eq(RmtRs::VERSION)
  end

  it 'has an entry in the change log' do
    expect(read('CHANGELOG.md')).to match(/^## \[(#{Regexp.escape(RmtRs::VERSION)}|Unreleased)\]/)
  end
end
