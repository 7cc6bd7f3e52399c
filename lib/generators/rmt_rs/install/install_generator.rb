# frozen_string_literal: true

require 'rails/generators'
require 'rails/generators/active_record'
require_relative '../../../rmt_rs/catalog_versions'

module RmtRs
  module Generators
    # `rails generate rmt_rs:install`: makes a migration with the triggers that count changes of the catalog.
    # It holds their statements, so it can be carried out and undone without the gem.
    #
    # `rails destroy rmt_rs:install` removes the migration again; `rails db:rollback` or `db:migrate:down` the
    # triggers, which is to be done first.
    class InstallGenerator < Rails::Generators::Base
      include ActiveRecord::Generators::Migration

      source_root File.expand_path('templates', __dir__)
      desc 'Makes a migration that lets rmt_rs remember the catalog: a small table, and triggers that count changes.'

      # @return [void]
      def make_migration
        migration_template('install_rmt_rs_catalog_versions.rb.tt', 'db/migrate/install_rmt_rs_catalog_versions.rb')
      end

      # @return [void]
      def say_what_is_next
        return unless behavior == :invoke

        say('Now run: rails db:migrate, and restart RMT. A database user without SUPER needs ' \
            'log_bin_trust_function_creators = 1 on a server that writes a binary log.')
      end

      private

      def statements(file)
        File.read(file, encoding: 'UTF-8').chomp.gsub(/^(?=.)/, '      ')
      end
    end
  end
end
