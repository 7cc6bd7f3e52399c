//! Statements that put one form of a password in the place of another.

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::session::{Interruption, Session};
use crate::Progress;

/// What is to be stored for a system instead of what is.
#[derive(Clone)]
pub(crate) struct Replacement {
    pub id: u64,
    /// Exactly what is stored now; if it is something else by then, it is left alone.
    pub old: String,
    pub new: String,
}

/// What is stored for a system.
pub(crate) struct StoredPassword {
    pub id: u64,
    pub login: String,
    pub password: String,
}

impl Session {
    /// Stores those of the `replacements` whose systems still have what they had, in one statement, and
    /// returns how many there were. Nothing else of the systems changes: for RMT and for SCC they are what they were.
    ///
    /// By ids alone: locks on ranges of an index make for deadlocks with those who insert there.
    pub(crate) async fn replace_passwords(
        &mut self,
        replacements: &[Replacement],
        progress: &Progress,
    ) -> Result<u64, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            self.begin_write(progress)?;
            let mut query = QueryBuilder::<MySql>::new("UPDATE systems SET password = CASE id");
            for it in replacements {
                query.push(" WHEN ").push_bind(it.id);
                query.push(" THEN ").push_bind(&it.new);
            }
            query.push(" END WHERE id IN (");
            let mut ids = query.separated(", ");
            for it in replacements {
                ids.push_bind(it.id);
            }
            query.push(") AND BINARY password = CASE id");
            for it in replacements {
                query.push(" WHEN ").push_bind(it.id);
                query.push(" THEN BINARY ").push_bind(&it.old);
            }
            query.push(" END");
            let result = query
                .build()
                .persistent(replacements.len() == 1)
                .execute(self.connection())
                .await?;
            Ok(result.rows_affected())
        })
        .await
    }

    /// What the first `limit` systems after the one with id `after` have stored.
    pub(crate) async fn stored_passwords(
        &mut self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredPassword>, Interruption> {
        let statement = "SELECT id, login, password FROM systems \
             WHERE id > ? AND login IS NOT NULL AND password IS NOT NULL ORDER BY id LIMIT ?";
        let time = self.statement_timeout();
        Self::bounded(time, async {
            let query = sqlx::query(statement).bind(after).bind(limit);
            let rows = query.fetch_all(self.connection()).await?;
            rows.iter().map(stored_password).collect()
        })
        .await
    }

    /// What all systems with one of these logins have stored.
    pub(crate) async fn passwords_of(
        &mut self,
        logins: &[&str],
    ) -> Result<Vec<StoredPassword>, Interruption> {
        let time = self.statement_timeout();
        Self::bounded(time, async {
            let mut query = QueryBuilder::<MySql>::new(
                "SELECT id, login, password FROM systems WHERE password IS NOT NULL AND login IN (",
            );
            let mut list = query.separated(", ");
            for login in logins {
                list.push_bind(*login);
            }
            query.push(") ORDER BY id");
            let query = query.build().persistent(false);
            let rows = query.fetch_all(self.connection()).await?;
            rows.iter().map(stored_password).collect()
        })
        .await
    }
}

fn stored_password(row: &MySqlRow) -> Result<StoredPassword, Interruption> {
    Ok(StoredPassword {
        id: row.try_get_unchecked("id")?,
        login: row.try_get_unchecked("login")?,
        password: row.try_get_unchecked("password")?,
    })
}
