//! Statements of a deregistration.
//!
//! Rows are looked for without locks and deleted by their primary keys, once nobody can add to
//! them: to delete by `system_id` would lock ranges of the index, or of the whole table where that
//! is small, and those who register meanwhile insert there.

use sqlx::{MySql, QueryBuilder, Row};
use time::OffsetDateTime;

use super::catalog::padded;
use super::session::{Interruption, Session};
use crate::Progress;
use crate::source::whole_seconds;

/// What goes with a system.
#[derive(Default)]
struct Belongings {
    activations: Vec<u64>,
    uptimes: Vec<u64>,
    links: Vec<u64>,
    /// What the links lead to.
    profiles: Vec<u64>,
    /// Those of the profiles that no other system has.
    orphans: Vec<u64>,
    /// Its id at SCC, which it may have been given since it authenticated.
    scc_id: Option<u64>,
}

impl Session {
    /// Deletes the system with this `id` and all that only it has, in one transaction; nothing
    /// happens when it is gone already (RMT: the callbacks on destroying a `System`, and
    /// `SystemProfile#destroy_orphaned_profile`).
    ///
    /// # Errors
    /// What the database says, or that nobody waits any more.
    pub(crate) async fn delete_system(
        &mut self,
        id: u64,
        now: OffsetDateTime,
        progress: &Progress,
    ) -> Result<(), Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            while !self.try_to_delete_system(id, now, progress).await? {}
            Ok(())
        })
        .await
    }

    /// False when the system got other profiles before it was locked.
    async fn try_to_delete_system(
        &mut self,
        id: u64,
        now: OffsetDateTime,
        progress: &Progress,
    ) -> Result<bool, Interruption> {
        let profiles = self.profiles_of(id).await?;
        self.begin_write(progress)?;
        self.begin().await?;
        // With the system locked nobody can give it activations, uptimes or links any more.
        let mut done = true;
        if self.lock_system(id).await? {
            // Nobody else links or deletes them until the transaction ends. Of several last systems that leave at a
            // time, the last one then sees that it is the last; who announces a like machine meanwhile finds the
            // profile gone and stores it again.
            self.hold_profiles(&profiles, "FOR UPDATE").await?;
            let belongings = self.belongings(id).await?;
            done = belongings.profiles.iter().all(|it| profiles.contains(it));
            if done {
                self.delete("system_profiles", &belongings.links).await?;
                self.delete("activations", &belongings.activations).await?;
                self.delete("system_uptimes", &belongings.uptimes).await?;
                self.delete("systems", &[id]).await?;
                self.delete("profiles", &belongings.orphans).await?;
                if let Some(scc_id) = belongings.scc_id {
                    self.remember_scc_id(scc_id, now).await?;
                }
            }
        }
        self.commit().await?;
        Ok(done)
    }

    async fn profiles_of(&mut self, id: u64) -> Result<Vec<u64>, Interruption> {
        let rows = sqlx::query("SELECT profile_id FROM system_profiles WHERE system_id = ?")
            .bind(id)
            .fetch_all(self.connection())
            .await?;
        let profiles = rows.iter().map(|row| row.try_get_unchecked("profile_id"));
        Ok(profiles.collect::<Result<_, _>>()?)
    }

    /// To be called once system and profiles are locked, and before any other read without lock:
    /// what this one sees is what is there.
    async fn belongings(&mut self, id: u64) -> Result<Belongings, Interruption> {
        let rows = sqlx::query(
            "SELECT 'activation' AS kind, id, 0 AS profile_id, 0 AS shared FROM activations \
             WHERE system_id = ? \
             UNION ALL SELECT 'uptime', id, 0, 0 FROM system_uptimes WHERE system_id = ? \
             UNION ALL SELECT 'link', id, profile_id, EXISTS ( \
               SELECT 1 FROM system_profiles AS others \
               WHERE others.profile_id = links.profile_id AND others.system_id <> links.system_id) \
             FROM system_profiles AS links WHERE system_id = ? \
             UNION ALL SELECT 'scc', scc_system_id, 0, 0 FROM systems \
             WHERE id = ? AND scc_system_id IS NOT NULL",
        )
        .bind(id)
        .bind(id)
        .bind(id)
        .bind(id)
        .fetch_all(self.connection())
        .await?;
        let mut belongings = Belongings::default();
        for row in rows {
            let id = row.try_get_unchecked("id")?;
            match row.try_get_unchecked("kind")? {
                "activation" => belongings.activations.push(id),
                "uptime" => belongings.uptimes.push(id),
                "scc" => belongings.scc_id = Some(id),
                _ => {
                    let profile = row.try_get_unchecked("profile_id")?;
                    let shared: i64 = row.try_get_unchecked("shared")?;
                    belongings.links.push(id);
                    belongings.profiles.push(profile);
                    if shared == 0 {
                        belongings.orphans.push(profile);
                    }
                }
            }
        }
        Ok(belongings)
    }

    /// So that SCC is told that the system left, once: copies of a system have its id.
    ///
    /// The last statement, as RMT's purge waits for such a row while it holds activations that this transaction
    /// deletes. And one that looks at no more than the unique value: to update what is there would wait for a row
    /// that `scc-sync` deletes, while that waits for the value; to select the id would lock the table's counter.
    async fn remember_scc_id(
        &mut self,
        scc_id: u64,
        now: OffsetDateTime,
    ) -> Result<(), Interruption> {
        let now = whole_seconds(now);
        sqlx::query(
            "INSERT IGNORE INTO deregistered_systems (scc_system_id, created_at, updated_at) VALUES (?, ?, ?)",
        )
        .bind(scc_id)
        .bind(now)
        .bind(now)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes the rows with these `ids`, which may be none, and locks no others: of a table that has few more,
    /// MariaDB reads all for `id IN (…)`, whatever index is named, and waits for rows that others insert.
    pub(super) async fn delete(
        &mut self,
        table: &'static str,
        ids: &[u64],
    ) -> Result<(), Interruption> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<MySql>::new("DELETE ");
        query.push(table).push(" FROM (");
        let mut doomed = query.separated(" UNION ");
        for id in padded(ids) {
            doomed.push("SELECT CAST(").push_bind_unseparated(id);
            doomed.push_unseparated(" AS UNSIGNED) AS id");
        }
        query.push(") AS doomed STRAIGHT_JOIN ").push(table);
        query
            .push(" FORCE INDEX (PRIMARY) ON doomed.id = ")
            .push(table)
            .push(".id");
        query.build().execute(self.connection()).await?;
        Ok(())
    }
}
