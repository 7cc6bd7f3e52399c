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

    # mysql2's `ssl_mode`.
    TLS_MODES = %w[disabled preferred required verify_ca verify_identity].freeze

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
          # Rails 8.1 says max_connections.
          pool: whole('pool', config[:pool] || config[:max_connections] || 5, 1..1000),
          encoding: name('encoding', config[:encoding] || default_encoding),
          collation: config[:collation] && name('collation', config[:collation]),
          session: session_variables(config),
          tls: tls(config)
        }.compact
      end

      # @param rails [Hash{Symbol => Object}] ActiveRecord's configuration_hash
      # @param own [Hash{Symbol => Object}] what replaces parts of it
      # @return [Hash{Symbol => Object}] where a part says how the server is reached, the parts that
      #   would say otherwise are gone
      def override(rails, own)
        rails = rails.transform_keys(&:to_sym)
        if own.key?(:socket) then rails = rails.except(:host, :port)
        elsif own.key?(:host) then rails = rails.except(:socket, :port)
        # On the machine itself a port means TCP; the client library would take the socket.
        elsif own.key?(:port) then rails = rails.except(:socket).merge(host: tcp_host(rails[:host]))
        end
        rails.merge(own)
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

      def whole(key, value, range)
        number = Integer(value.to_s, exception: false)
        return number if number && range.cover?(number)

        raise ConfigurationError, "database #{key} #{value.inspect}: allowed are whole numbers from #{range.min} to #{range.max}"
      end

      # Character sets and collations cannot be bound as values.
      def name(key, value)
        return value.to_s if value.to_s.match?(/\A\w+\z/)

        raise ConfigurationError, "database #{key} #{value.inspect}: allowed are letters, digits and _"
      end

      # What the client speaks when Rails' configuration names no encoding.
      def default_encoding
        version = defined?(::Mysql2::VERSION) ? Gem::Version.new(::Mysql2::VERSION) : Gem::Version.new('0.5.3')
        version < Gem::Version.new('0.5.4') ? 'utf8' : 'utf8mb4'
      end

      # The client library takes a socket when one is named or the host is `localhost` (or none),
      # whatever port is given. Trilogy takes one only when it is named.
      def address(config, environment)
        host = config[:host].to_s
        local = ['', 'localhost'].include?(host)
        socket = config[:socket] || (default_socket(environment) if local && config[:adapter].to_s != 'trilogy')
        port = whole('port', config[:port] || environment['MYSQL_TCP_PORT'] || 3306, 1..65_535)
        { socket: (socket if local), host: local ? 'localhost' : host, port: port }
      end

      def tcp_host(host)
        ['', 'localhost'].include?(host.to_s) ? '127.0.0.1' : host
      end

      def default_socket(environment)
        environment['MYSQL_UNIX_PORT'] || SOCKETS.find { |path| File.exist?(path) } || SOCKETS.first
      end

      # What Rails' MySQL adapters set when they open a session (`configure_connection`), so that a
      # value is stored, cut or refused alike by both.
      def session_variables(config)
        variables = (config[:variables] || {}).transform_keys(&:to_s)
        variables['sql_auto_is_null'] = 0
        variables['wait_timeout'] = Integer(config[:wait_timeout].to_s, exception: false) || LONGEST_WAIT
        mode = sql_mode(variables.delete('sql_mode'), strict(config.fetch(:strict, true)))
        [mode, *variables.map { |name, value| assignment(name, value) }].compact.join(', ')
      end

      # A URL can only say it as text.
      def strict(value)
        return value unless value.is_a?(String) && value != ':default'

        !%w[false f 0 off].include?(value.downcase)
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
        missing = files.find { |_, path| !File.readable?(path.to_s) }
        raise ConfigurationError, "database ssl#{missing.first} #{missing.last.inspect}: no readable file" if missing

        { mode: tls_mode(config, files), **files }
      end

      # mysql2's `ssl_mode` where it is given; else what its older options ask for, checking the
      # server's certificate when there is something to check it against.
      def tls_mode(config, files)
        mode = config[:ssl_mode].to_s.downcase.delete_prefix('ssl_mode_')
        return mode if TLS_MODES.include?(mode)
        raise ConfigurationError, "database ssl_mode #{mode.inspect}: allowed are #{TLS_MODES.join(', ')}" unless mode.empty?
        return 'verify_identity' if config[:sslverify]
        return 'verify_ca' if files.key?(:ca)

        files.empty? ? 'preferred' : 'required'
      end
    end
  end
end
