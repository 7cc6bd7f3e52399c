//! Statements of a deregistration.

use sqlx::{MySql, QueryBuilder, Row};
use time::OffsetDateTime;

use super::session::{Interruption, Session};
use crate::Progress;
use crate::source::whole_seconds;

impl Session {
    /// Deletes the system with this `id` and all that only it has, in one transaction; nothing
    /// happens when it is gone already (RMT: the callbacks on destroying a `System`).
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
            self.begin_write(progress)?;
            self.begin().await?;
            // With the system locked nobody can give it activations, uptimes or links any more.
            if self.lock_system(id).await? {
                let profiles = self.lock_profiles_of(id).await?;
                self.remember_scc_id(id, now).await?;
                self.delete_rows_of(id, !profiles.is_empty()).await?;
                self.delete_orphans(&profiles).await?;
            }
            self.commit().await
        })
        .await
    }

    /// The profiles the system is linked to, held so that nobody else links or deletes them until
    /// the transaction ends: of several last systems that leave at a time, the last one then sees
    /// that it is the last, and who announces a like machine meanwhile finds the profile gone
    /// (and stores it again) or linked.
    async fn lock_profiles_of(&mut self, id: u64) -> Result<Vec<u64>, Interruption> {
        let rows = sqlx::query("SELECT profile_id FROM system_profiles WHERE system_id = ?")
            .bind(id)
            .fetch_all(self.connection())
            .await?;
        let mut profiles = Vec::with_capacity(rows.len());
        for row in rows {
            profiles.push(row.try_get_unchecked("profile_id")?);
        }
        if !profiles.is_empty() {
            let mut query = QueryBuilder::<MySql>::new("SELECT id FROM profiles WHERE id IN ");
            push_list(&mut query, &profiles);
            // Everybody in the same order: no deadlocks.
            query.push(" ORDER BY id FOR UPDATE");
            query.build().fetch_all(self.connection()).await?;
        }
        Ok(profiles)
    }

    /// So that SCC is told that the system left. Its id there is asked for now: it may have been
    /// given to it since it authenticated.
    async fn remember_scc_id(&mut self, id: u64, now: OffsetDateTime) -> Result<(), Interruption> {
        let now = whole_seconds(now);
        sqlx::query(
            "INSERT INTO deregistered_systems (scc_system_id, created_at, updated_at) \
             SELECT scc_system_id, ?, ? FROM systems \
             WHERE id = ? AND scc_system_id IS NOT NULL \
             ON DUPLICATE KEY UPDATE scc_system_id = VALUES(scc_system_id)",
        )
        .bind(now)
        .bind(now)
        .bind(id)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn delete_rows_of(&mut self, id: u64, linked: bool) -> Result<(), Interruption> {
        let links = linked.then_some("DELETE FROM system_profiles WHERE system_id = ?");
        let rest = [
            "DELETE FROM activations WHERE system_id = ?",
            "DELETE FROM system_uptimes WHERE system_id = ?",
            "DELETE FROM systems WHERE id = ?",
        ];
        for statement in links.into_iter().chain(rest) {
            sqlx::query(statement)
                .bind(id)
                .execute(self.connection())
                .await?;
        }
        Ok(())
    }

    /// Deletes those of these locked profiles that no system has any more
    /// (RMT: `SystemProfile#destroy_orphaned_profile`).
    async fn delete_orphans(&mut self, profiles: &[u64]) -> Result<(), Interruption> {
        if profiles.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<MySql>::new("DELETE FROM profiles WHERE id IN ");
        push_list(&mut query, profiles);
        query.push(
            " AND NOT EXISTS \
             (SELECT 1 FROM system_profiles WHERE system_profiles.profile_id = profiles.id)",
        );
        query.build().execute(self.connection()).await?;
        Ok(())
    }
}

fn push_list(query: &mut QueryBuilder<MySql>, ids: &[u64]) {
    query.push("(");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
}
