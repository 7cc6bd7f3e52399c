# frozen_string_literal: true

require 'json'
require 'open3'
require_relative '../../lib/rmt_rs/version'
require_relative '../../spec/support/host'

module Comparison
  # What was measured on: figures without it say nothing.
  class Machine
    # Asks the application for what it runs on; the answer is the line that begins so.
    MARK = 'rmt_rs-bench:'
    PROBE = <<~RUBY.freeze
      require 'json'
      found = { ruby: RUBY_DESCRIPTION, rails: Rails.version, puma: Gem::Specification.find_by_name('puma').version.to_s,
                log_level: %w[debug info warn error fatal unknown][Rails.logger.level],
                rmt: (RMT::VERSION if defined?(RMT::VERSION)) }
      if defined?(RMT::Config) && RMT::Config.respond_to?(:web_server)
        server = RMT::Config.web_server
        found.update(workers: server.workers, threads: server.max_threads)
      end
      puts '#{MARK}' + JSON.generate(found)
    RUBY
    # Settings of the server that matter.
    VARIABLES = %w[version innodb_buffer_pool_size innodb_flush_log_at_trx_commit sync_binlog max_connections].freeze

    # It does not start.
    class Error < StandardError; end

    # @param plan [Plan]
    # @param stage [Stage] opened
    def initialize(plan, stage)
      @plan = plan
      @stage = stage
    end

    # @return [Hash{Symbol => Object}] for results.json
    # @raise [Error] when the application cannot be asked
    def to_h
      { machine: hardware, versions: versions, settings: settings }
    end

    private

    def hardware
      { processor: File.read('/proc/cpuinfo')[/^model name\s*:\s*(.+)/, 1] || RbConfig::CONFIG['host_cpu'],
        processors: Etc.nprocessors, memory: File.read('/proc/meminfo')[/^MemTotal:\s+(\d+)/, 1].to_i * 1024,
        system: File.read('/etc/os-release')[/^PRETTY_NAME="?([^"\n]+)/, 1], kernel: Etc.uname[:release],
        load: File.read('/proc/loadavg').split.first(3).map(&:to_f) }
    end

    def versions
      { rmt_rs: RmtRs::VERSION, rmt_rs_revision: revision(Host::PROJECT), rmt: probe['rmt'],
        rmt_revision: @plan.rmt && revision(@plan.rmt.directory), ruby: probe['ruby'], rails: probe['rails'], puma: probe['puma'],
        mariadb: variables['version'], k6: output(K6.program, 'version').lines.first.to_s.strip,
        gnuplot: output(Pictures.program, '--version').strip, rust: output('rustc', '--version').strip }.compact
    end

    def settings
      { application: @plan.rmt ? 'RMT' : 'host app', workers: probe['workers'] || @plan.numbers['WORKERS'],
        threads: probe['threads'] || @plan.numbers['THREADS'], log_level: probe['log_level'],
        rmt_rs: ENV.select { |name, _| name.start_with?('RMT_RS_') && name != 'RMT_RS_PASSWORD' },
        mariadb: variables.except('version'), open_files: Process.getrlimit(:NOFILE).first,
        listen_backlog: File.read('/proc/sys/net/core/somaxconn').to_i, **@plan.to_h }
    end

    # @return [Hash, nil] commit and whether the files differ from it; nil outside of git
    def revision(directory)
      commit = output('git', '-C', directory, 'rev-parse', 'HEAD').strip
      return nil unless commit.match?(/\A\h{40,}\z/)

      { commit: commit, dirty: !output('git', '-C', directory, 'status', '--porcelain', '--untracked-files=no').empty? }
    end

    def variables
      @variables ||= @stage.database.with_client do |sql|
        sql.query('SHOW VARIABLES').to_h { |row| row.values_at('Variable_name', 'Value') }.slice(*VARIABLES)
      end
    end

    def probe
      @probe ||= begin
        host = @stage.host('off', log: File.join(Host::PROJECT, 'tmp/log/probe.log'))
        command = @plan.rmt ? ['bundle', 'exec', 'rails', 'runner', PROBE] : [RbConfig.ruby, '-e', "#{LOAD}#{PROBE}"]
        answer = File.read(host.log)[/^#{MARK}(.+)/, 1] if host.run(*command)
        raise Error, "the application does not start. The end of #{host.log}:\n#{Processes.last_lines(host.log)}" unless answer

        JSON.parse(answer)
      end
    end

    LOAD = "require './config/environment'\n"
    private_constant :LOAD

    def output(*command)
      Open3.capture2e(*command).first
    rescue Errno::ENOENT
      ''
    end
  end
end
