# frozen_string_literal: true

require 'fileutils'

FUZZERS = FileList['fuzz/corpus/*'].pathmap('%n')

# What Cargo has installed for these tasks alone.
TOOLS = File.expand_path('tmp/tools')

# Installs a subcommand of Cargo unless it is there.
def cargo_tool(name, version)
  ENV['PATH'] = "#{TOOLS}/bin:#{ENV.fetch('PATH')}"
  return if system('cargo', name, '--version', out: File::NULL, err: File::NULL)

  sh 'cargo', 'install', '--quiet', '--locked', '--root', TOOLS, '--version', version, "cargo-#{name}"
end

desc "Send what fuzzers make up to the parsers, SECONDS (600) each: all, or those named, of #{FUZZERS.join(', ')}"
task :fuzz, [:target] do |_, arguments|
  cargo_tool('fuzz', '^0.13')
  # libFuzzer's instrumentation is no part of stable Rust yet. No sanitizer: there is no unsafe code to watch.
  environment = { 'RUSTC_BOOTSTRAP' => '1' }
  chosen = arguments.to_a.empty? ? FUZZERS : arguments.to_a
  chosen.each do |target|
    # What is found on the way is kept out of the repository; the first directory is where it goes.
    found = "tmp/fuzz/#{target}"
    FileUtils.mkdir_p(found)
    sh environment, 'cargo', 'fuzz', 'run', '--sanitizer', 'none', '--target-dir', 'target/fuzz', target,
       found, "fuzz/corpus/#{target}", '--',
       "-max_total_time=#{ENV.fetch('SECONDS', '600')}", '-max_len=16384', '-timeout=10', '-rss_limit_mb=2048',
       '-dict=fuzz/dictionary', "-artifact_prefix=#{found}-", '-print_final_stats=1', '-verbosity=0'
  end
end

desc 'Hold what is built in against deny.toml and the RustSec database (ADVISORIES=DIR for a copy where there is no network)'
task :audit do
  cargo_tool('deny', '^0.20')
  cargo_tool('audit', '^0.22')
  sh 'cargo', 'deny', 'check', 'licenses', 'bans', 'sources'
  copy = ENV['ADVISORIES'] ? ['--db', ENV['ADVISORIES'], '--no-fetch'] : []
  %w[Cargo.lock fuzz/Cargo.lock].each { |lock| sh 'cargo', 'audit', '--deny', 'warnings', '--file', lock, *copy }
end
