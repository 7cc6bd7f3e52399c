//! Statements of an authentication.

use sqlx::{AssertSqlSafe, Row};

use super::session::{Interruption, Session};
use super::system_row::{SystemChanges, SystemRow};

/// A system with the given credentials.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub row: SystemRow,
    /// The database takes its token for the one that was sent; they may differ in case.
    pub alike: bool,
}

impl Session {
    /// All systems with this login and password, the oldest first. What is equal is the table's
    /// collation's to say: case and trailing spaces do not count
    /// (RMT: `System.get_by_credentials`).
    pub(crate) async fn systems_by_credentials(
        &mut self,
        login: &str,
        password: &str,
        token: Option<&str>,
    ) -> Result<Vec<Candidate>, Interruption> {
        let query = format!(
            "SELECT {}, system_token = ? AS alike FROM systems \
             WHERE login = ? AND password = ? ORDER BY id",
            SystemRow::COLUMNS
        );
        let rows = sqlx::query(AssertSqlSafe(query))
            .bind(token)
            .bind(login)
            .bind(password)
            .fetch_all(self.connection())
            .await?;
        let candidate = |row| {
            let alike: Option<i64> = Row::try_get_unchecked(row, "alike")?;
            Ok(Candidate {
                row: SystemRow::from_row(row)?,
                alike: alike == Some(1),
            })
        };
        rows.iter().map(candidate).collect()
    }

    /// Makes everybody wait who wants to change, delete or lock this system, until the transaction
    /// ends. False when it is gone.
    ///
    /// By its id alone: locks on ranges of an index make for deadlocks with those who insert there.
    pub(crate) async fn lock_system(&mut self, id: u64) -> Result<bool, Interruption> {
        let row = sqlx::query("SELECT id FROM systems WHERE id = ? FOR UPDATE")
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        Ok(row.is_some())
    }

    /// Stores `copy`, whatever its id, which becomes its own, and gives it the activations of system
    /// `original`, as old as the copy itself. Who has some is to be reported to SCC (RMT: the
    /// callbacks of `Activation`).
    pub(crate) async fn insert_copy(
        &mut self,
        copy: &mut SystemRow,
        original: u64,
    ) -> Result<(), Interruption> {
        let text = copy.system_information.as_deref();
        self.check_length(text.map_or(0, str::len))?;
        let result = sqlx::query(
            "INSERT INTO systems (login, password, hostname, registered_at, last_seen_at, \
             created_at, updated_at, scc_registered_at, scc_system_id, system_token, \
             system_information, instance_data, proxy_byos_mode, pubcloud_reg_code) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&copy.login)
        .bind(&copy.password)
        .bind(&copy.hostname)
        .bind(copy.registered_at)
        .bind(copy.last_seen_at)
        .bind(copy.created_at)
        .bind(copy.updated_at)
        .bind(copy.scc_registered_at)
        .bind(copy.scc_system_id)
        .bind(&copy.system_token)
        .bind(text)
        .bind(&copy.instance_data)
        .bind(copy.proxy_byos_mode)
        .bind(&copy.pubcloud_reg_code)
        .execute(self.connection())
        .await?;
        copy.id = result.last_insert_id();
        let result = sqlx::query(
            "INSERT INTO activations (service_id, system_id, subscription_id, created_at, updated_at) \
             SELECT service_id, ?, subscription_id, ?, ? FROM activations WHERE system_id = ? \
             ORDER BY id",
        )
        .bind(copy.id)
        .bind(copy.created_at)
        .bind(copy.created_at)
        .bind(original)
        .execute(self.connection())
        .await?;
        if result.rows_affected() > 0 && copy.scc_registered_at.is_some() {
            let changes = SystemChanges {
                reset_scc: true,
                ..SystemChanges::default()
            };
            self.change_system(copy.id, &changes).await?;
            changes.apply(copy);
        }
        Ok(())
    }
}
