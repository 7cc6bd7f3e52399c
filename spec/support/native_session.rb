# frozen_string_literal: true

require 'open3'
require 'json'
require 'rmt_rs'

# The native library against a database of the suite's own MariaDB, in this process or another.
module NativeSession
  # @param name [String] a database of {SuiteDatabase}
  # @return [Hash{Symbol => Object}] it, as ActiveRecord's configuration_hash would name it
  def self.rails_config(name)
    uri = URI(SuiteDatabase.mariadb.url(name))
    { adapter: 'mysql2', host: uri.host, port: uri.port, username: uri.user, password: uri.password, database: name,
      encoding: 'utf8', pool: 5 }
  end

  # Points the library in this process to a database.
  #
  # @param name [String]
  # @param settings [Hash] further settings of {RmtRs::Configuration}
  # @return [void]
  def self.use(name, **settings)
    RmtRs::Native.load!
    configuration = RmtRs::Configuration.new({ door: 'controller' }.merge(settings), {})
    RmtRs::Native.configure(configuration.to_native(rails_config(name)))
  end

  # Runs Ruby in a process of its own, where the library is configured and not yet used.
  #
  # @param script [String] prints what is to be returned
  # @param name [String] a database
  # @param library [String, nil] another library than the one in lib/
  # @return [String] what it printed, standard error included
  # @raise [RuntimeError] when it fails
  def self.run(script, name, library: nil)
    native = RmtRs::Configuration.new({ door: 'controller' }, {}).to_native(rails_config(name))
    prelude = <<~RUBY
      require 'rmt_rs'
      RmtRs::Native.load!
      RmtRs::Native.configure(#{native.dump})
    RUBY
    output, status = Open3.capture2e({ 'RMT_RS_LIBRARY' => library, 'RUST_BACKTRACE' => '0' }, RbConfig.ruby,
                                     "-I#{File.join(Host::PROJECT, 'lib')}", '-e', prelude + script)
    raise "#{status}: #{output}" unless status.success?

    output
  end
end
