# frozen_string_literal: true

# Uses the gem as it was installed into the GEM_HOME given, and from nowhere else: run by `rake gem_test`.

require 'rmt_rs'
require_relative 'support/private_mariadb'
require_relative 'support/host'

home = ARGV.fetch(0)
loaded = ->(name) { $LOADED_FEATURES.grep(%r{/#{Regexp.escape(name)}\z}).first.to_s }
RmtRs::Native.load!
['rmt_rs.rb', "rmt_rs.#{RbConfig::CONFIG['DLEXT']}"].each do |name|
  abort "#{name} was loaded from #{loaded[name]}, not from #{home}" unless loaded[name].start_with?(home)
end

mariadb = PrivateMariadb.new(File.join(Host::PROJECT, 'tmp/mariadb-test')).start
begin
  database = mariadb.database('gem_test').drop.create.load_sql(File.join(Host::APP, 'db/structure.sql'))
  uri = URI(database.url)
  configuration = RmtRs::Configuration.new({ door: 'controller' }, {})
  RmtRs::Native.configure(configuration.to_native({ adapter: 'mysql2', host: uri.host, port: uri.port,
                                                    username: uri.user, password: uri.password, database: 'gem_test' }))
  system = RmtRs.announce('hostname' => 'packed', 'hwinfo' => { 'cpus' => 2 })
  row = database.with_client { |sql| sql.query("SELECT login, hostname FROM systems WHERE id = #{system.id}").first }
  abort "stored was #{row}" unless row == { 'login' => system.login, 'hostname' => 'packed' }
  puts "The packed gem announced system #{system.id}."
ensure
  mariadb.stop
end
