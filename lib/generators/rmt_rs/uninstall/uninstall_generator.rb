# frozen_string_literal: true

require 'rails/generators'
require 'active_record'
require_relative '../../../rmt_rs/catalog_versions'

module RmtRs
  module Generators
    # `rails generate rmt_rs:uninstall`: takes away what `rmt_rs:install` has brought, migrated or not: triggers, table, the
    # migration, and that it was carried out. What is not there is passed over, so it may be run again.
    #
    # RMT may run meanwhile: with the table gone, it reads the catalog for each request.
    class UninstallGenerator < Rails::Generators::Base
      # What the migration of {InstallGenerator} is called.
      MIGRATIONS = 'db/migrate/*_install_rmt_rs_catalog_versions.rb'
      private_constant :MIGRATIONS

      desc 'Takes away what rmt_rs has brought: the triggers, their table, the migration, and what shadow mode has counted.'

      # First, for it is what can fail: the migration is still there to see then.
      #
      # @return [void]
      # @raise [ActiveRecord::ActiveRecordError] when the database is away, or refuses
      def leave_the_database
        return if idle?

        CatalogVersions.statements(CatalogVersions::REMOVE).each { |statement| connection.execute(statement) }
        say_status(:remove, 'triggers and table rmt_rs_catalog_versions')
        forget_migrations
      end

      # @return [void]
      def remove_migrations
        migrations.each { |file| remove_file(file) }
      end

      # What shadow mode has counted.
      #
      # @return [void]
      def remove_counts
        remove_dir('tmp/rmt_rs') if Dir.exist?(File.join(destination_root, 'tmp/rmt_rs'))
      end

      # @return [void]
      def say_what_is_next
        return if idle?

        say('Now take the gem out: its line in the Gemfile, its directory or link in engines/, or its package; and the ' \
            'section rmt_rs of /etc/rmt.conf. Then restart RMT.')
      end

      private

      # `rails destroy` would bring it back, which is rmt_rs:install's part.
      def idle?
        behavior != :invoke || options[:pretend]
      end

      def connection
        ActiveRecord::Base.connection
      end

      def migrations
        Dir.glob(MIGRATIONS, base: destination_root).sort
      end

      def forget_migrations
        table = ActiveRecord::Base.schema_migrations_table_name
        return unless connection.table_exists?(table)

        migrations.each do |file|
          version = connection.quote(File.basename(file)[/\A\d+/])
          connection.execute("DELETE FROM #{connection.quote_table_name(table)} WHERE version = #{version}")
        end
      end
    end
  end
end
