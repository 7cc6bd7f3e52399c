# frozen_string_literal: true

require_relative 'errors'

module RmtRs
  # Where Rails' database is, said in a way that needs neither Ruby nor the MariaDB client library:
  # Rails' configuration leaves open what the mysql2 client fills in.
  #
  # @example
  #   RmtRs::Database.resolve({ adapter: 'mysql2', host: 'localhost', username: 'rmt', database: 'rmt' })
  #   # => { socket: '/run/mysqld/mysqld.sock', host: 'localhost', port: 3306, username: 'rmt', … }
  module Database
    ADAPTERS = %w[mysql2 trilogy].freeze
    # What changes how a connection behaves, and cannot be had here.
    UNSUPPORTED = %i[init_command default_file default_group sslcapath sslcipher enable_cleartext_plugin
                     default_auth].freeze
    # Where the client library's packages expect the server's socket: Debian, SUSE, Fedora, upstream.
    SOCKETS = %w[/run/mysqld/mysqld.sock /run/mysql/mysql.sock /var/run/mysql/mysql.sock
                 /var/lib/mysql/mysql.sock /tmp/mysql.sock].freeze
    # Rails' `wait_timeout` where nothing is configured: the longest that every platform takes.
    LONGEST_WAIT = 2_147_483

    class << self
      # @param config [Hash{Symbol => Object}] ActiveRecord's configuration_hash
      # @param environment [Hash{String => String}] for MYSQL_UNIX_PORT and MYSQL_TCP_PORT
      # @return [Hash{Symbol => Object}] the core's DatabaseConfig
      # @raise [ConfigurationError] when it asks for something that cannot be had here
      def resolve(config, environment: ENV)
        config = config.transform_keys(&:to_sym)
        check(config)
        {
          **address(config, environment),
          username: config.fetch(:username, nil).to_s,
          password: config[:password]&.to_s,
          database: config.fetch(:database).to_s,
          pool: Integer(config[:pool] || 5),
          encoding: (config[:encoding] || 'utf8').to_s,
          collation: config[:collation],
          session: session_variables(config),
          tls: tls(config)
        }.compact
      end

      private

      def check(config)
        adapter = config[:adapter].to_s
        unless ADAPTERS.include?(adapter)
          raise ConfigurationError, "database adapter #{adapter.inspect}: allowed are #{ADAPTERS.join(', ')}"
        end
        raise ConfigurationError, 'database: no database is named' if config[:database].to_s.empty?

        unsupported = UNSUPPORTED.find { |key| config[key] }
        return unless unsupported

        raise ConfigurationError, "database option #{unsupported} is not supported: remove it, or set rmt_rs door: off"
      end

      # The client library takes a socket when one is named or the host is `localhost` (or none),
      # whatever port is given.
      def address(config, environment)
        host = config[:host].to_s
        local = ['', 'localhost'].include?(host)
        socket = config[:socket] || (default_socket(environment) if local)
        socket = nil unless local
        port = config[:port] || environment['MYSQL_TCP_PORT'] || 3306
        { socket: socket, host: local ? 'localhost' : host, port: Integer(port) }
      end

      def default_socket(environment)
        environment['MYSQL_UNIX_PORT'] || SOCKETS.find { |path| File.exist?(path) } || SOCKETS.first
      end

      # What Rails' MySQL adapters set when they open a session (`configure_connection`), so that a
      # value is stored, cut or refused alike by both.
      def session_variables(config)
        variables = (config[:variables] || {}).transform_keys(&:to_s)
        variables['sql_auto_is_null'] = 0
        variables['wait_timeout'] = config[:wait_timeout].is_a?(Integer) ? config[:wait_timeout] : LONGEST_WAIT
        mode = sql_mode(variables.delete('sql_mode'), config.fetch(:strict, true))
        [mode, *variables.map { |name, value| assignment(name, value) }].compact.join(', ')
      end

      def sql_mode(given, strict)
        return assignment('sql_mode', given) if given
        return if [':default', :default].include?(strict)

        base = '@@sql_mode'
        if strict
          base = "CONCAT(#{base}, ',STRICT_ALL_TABLES')"
        else
          %w[STRICT_TRANS_TABLES STRICT_ALL_TABLES TRADITIONAL].each { |mode| base = "REPLACE(#{base}, '#{mode}', '')" }
        end
        "@@SESSION.sql_mode = CONCAT(#{base}, ',NO_AUTO_VALUE_ON_ZERO')"
      end

      def assignment(name, value)
        raise ConfigurationError, "database variable #{name.inspect}: no name of a variable" unless name.match?(/\A\w+\z/)
        return if value.nil?
        return "@@SESSION.#{name} = DEFAULT" if [':default', :default].include?(value)
        return "@@SESSION.#{name} = #{value}" if value.is_a?(Numeric)

        "@@SESSION.#{name} = '#{value.to_s.gsub(/['\\]/) { |quote| "\\#{quote}" }}'"
      end

      def tls(config)
        files = { ca: config[:sslca], cert: config[:sslcert], key: config[:sslkey] }.compact
        { mode: tls_mode(config, files), **files }
      end

      # mysql2's `ssl_mode` where it is given; else what its older options ask for, checking the
      # server's certificate when there is something to check it against.
      def tls_mode(config, files)
        mode = config[:ssl_mode].to_s.downcase.delete_prefix('ssl_mode_')
        return mode if %w[disabled preferred required verify_ca verify_identity].include?(mode)

        unless mode.empty?
          raise ConfigurationError, "database ssl_mode #{mode.inspect}: allowed are disabled, preferred, required, " \
                                    'verify_ca, verify_identity'
        end
        return 'verify_identity' if config[:sslverify]

        files.empty? ? 'disabled' : tls_mode_for(files)
      end

      def tls_mode_for(files)
        files.key?(:ca) ? 'verify_ca' : 'required'
      end
    end
  end
end
