//! `POST /connect/subscriptions/systems`: a machine makes itself known and is given credentials
//! (contract, "announce"; RMT: `Api::Connect::V3::Subscriptions::SystemsController#announce_system`).

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::combining::together;
use crate::error::Failure;
use crate::json::to_json;
use crate::params::{Column, cast_text, parse, take_permitted};
use crate::profiles::SentProfiles;
use crate::source::random_hex;
use crate::store::{Interruption, NewProfile, NewSystem, Session};
use crate::work::{Traces, Work};
use crate::{Progress, Registration};

/// A system as it stands in the database after its announcement.
#[derive(derive_more::Debug, Clone)]
pub struct Announced {
    /// `systems.id`.
    pub id: u64,
    /// `SCC_` and 32 hexadecimal digits.
    pub login: String,
    /// 16 hexadecimal digits; what is stored may be a hash of it.
    #[debug("[secret]")]
    pub password: String,
    /// As the client named itself; NULL when it did not.
    pub hostname: Option<String>,
    /// `systems.system_information`: the hardware information as JSON, `null` when there is none.
    pub system_information: String,
    /// UTC; its whole seconds are `registered_at`, `created_at` and `updated_at`.
    pub announced_at: OffsetDateTime,
    /// Some profile could not be used; the client is to forget which ones it has sent
    /// (`X-System-Profiles-Action: clear-cache`).
    pub clear_profile_cache: bool,
}

impl Announced {
    /// The answer's body (201), as RMT's `V3::SystemSerializer` renders it.
    pub fn body(&self) -> String {
        to_json(&json!({
            "id": self.id,
            "login": self.login,
            "password": self.password,
            "last_seen_at": null,
        }))
    }
}

impl Registration {
    /// Stores a new system, with login and password of its own, and links the complete profiles
    /// it sent. `params` is a JSON object with the request's parameters as Rails parsed them;
    /// `hostname`, `hwinfo` and `system_profiles` are looked at.
    ///
    /// Without profiles this is at most one statement and one commit; announces that meet share them. The write is one transaction; when
    /// the database rolls it back (deadlock) it is done again, when the connection is lost in it
    /// the row is looked for under its login before it is.
    ///
    /// # Errors
    /// [`Declined`](crate::Error::Declined), [`BadInput`](crate::Error::BadInput),
    /// [`Invalid`](crate::Error::Invalid), [`Abandoned`](crate::Error::Abandoned),
    /// [`Refused`](crate::Error::Refused), [`Unavailable`](crate::Error::Unavailable) and
    /// [`Internal`](crate::Error::Internal), see there.
    pub async fn announce(&self, params: &[u8], progress: &Progress) -> Result<Announced, Failure> {
        let mut params = parse(params)?;
        let hostname = cast_text(params.get("hostname"), Column::String)?;
        let hwinfo = take_permitted(&mut params, "hwinfo");
        let profiles = SentProfiles::among(take_permitted(&mut params, "system_profiles"))?;

        let login = format!("SCC_{}", random_hex::<16>(&*self.entropy)?);
        let password = random_hex::<8>(&*self.entropy)?;
        // Before anybody else waits for this system to be stored.
        let stored = self.password_to_store(&login, &password, progress);
        let stored = stored.await?;
        let system = Arc::new(NewSystem {
            login,
            password: stored,
            hostname,
            system_information: to_json(&hwinfo.map_or(Value::Null, Value::Object)),
            announced_at: self.clock.now(),
        });
        let id = if profiles.complete.is_empty() {
            self.store_system(&system, progress).await?
        } else {
            let insertion = Insertion {
                system: &system,
                profiles: &profiles.complete,
                progress,
            };
            together(1);
            self.carry_out(&insertion).await?
        };

        let system = Arc::unwrap_or_clone(system);
        Ok(Announced {
            id,
            login: system.login,
            password,
            hostname: system.hostname,
            system_information: system.system_information,
            announced_at: system.announced_at,
            clear_profile_cache: profiles.invalid || !profiles.incomplete.is_empty(),
        })
    }
}

/// The write of an announce.
pub(crate) struct Insertion<'a> {
    pub system: &'a NewSystem,
    pub profiles: &'a [NewProfile],
    pub progress: &'a Progress,
}

impl Work for Insertion<'_> {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Interruption> {
        session
            .insert_system(self.system, self.profiles, self.progress)
            .await
    }

    async fn look(&self, session: &mut Session) -> Result<Traces<u64>, Interruption> {
        let id = session.system_id_by_login(&self.system.login).await?;
        Ok(id.map_or(Traces::None, Traces::Done))
    }
}
