# frozen_string_literal: true

require_relative 'lib/rmt_rs/version'

Gem::Specification.new do |spec|
  spec.name = 'rmt_rs'
  spec.version = RmtRs::VERSION
  spec.authors = ['The rmt_rs authors']
  spec.summary = "RMT's registration path in Rust"
  spec.description = 'Takes the registration of systems over inside an RMT server: the same answers, ' \
                     'a fraction of the CPU, behind a feature flag.'
  spec.license = 'MIT'
  spec.homepage = 'https://github.com/rmt-rs/rmt_rs'
  spec.metadata = { 'rubygems_mfa_required' => 'true', 'source_code_uri' => spec.homepage,
                    'changelog_uri' => "#{spec.homepage}/blob/main/CHANGELOG.md" }

  spec.required_ruby_version = '>= 3.1'
  # The first that builds extensions with Cargo.
  spec.required_rubygems_version = '>= 3.3.11'
  # Cargo reads no manifest that names a bench which is not there.
  spec.files = Dir['Cargo.{toml,lock}', 'ext/*/Cargo.toml', 'ext/*/{src,benches}/**/*.rs', 'lib/**/*.{rb,rake,sql,tt}',
                   'sig/*.rbs', 'LICENSE', 'README.md', 'CHANGELOG.md', 'docs/**/*', base: __dir__]
  # RubyGems builds it with Cargo; the crate has the gem's name.
  spec.extensions = ['ext/rmt_rs/Cargo.toml']
  spec.require_paths = ['lib']

  spec.add_dependency 'activerecord', '>= 6.1', '< 9'
  spec.add_dependency 'railties', '>= 6.1', '< 9'
end
