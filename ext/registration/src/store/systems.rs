//! Statements on `systems`.

use std::collections::HashMap;

use sqlx::{MySql, QueryBuilder, Row};
use time::OffsetDateTime;

use super::profiles::NewProfile;
use super::session::{Interruption, Session};
use crate::Progress;
use crate::error::{Error, Failure};
use crate::source::{microseconds, whole_seconds};

/// A system to be stored.
#[derive(derive_more::Debug, Clone)]
pub struct NewSystem {
    /// Unpredictable and unique; not checked against the table, 128 random bits are.
    pub login: String,
    /// Unpredictable, or a hash of that.
    #[debug("[secret]")]
    pub password: String,
    /// As the client named itself.
    pub hostname: Option<String>,
    /// JSON.
    pub system_information: String,
    /// UTC, for `registered_at`, `created_at` and `updated_at`.
    pub announced_at: OffsetDateTime,
}

impl NewSystem {
    /// Bytes of what the client sent.
    fn length(&self) -> usize {
        self.hostname.as_deref().map_or(0, str::len) + self.system_information.len()
    }

    /// At least as many bytes as it takes in a statement for several.
    pub(crate) fn row_length(&self) -> usize {
        // Login, password (a hash at most), times, types of the values, a bit each for NULL.
        const REST: usize = 512;
        self.length() + REST
    }
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
            self.check_length(system.length())?;
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

    /// Stores `systems`, all or none of them, in one statement that is its own transaction, and returns
    /// their ids, in their order. [`Session::begin_write`] was called for each. With a `usual` number of
    /// them the statement is kept prepared.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn insert_systems(
        &mut self,
        systems: &[&NewSystem],
        usual: bool,
    ) -> Result<Vec<u64>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            if let [system] = systems {
                self.check_length(system.length())?;
                return Ok(vec![self.insert_system_row(system).await?]);
            }
            let mut query = QueryBuilder::<MySql>::new(
                "INSERT INTO systems (login, password, hostname, system_information, \
                 registered_at, created_at, updated_at) ",
            );
            query.push_values(systems, |mut row, system| {
                let now = whole_seconds(system.announced_at);
                row.push_bind(&system.login)
                    .push_bind(&system.password)
                    .push_bind(&system.hostname)
                    .push_bind(&system.system_information)
                    .push_bind(now)
                    .push_bind(now)
                    .push_bind(now);
            });
            query.push(" RETURNING login, id");
            let rows = query
                .build()
                .persistent(usual)
                .fetch_all(self.connection())
                .await?;
            let mut ids: HashMap<String, u64> = HashMap::with_capacity(rows.len());
            for row in rows {
                ids.insert(row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
            }
            let id = |system: &&NewSystem| ids.get(&system.login).copied();
            let ids: Option<Vec<u64>> = systems.iter().map(id).collect();
            ids.ok_or_else(|| {
                let what = "the server returned other rows than were stored".to_owned();
                Failure::perhaps_written(Error::Internal(what)).into()
            })
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
    /// way is waited for; in a Galera cluster, where it may have been sent to another node, all that the
    /// cluster has committed by now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn system_id_by_login(&mut self, login: &str) -> Result<Option<u64>, Interruption> {
        const LOOK: &str = "SELECT id FROM systems WHERE login = ? LOCK IN SHARE MODE";
        const LOOK_IN_CLUSTER: &str = "SET STATEMENT wsrep_sync_wait = 1 FOR \
             SELECT id FROM systems WHERE login = ? LOCK IN SHARE MODE";
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let statement = if self.in_cluster().await? {
                LOOK_IN_CLUSTER
            } else {
                LOOK
            };
            let row = sqlx::query(statement)
                .bind(login)
                .fetch_optional(self.connection())
                .await?;
            Ok(row.map(|row| row.try_get_unchecked("id")).transpose()?)
        })
        .await
    }

    /// Whether the server is a node of a Galera cluster. Servers that cannot be have no such variable.
    async fn in_cluster(&mut self) -> Result<bool, Interruption> {
        let row = sqlx::raw_sql("SHOW VARIABLES LIKE 'wsrep_on'")
            .fetch_optional(self.connection())
            .await?;
        let value: Option<String> = row.map(|row| row.try_get_unchecked(1)).transpose()?;
        Ok(value.as_deref() == Some("ON"))
    }
}
