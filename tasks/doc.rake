# frozen_string_literal: true

# Runs programs that no bundle names.
def outside_the_bundle(&block)
  defined?(Bundler) ? Bundler.with_unbundled_env(&block) : block.call
end

desc 'Documentation of both APIs, without a warning: YARD into tmp/doc, rustdoc into target/doc'
task :doc do
  outside_the_bundle do
    abort 'doc: yard is missing: apt-get install yard' unless system('yard', '--version', out: File::NULL, err: File::NULL)

    sh 'yard', 'doc', '--quiet', '--no-cache', '--fail-on-warning', '--output-dir', 'tmp/doc'
  end
  sh({ 'RUSTDOCFLAGS' => '-Dwarnings' }, 'cargo', 'doc', '--quiet', '--locked', '--no-deps', '-p', 'registration')
end

desc "Look whether RBS understands the signatures in sig/; that they are the API's is an example of `rake spec`"
task :signatures do
  # RBS comes with Ruby; Debian leaves its program out of PATH.
  outside_the_bundle do
    sh RbConfig.ruby, '-e', "load Gem.bin_path('rbs', 'rbs')", '--', '-I', 'sig', 'validate', '--silent'
  end
end

desc 'Build the gem and run the core of the tests on another Debian, in a tree below tmp/compat: SUITE=trixie; needs root'
task :compat do
  system('spec/compat/run', ENV.fetch('SUITE', 'trixie')) || exit(1)
end
