# frozen_string_literal: true

module RmtRs
  # The triggers that count changes of the catalog. With them the core remembers products and answers about
  # them for as long as nothing has changed; without them it reads them for each request.
  #
  # Their statements are in two files, which the generator `rmt_rs:install` makes a migration of.
  #
  # @example
  #   RmtRs::CatalogVersions.complete? { |query| ActiveRecord::Base.connection.select_values(query) } # => true
  module CatalogVersions
    DIRECTORY = File.expand_path('../generators/rmt_rs/install', __dir__)
    # Statements that install table and triggers; a second time they do the same.
    INSTALL = File.join(DIRECTORY, 'install.sql')
    # Statements that remove them, if they are there.
    REMOVE = File.join(DIRECTORY, 'remove.sql')
    # Rows of the table; they come last.
    ROWS = 16
    # Names of all triggers that are there.
    INSTALLED = 'SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()'

    module_function

    # @return [Array<String>] names of the triggers
    def triggers
      File.read(INSTALL, encoding: 'UTF-8').scan(/^CREATE TRIGGER (\w+)/).flatten
    end

    # @param file [String] {INSTALL} or {REMOVE}
    # @return [Array<String>] its statements, to be carried out in that order
    def statements(file)
      File.read(file, encoding: 'UTF-8').split(/;$/).map(&:strip).reject(&:empty?)
    end

    # Whether all triggers are there, as the core also finds out for itself.
    #
    # @yieldparam query [String]
    # @yieldreturn [Array] the values of its only column
    # @return [Boolean]
    # @raise [StandardError] what the database says
    def complete?
      installed = yield INSTALLED
      return false unless (triggers - installed).empty?

      yield('SELECT COUNT(*) FROM rmt_rs_catalog_versions').first.to_i == ROWS
    end
  end
end
