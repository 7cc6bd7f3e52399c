//! Statements of a keepalive.

use sqlx::{MySql, QueryBuilder, Row};
use time::{OffsetDateTime, PrimitiveDateTime};

use super::profiles::NewProfile;
use super::session::{Interruption, Session};
use super::system_row::SystemChanges;
use crate::Progress;
use crate::error::Failure;
use crate::profiles::SentProfiles;
use crate::source::microseconds;

/// On which hours of a day a system was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UptimeDay {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// 24 times `0` or `1`, or whatever was sent.
    pub hours: String,
}

/// All that a keepalive writes.
pub(crate) struct SystemUpdate {
    pub system_id: u64,
    /// None when the row stays as it is.
    pub changes: Option<SystemChanges>,
    pub uptimes: Vec<UptimeDay>,
    pub profiles: SentProfiles,
    pub now: OffsetDateTime,
}

/// The profiles a system is to have from now on: those that are complete or stored already.
#[derive(Default)]
struct Wanted {
    profiles: Vec<NewProfile>,
    /// Their ids, at the same positions.
    known: Vec<Option<u64>>,
    /// Those it has now: ids of the link and of the profile.
    linked: Vec<(u64, u64)>,
    /// Some incomplete profile is not known.
    unknown: bool,
}

impl Wanted {
    fn links_to(&self, profile: u64) -> bool {
        self.linked.iter().any(|(_, linked)| *linked == profile)
    }

    fn is_linked(&self) -> bool {
        let mut known = self.known.iter();
        let mut linked = self.linked.iter();
        known.all(|id| id.is_some_and(|id| self.links_to(id)))
            && linked.all(|(_, id)| self.known.contains(&Some(*id)))
    }
}

impl Session {
    /// Carries `update` out, in one transaction, and returns whether an incomplete profile was not
    /// known. Without uptimes and new links it is one statement, its own transaction.
    ///
    /// # Errors
    /// What the database says, that nobody waits any more, that a profile that would have to be
    /// stored is not valid, or that the system is gone.
    pub(crate) async fn update_system(
        &mut self,
        update: &SystemUpdate,
        progress: &Progress,
    ) -> Result<bool, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let wanted = self.wanted(update.system_id, &update.profiles).await?;
            let unknown = wanted.unknown;
            // A client none of whose profiles can be used keeps the links it has.
            let wanted = Some(wanted).filter(|it| !it.profiles.is_empty() && !it.is_linked());
            let alone = update.uptimes.is_empty() && wanted.is_none();
            if alone && update.changes.is_none() {
                return Ok(unknown);
            }
            self.begin_write(progress)?;
            if alone {
                self.change_known_system(update).await?;
                return Ok(unknown);
            }
            self.begin().await?;
            self.change_known_system(update).await?;
            let now = microseconds(update.now);
            self.upsert_uptimes(update.system_id, &update.uptimes, now)
                .await?;
            if let Some(wanted) = wanted {
                self.replace_links(update.system_id, wanted, now).await?;
            }
            self.commit().await?;
            Ok(unknown)
        })
        .await
    }

    async fn change_known_system(&mut self, update: &SystemUpdate) -> Result<(), Interruption> {
        let changes = update.changes.as_ref();
        if !self.change_or_lock(update.system_id, changes).await? {
            return Err(Failure::invalid_credentials().into());
        }
        Ok(())
    }

    /// What is stored of `sent`, and what the system is linked to now. Nothing is locked, as for an
    /// announce.
    async fn wanted(
        &mut self,
        system_id: u64,
        sent: &SentProfiles,
    ) -> Result<Wanted, Interruption> {
        let mut wanted = Wanted::default();
        let all: Vec<_> = sent.complete.iter().chain(&sent.incomplete).collect();
        if all.is_empty() {
            return Ok(wanted);
        }
        let lengths = all
            .iter()
            .map(|it| it.profile_type.len() + it.identifier.len());
        self.check_length(lengths.sum())?;
        let mut query = QueryBuilder::<MySql>::new(
            "SELECT -1 AS position, id AS link, profile_id AS id, '' AS profile_type \
             FROM system_profiles WHERE system_id = ",
        );
        query.push_bind(system_id);
        for (position, profile) in all.iter().enumerate() {
            query
                .push(" UNION ALL SELECT ")
                .push(position)
                .push(", 0, id, profile_type FROM profiles WHERE profile_type = ")
                .push_bind(&profile.profile_type)
                .push(" AND identifier = ")
                .push_bind(&profile.identifier);
        }
        let rows = query.build().fetch_all(self.connection()).await?;

        let mut known = vec![None; all.len()];
        let mut types = Vec::new();
        for row in rows {
            let position: i64 = row.try_get_unchecked("position")?;
            let id: u64 = row.try_get_unchecked("id")?;
            match usize::try_from(position) {
                Err(_) => wanted.linked.push((row.try_get_unchecked("link")?, id)),
                Ok(at) if at < known.len() => {
                    known[at] = Some(id);
                    if at >= sent.complete.len() {
                        types.push(row.try_get_unchecked::<String, _>("profile_type")?);
                    }
                }
                Ok(_) => {}
            }
        }
        // RMT finds the profile in whatever case its type is, but tells the client that it has not.
        wanted.unknown =
            (sent.incomplete.iter()).any(|profile| !types.contains(&profile.profile_type));
        for (at, (profile, known)) in all.into_iter().zip(known).enumerate() {
            if at < sent.complete.len() || known.is_some() {
                wanted.profiles.push(profile.clone());
                wanted.known.push(known);
            }
        }
        Ok(wanted)
    }

    /// Days that are known get their new hours, others are added; of a day that was sent twice the
    /// last counts (RMT: `System#update_system_uptime`).
    async fn upsert_uptimes(
        &mut self,
        system_id: u64,
        uptimes: &[UptimeDay],
        now: PrimitiveDateTime,
    ) -> Result<(), Interruption> {
        if uptimes.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<MySql>::new(
            "INSERT INTO system_uptimes (system_id, online_at_day, online_at_hours, created_at, \
             updated_at) ",
        );
        query.push_values(uptimes, |mut row, uptime| {
            row.push_bind(system_id)
                .push_bind(&uptime.day)
                .push_bind(uptime.hours.as_bytes())
                .push_bind(now)
                .push_bind(now);
        });
        // From left to right: the hours are still the old ones where they are compared.
        query.push(
            " ON DUPLICATE KEY UPDATE \
             updated_at = IF(online_at_hours = VALUES(online_at_hours), updated_at, VALUES(updated_at)), \
             online_at_hours = VALUES(online_at_hours)",
        );
        query.build().execute(self.connection()).await?;
        Ok(())
    }

    /// Gives the system these profiles and no others. Links that stay are not touched; profiles
    /// that are linked no more stay too, as with RMT, until a system that has them leaves
    /// (RMT: `System#complete_profiles=`).
    async fn replace_links(
        &mut self,
        system_id: u64,
        wanted: Wanted,
        now: PrimitiveDateTime,
    ) -> Result<(), Interruption> {
        let ids = self
            .ensure_profiles(&wanted.profiles, wanted.known, now)
            .await?;
        let stale: Vec<_> = (wanted.linked.iter())
            .filter(|(_, profile)| !ids.contains(profile))
            .map(|(link, _)| *link)
            .collect();
        self.delete("system_profiles", &stale).await?;
        let missing: Vec<_> = (ids.into_iter())
            .filter(|id| !wanted.linked.iter().any(|(_, linked)| linked == id))
            .collect();
        if !missing.is_empty() {
            self.link_profiles(system_id, &missing, now).await?;
        }
        Ok(())
    }
}
