//! The catalog's version: what the triggers that `rails generate rmt_rs:install` installs count.
//!
//! They add one with each row that changes, in the transaction that changes it. So who reads the same
//! sum twice has read the same catalog twice, if he read both in one statement. Without all of the
//! triggers there is no version, and nothing is remembered.

use super::session::Session;

/// Tables that answers and checks are made of. The keys that delete rows by themselves, which no
/// trigger sees, all lead from one of them.
const TABLES: [&str; 6] = [
    "products",
    "products_extensions",
    "product_predecessors",
    "services",
    "repositories",
    "repositories_services",
];

/// The version as an expression; NULL while rows are missing, which come last and go first.
/// (A union of NULL and an unsigned number is no number.)
const VERSION: &str = "(SELECT CAST(IF(COUNT(*) = 16, SUM(version), NULL) AS SIGNED) \
                        FROM rmt_rs_catalog_versions)";

/// Whether all of the triggers are there, as an expression.
pub(super) fn complete() -> String {
    let tables = TABLES.map(|table| format!("'{table}'")).join(", ");
    let count = TABLES.len() * 3;
    format!(
        "(SELECT COUNT(*) = {count} FROM information_schema.triggers \
          WHERE trigger_schema = DATABASE() AND event_object_table IN ({tables}) \
          AND action_timing = 'AFTER' AND action_statement LIKE '%rmt_rs_catalog_versions%' \
          AND trigger_name = CONCAT('rmt_rs_', event_object_table, '_', LOWER(event_manipulation)))"
    )
}

impl Session {
    /// The catalog's version as an expression; NULL where there is none.
    pub(super) fn version(&self) -> &'static str {
        match self.has_versions() {
            true => VERSION,
            false => "NULL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_its_triggers() {
        let path = "../../lib/generators/rmt_rs/install/install.sql";
        let sql = std::fs::read_to_string(path).unwrap();
        for table in TABLES {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let name = event.to_lowercase();
                let line =
                    format!("CREATE TRIGGER rmt_rs_{table}_{name} AFTER {event} ON {table} FOR");
                assert!(sql.contains(&line), "{line}");
            }
        }
        assert_eq!(sql.matches("CREATE TRIGGER").count(), TABLES.len() * 3);
    }
}
