//! Statements on `profiles` and `system_profiles`.

use sqlx::{MySql, QueryBuilder, Row};
use time::PrimitiveDateTime;

use super::catalog::push_ids;
use super::session::{Interruption, Session};
use crate::error::{Error, Failure};

/// A profile that a client sent, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProfile {
    /// `pci_data`, `mod_list` …
    pub profile_type: String,
    /// What tells it from others of its type.
    pub identifier: String,
    /// Its content; `None` when it was blank, which can be linked if it is known but not stored.
    pub data: Option<String>,
}

impl NewProfile {
    /// Bytes of what tells it from others.
    pub(super) fn identity_length(&self) -> usize {
        self.profile_type.len() + self.identifier.len()
    }
}

impl Session {
    /// The ids of those `profiles` that are stored already, at their positions.
    ///
    /// Nothing is locked: a herd of like machines shares its profiles, and a lock on such a row
    /// would make them queue for each other's commits.
    pub(super) async fn known_profiles(
        &mut self,
        profiles: &[NewProfile],
    ) -> Result<Vec<Option<u64>>, Interruption> {
        let mut query = QueryBuilder::<MySql>::new("");
        for (position, profile) in profiles.iter().enumerate() {
            if position > 0 {
                query.push(" UNION ALL ");
            }
            query
                .push("SELECT ")
                .push(position)
                .push(" AS position, id FROM profiles WHERE profile_type = ")
                .push_bind(&profile.profile_type)
                .push(" AND identifier = ")
                .push_bind(&profile.identifier);
        }
        let mut known = vec![None; profiles.len()];
        for row in query.build().fetch_all(self.connection()).await? {
            let position: i64 = row.try_get_unchecked("position")?;
            let slot = usize::try_from(position)
                .ok()
                .and_then(|at| known.get_mut(at));
            if let Some(slot) = slot {
                *slot = Some(row.try_get_unchecked("id")?);
            }
        }
        Ok(known)
    }

    /// Stores those `profiles` that are not `known`; another client may do so at the same time. The
    /// ids, each once: what differs here can be the same to the table (case, trailing spaces).
    pub(super) async fn ensure_profiles(
        &mut self,
        profiles: &[NewProfile],
        known: Vec<Option<u64>>,
        now: PrimitiveDateTime,
    ) -> Result<Vec<u64>, Interruption> {
        // A link holds its profile, and one that is stored now is held from here on; those that are known are older.
        let older: Vec<u64> = known.iter().flatten().copied().collect();
        if older.len() < known.len() || !older.is_sorted() {
            self.hold_profiles(&older, "LOCK IN SHARE MODE").await?;
        }
        let mut ids = Vec::with_capacity(profiles.len());
        for (profile, known) in profiles.iter().zip(known) {
            let id = match known {
                Some(id) => id,
                None => self.insert_profile(profile, now).await?,
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    async fn insert_profile(
        &mut self,
        profile: &NewProfile,
        now: PrimitiveDateTime,
    ) -> Result<u64, Interruption> {
        if crate::params::blank_text(&profile.profile_type) {
            return Err(invalid("Profile type can't be blank"));
        }
        let Some(data) = &profile.data else {
            return Err(invalid("Data can't be blank"));
        };
        self.check_length(profile.identity_length() + data.len())?;
        // On a duplicate the row's own id becomes the "last inserted" one: the loser of a race
        // waits for the winner's commit and links what the winner stored.
        let result = sqlx::query(
            "INSERT INTO profiles (profile_type, identifier, data, created_at, updated_at) \
             VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
        )
        .bind(&profile.profile_type)
        .bind(&profile.identifier)
        .bind(data)
        .bind(now)
        .bind(now)
        .execute(self.connection())
        .await?;
        Ok(result.last_insert_id())
    }

    /// The links get their ids in the order of `profile_ids` (RMT: `System#complete_profiles=`).
    pub(super) async fn link_profiles(
        &mut self,
        system_id: u64,
        profile_ids: &[u64],
        now: PrimitiveDateTime,
    ) -> Result<(), Interruption> {
        let mut query = QueryBuilder::<MySql>::new(
            "INSERT INTO system_profiles (system_id, profile_id, created_at, updated_at) ",
        );
        query.push_values(profile_ids, |mut row, profile_id| {
            row.push_bind(system_id)
                .push_bind(profile_id)
                .push_bind(now)
                .push_bind(now);
        });
        query.build().execute(self.connection()).await?;
        Ok(())
    }

    /// Holds these profiles until the transaction ends, `how` a locking read does it. Everybody in the same order: none
    /// has what another one waits for.
    pub(super) async fn hold_profiles(
        &mut self,
        ids: &[u64],
        how: &'static str,
    ) -> Result<(), Interruption> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<MySql>::new(
            "SELECT id FROM profiles FORCE INDEX (PRIMARY) WHERE id IN (",
        );
        push_ids(&mut query, ids);
        query.push(") ORDER BY id ").push(how);
        query.build().fetch_all(self.connection()).await?;
        Ok(())
    }
}

fn invalid(what: &'static str) -> Interruption {
    Interruption::Stop(Failure::unwritten(Error::Invalid(what)))
}
