# frozen_string_literal: true

ENV['RAILS_ENV'] ||= 'production'
# Rails 6.1 knows the adapter's name only, not the scheme everybody else uses.
ENV['DATABASE_URL'] = ENV['DATABASE_URL'].sub(/\Amysql:/, 'mysql2:') if ENV['DATABASE_URL']

require 'logger' # Rails before 7.1 forgets to
require 'rails'
require 'active_record/railtie'
require 'action_controller/railtie'

# What RMT's settings are made of, if there are any.
if ENV['HOST_APP_SETTINGS']
  require 'yaml'

  # As RMT's: where the settings are.
  module RMT
    module Config # rubocop:disable Style/Documentation
      CONFIG_FILES = [ENV.fetch('HOST_APP_SETTINGS')].freeze

      def self.redirect_repo_hosts
        []
      end
    end
  end
  Settings = YAML.load_file(RMT::Config::CONFIG_FILES.first, symbolize_names: true)
end

# Engines are loaded as RMT loads them, the gem among them when it is there as a plugin.
engines = ENV.fetch('HOST_APP_ENGINES', File.expand_path('../engines', __dir__))
Dir.glob(File.join(engines, '*')).select { |directory| File.directory?(directory) }.sort.each do |directory|
  file = File.join(directory, 'lib', "#{File.basename(directory)}.rb")
  require file if File.exist?(file)
end

# Else the checkout around this directory is used, as Bundler would from RMT's Gemfile.
unless defined?(RmtRs::Railtie)
  $LOAD_PATH.unshift(File.expand_path('../../../lib', __dir__))
  require 'rmt_rs'
end

# The part of RMT that a registration meets: its routes, controllers and tables by their names,
# and a plain ActiveRecord implementation behind them. Configured as RMT is in production.
module HostApp
  # The Rails application.
  class Application < Rails::Application
    config.root = File.expand_path('..', __dir__)
    config.load_defaults 6.0
    config.api_only = true
    config.eager_load = true
    config.cache_classes = true
    config.consider_all_requests_local = false
    config.secret_key_base = 'nothing here is signed or encrypted'
    config.filter_parameters += [:password]
    config.active_support.deprecation = :silence

    # RMT's logger does not tag lines either, although log_tags is set.
    $stdout.sync = true
    config.log_level = ENV.fetch('RAILS_LOG_LEVEL', 'info').to_sym
    config.log_tags = [:request_id]
    config.logger = ActiveSupport::Logger.new($stdout).tap { |log| log.formatter = Logger::Formatter.new }

    # RMT wraps, which shows in its log lines and costs time.
    ActiveSupport.on_load(:action_controller) { wrap_parameters format: [:json] }
  end
end
