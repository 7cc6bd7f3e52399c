# frozen_string_literal: true

GEM = "pkg/rmt_rs-#{RmtRs::VERSION}.gem".freeze
# By its processor and system alone: who names the C library as well, as newer RubyGems do, takes it, too.
NATIVE_PLATFORM = Gem::Platform.local.then { |local| [local.cpu, local.os].join('-') }
NATIVE_GEM = "pkg/rmt_rs-#{RmtRs::VERSION}-#{NATIVE_PLATFORM}.gem".freeze
RPM = 'pkg/rpm'

# @return [Gem::Specification] of a gem that brings this machine's library instead of its sources
def native_specification
  specification = Gem::Specification.load('rmt_rs.gemspec').dup
  specification.platform = NATIVE_PLATFORM
  specification.extensions = []
  specification.files = specification.files.grep_v(%r{\A(ext/|Cargo\.)}) + [LIBRARY]
  # A library fits the Ruby it was built with: 3.1.x, not 3.2.
  major, minor = RbConfig::CONFIG.values_at('MAJOR', 'MINOR').map(&:to_i)
  specification.required_ruby_version = [">= #{major}.#{minor}", "< #{major}.#{minor + 1}.dev"]
  specification
end

# A GEM_HOME with that gem alone; what it depends on is the machine's.
#
# @param file [String] a packed gem
# @param path [String] searched for programs before PATH
def use_installed(file, path: nil)
  home = File.expand_path('tmp/gem_home')
  rm_rf(home, verbose: false)
  environment = { 'GEM_HOME' => home, 'GEM_PATH' => [home, *Gem.path].join(':'), 'RUBYOPT' => nil, 'RUBYLIB' => nil }
  environment['PATH'] = [path, ENV.fetch('PATH')].join(':') if path
  sh environment, 'gem', 'install', '--local', '--ignore-dependencies', '--no-document', '--quiet', file
  sh environment, RbConfig.ruby, 'spec/gem_test.rb', home
end

# @return [String] a directory whose Rust and C compilers fail, and say so
def broken_compilers
  directory = File.expand_path('tmp/no_compilers')
  mkdir_p(directory, verbose: false)
  %w[cargo rustc cc gcc make].each do |program|
    File.write(File.join(directory, program), "#!/bin/sh\necho '#{program} was called' >&2\nexit 1\n", perm: 0o755)
  end
  directory
end

desc 'Pack the gem into pkg/'
task :package do
  mkdir_p('pkg', verbose: false)
  sh 'gem', 'build', '--quiet', '--output', GEM, 'rmt_rs.gemspec'
end

namespace :package do
  desc "Pack a gem with this machine's library into pkg/: it installs without Rust, for the same minor version of Ruby"
  task native: :compile do
    require 'rubygems/package'
    mkdir_p('pkg', verbose: false)
    Gem::Package.build(native_specification, true, false, NATIVE_GEM)
  end

  desc 'Put the sources of the RPM into pkg/rpm: spec file, packed gem, vendored crates'
  task rpm: :package do
    mkdir_p(RPM, verbose: false)
    cp([GEM, 'packaging/rpm/rmt_rs.spec'], RPM, verbose: false)
    rm_rf('tmp/vendor', verbose: false)
    # What it prints is a configuration of Cargo's, which the spec file has.
    sh 'cargo', 'vendor', '--quiet', '--locked', '--versioned-dirs', 'tmp/vendor/vendor', out: File::NULL
    sh 'tar', '--zstd', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0',
       '-cf', "#{RPM}/vendor.tar.zst", '-C', 'tmp/vendor', 'vendor'
    rm_rf('tmp/vendor', verbose: false)
  end
end

desc 'Install the packed gems into an empty GEM_HOME and use them from there: the one with sources, and the native one ' \
     'where no compiler works'
task gem_test: %w[package package:native] do
  use_installed(GEM)
  use_installed(NATIVE_GEM, path: broken_compilers)
end
