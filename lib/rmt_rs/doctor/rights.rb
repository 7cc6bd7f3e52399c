# frozen_string_literal: true

module RmtRs
  class Doctor
    # Whether an account may do to the tables what Rust does.
    #
    # It is tried rather than read: rights come from users, databases, tables, columns and roles. Each statement is one that no
    # row fits, in a transaction that is rolled back.
    module Rights
      # How the rights are tried.
      STATEMENTS = {
        'SELECT' => ->(table) { "SELECT * FROM #{table} WHERE FALSE" },
        'INSERT' => ->(table) { "INSERT INTO #{table} SELECT * FROM #{table} WHERE FALSE" },
        'UPDATE' => ->(table) { "UPDATE #{table} SET id = id WHERE FALSE" },
        'DELETE' => ->(table) { "DELETE FROM #{table} WHERE FALSE" }
      }.freeze
      # What is done to each table.
      NEEDED = Schema::TABLES.keys.to_h do |table|
        [table, Schema::WRITTEN.include?(table) ? STATEMENTS.keys : %w[SELECT]]
      end.freeze
      # What may be needed for triggers besides.
      TRIGGER_STEP = 'grant the right TRIGGER to the account that runs the migration, and where the server writes a binary ' \
                     'log, set log_bin_trust_function_creators'
      private_constant :STATEMENTS, :NEEDED

      class << self
        # @yieldparam statement [String] to be carried out
        # @return [Array(String, String, String)] rights that are missing: the right, the table, what the database says
        def missing
          yield 'START TRANSACTION'
          NEEDED.flat_map do |table, rights|
            rights.filter_map do |right|
              yield STATEMENTS.fetch(right).call(table)
              nil
            rescue ActiveRecord::StatementInvalid => e
              [right, table, e.message.lines.first.strip] unless missing_table?(e)
            end
          end
        ensure
          yield 'ROLLBACK'
        end

        # @yieldparam query [String]
        # @yieldreturn [Array] the values of its only column
        # @return [Boolean] whether the account is seen to have the right to make triggers
        def trigger?
          account = "CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
          %w[user schema].any? do |level|
            where = level == 'schema' ? ' AND DATABASE() LIKE table_schema' : ''
            yield("SELECT 1 FROM information_schema.#{level}_privileges WHERE privilege_type = 'TRIGGER' " \
                  "AND grantee = #{account}#{where}").any?
          end
        end

        private

        # Which the schema's check says.
        def missing_table?(error)
          error.message.include?("doesn't exist")
        end
      end
    end
  end
end
