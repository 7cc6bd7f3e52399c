# frozen_string_literal: true

require 'English'
require 'json'
require 'rmt_rs'

# sig/ describes the methods there are, and no others.
RSpec.describe 'The RBS signatures' do
  signatures = File.join(Host::PROJECT, 'sig')
  # RBS comes with Ruby, but no bundle names it.
  read = <<~RUBY
    require 'rbs'
    require 'json'
    loader = RBS::EnvironmentLoader.new
    loader.add(path: Pathname(ARGV.fetch(0)))
    environment = RBS::Environment.from_loader(loader).resolve_type_names
    builder = RBS::DefinitionBuilder.new(env: environment)
    described = environment.class_decls.keys.map(&:to_s).grep(/\\A::RmtRs\\b/).to_h do |name|
      type = RBS::TypeName.new(name: name[/\\w+\\z/].to_sym, namespace: RBS::Namespace.parse(name[/.*::/]))
      own = ->(definition) { definition.methods.select { |_, method| method.defined_in == type }.keys }
      [name.delete_prefix('::'), { singleton: own[builder.build_singleton(type)], instance: own[builder.build_instance(type)] }]
    end
    puts JSON.generate(described)
  RUBY

  described = lambda do
    output = Bundler.with_unbundled_env do
      IO.popen([RbConfig.ruby, '-e', read, signatures, { err: %i[child out] }], &:read)
    end
    raise output unless $CHILD_STATUS.success?

    JSON.parse(output)
  end

  # The compiled side is not for others to call: what is described of it has to be there, and there may be more.
  compare = lambda do |name, described_methods, methods|
    if name.start_with?('RmtRs::Native')
      expect(methods).to include(*described_methods), "#{name}: sig/ has #{described_methods - methods}"
    else
      expect(described_methods).to match_array(methods),
                                   "#{name}: sig/ lacks #{methods - described_methods} and has #{described_methods - methods}"
    end
  end

  it 'are those of the methods there are' do
    RmtRs::Native.load!
    described.call.each do |name, methods|
      holder = Object.const_get(name)
      singleton = holder.singleton_class.public_instance_methods(false).map(&:to_s)
      singleton -= Struct.new(:any).singleton_class.public_instance_methods(false).map(&:to_s) if holder.is_a?(Class)
      instance_exec(name, methods['singleton'] - ['new'], singleton - ['new'], &compare)
      next unless holder.is_a?(Class)

      instance_exec(name, methods['instance'] - ['initialize'], holder.public_instance_methods(false).map(&:to_s), &compare)
    end
  end
end
