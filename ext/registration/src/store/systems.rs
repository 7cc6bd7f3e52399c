//! Statements on `systems`.

use sqlx::Row;
use time::OffsetDateTime;

use super::profiles::NewProfile;
use super::session::{Interruption, Session};
use crate::Progress;
use crate::source::{microseconds, whole_seconds};

/// A system to be stored.
#[derive(Debug, Clone)]
pub struct NewSystem {
    /// Unpredictable and unique; not checked against the table, 128 random bits are.
    pub login: String,
    /// Unpredictable.
    pub password: String,
    /// As the client named itself.
    pub hostname: Option<String>,
    /// JSON.
    pub system_information: String,
    /// UTC, for `registered_at`, `created_at` and `updated_at`.
    pub announced_at: OffsetDateTime,
}

impl Session {
    /// Stores `system` with links to `profiles`, in one transaction, and returns its id. Without
    /// profiles the statement is its own transaction.
    ///
    /// # Errors
    /// What the database says, or that nobody waits any more, or that a profile that would have to
    /// be stored is not valid.
    pub async fn insert_system(
        &mut self,
        system: &NewSystem,
        profiles: &[NewProfile],
        progress: &Progress,
    ) -> Result<u64, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let hostname = system.hostname.as_deref().unwrap_or_default();
            self.check_length(hostname.len() + system.system_information.len())?;
            self.check_length(profiles.iter().map(NewProfile::identity_length).sum())?;
            if profiles.is_empty() {
                self.begin_write(progress)?;
                return self.insert_system_row(system).await;
            }
            let known = self.known_profiles(profiles).await?;
            self.begin_write(progress)?;
            self.begin().await?;
            let now = microseconds(system.announced_at);
            let profile_ids = self.ensure_profiles(profiles, known, now).await?;
            let id = self.insert_system_row(system).await?;
            self.link_profiles(id, &profile_ids, now).await?;
            self.commit().await?;
            Ok(id)
        })
        .await
    }

    async fn insert_system_row(&mut self, system: &NewSystem) -> Result<u64, Interruption> {
        let now = whole_seconds(system.announced_at);
        let result = sqlx::query(
            "INSERT INTO systems (login, password, hostname, system_information, \
             registered_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&system.login)
        .bind(&system.password)
        .bind(&system.hostname)
        .bind(&system.system_information)
        .bind(now)
        .bind(now)
        .bind(now)
        .execute(self.connection())
        .await?;
        Ok(result.last_insert_id())
    }

    /// The id of the system with this login, if it was stored. A write of it that is still under
    /// way is waited for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn system_id_by_login(&mut self, login: &str) -> Result<Option<u64>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let row = sqlx::query("SELECT id FROM systems WHERE login = ? LOCK IN SHARE MODE")
                .bind(login)
                .fetch_optional(self.connection())
                .await?;
            Ok(row.map(|row| row.try_get_unchecked("id")).transpose()?)
        })
        .await
    }
}
