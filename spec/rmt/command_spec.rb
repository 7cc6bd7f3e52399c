# frozen_string_literal: true

require 'open3'
require 'tmpdir'
require 'yaml'
require_relative '../spec_helper'

RSpec.describe 'rake rmt:spec' do
  around do |example|
    Dir.mktmpdir do |directory|
      @directory = directory
      example.run
    end
  end

  attr_reader :directory

  def refusal(environment, project = Host::PROJECT)
    clean = ENV.to_h.except('BUNDLE_GEMFILE', 'RUBYOPT')
    output, error, status = Open3.capture3(clean.merge(environment), RbConfig.ruby, 'spec/rmt/command.rb',
                                           chdir: project, unsetenv_others: true)
    expect([output, status.exitstatus]).to eq(['', 2]), "#{output}#{error}"
    error
  end

  # As much of an RMT as is looked at before its bundle is.
  def rmt(*more)
    ['config.ru', 'config/rmt.yml', 'lib/rmt.rb', *more].each do |file|
      FileUtils.mkdir_p(File.dirname(File.join(directory, file)))
      File.write(File.join(directory, file), '')
    end
    directory
  end

  it 'refuses to guess where RMT is' do
    expect(refusal('RMT_HOME' => nil)).to include('RMT_HOME is not set', 'rake rmt:spec RMT_HOME=DIR')
    expect(refusal('RMT_HOME' => directory)).to include("#{directory} is not a checkout of RMT")
  end

  it 'refuses an RMT without examples' do
    expect(refusal('RMT_HOME' => rmt)).to include("#{directory} has no examples")
  end

  it 'refuses an RMT whose bundle does not work' do
    File.write(File.join(rmt('spec/rails_helper.rb'), 'Gemfile'), "gem 'nobody-has-this-one'\n")
    expect(refusal('RMT_HOME' => directory)).to include('RMT does not boot for tests', 'bundle install', 'nobody-has-this-one')
  end

  it 'refuses to compare a library that is not compiled' do
    %w[spec/rmt spec/support lib].each do |part|
      FileUtils.mkdir_p(File.join(directory, File.dirname(part)))
      FileUtils.cp_r(File.join(Host::PROJECT, part), File.join(directory, part))
    end
    FileUtils.rm(Dir.glob(File.join(directory, 'lib/**/*.{so,bundle}')))
    expect(refusal({ 'RMT_HOME' => '/nowhere' }, directory)).to include('run rake compile')
  end

  it 'has a reason for every exception' do
    exceptions = YAML.safe_load_file(File.join(Host::PROJECT, 'spec/rmt/exceptions.yml'))
    expect(exceptions).to all(include('example' => /\S/, 'reason' => /\S/))
  end
end
