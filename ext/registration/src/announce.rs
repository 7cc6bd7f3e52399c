//! `POST /connect/subscriptions/systems`: a machine makes itself known and is given credentials
//! (contract, "announce"; RMT: `Api::Connect::V3::Subscriptions::SystemsController#announce_system`).

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::error::{Error, Failure};
use crate::json::to_json;
use crate::params::{Column, blank, blank_text, cast_text, parse, take_permitted};
use crate::store::{Interruption, NewProfile, NewSystem, Session};
use crate::work::Work;
use crate::{Progress, Registration};

/// RMT's clients send one or two; so many more are no client of RMT.
const MOST_PROFILES: usize = 64;

/// A system as it stands in the database after its announcement.
#[derive(Debug, Clone)]
pub struct Announced {
    /// `systems.id`.
    pub id: u64,
    /// `SCC_` and 32 hexadecimal digits.
    pub login: String,
    /// 16 hexadecimal digits.
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
    /// Without profiles this is one statement and one commit. The write is one transaction; when
    /// the database rolls it back (deadlock) it is done again, when the connection is lost in it
    /// the row is looked for under its login before it is.
    ///
    /// # Errors
    /// [`Error::Declined`], [`Error::BadInput`], [`Error::Invalid`], [`Error::Abandoned`],
    /// [`Error::Refused`], [`Error::Unavailable`] and [`Error::Internal`], see there.
    pub async fn announce(&self, params: &[u8], progress: &Progress) -> Result<Announced, Failure> {
        let mut params = parse(params)?;
        let hostname = cast_text(params.get("hostname"), Column::String)?;
        let hwinfo = take_permitted(&mut params, "hwinfo");
        let profiles = Profiles::among(take_permitted(&mut params, "system_profiles"))?;

        let system = NewSystem {
            login: format!("SCC_{}", self.hex::<16>()?),
            password: self.hex::<8>()?,
            hostname,
            system_information: to_json(&hwinfo.map_or(Value::Null, Value::Object)),
            announced_at: self.clock.now(),
        };
        let insertion = Insertion {
            system: &system,
            profiles: &profiles.complete,
            progress,
        };
        let id = self.carry_out(&insertion).await?;

        Ok(Announced {
            id,
            login: system.login,
            password: system.password,
            hostname: system.hostname,
            system_information: system.system_information,
            announced_at: system.announced_at,
            clear_profile_cache: profiles.clear_cache,
        })
    }

    /// `2 * BYTES` random hexadecimal digits.
    fn hex<const BYTES: usize>(&self) -> Result<String, Failure> {
        let mut bytes = [0; BYTES];
        self.entropy
            .fill(&mut bytes)
            .map_err(|e| Failure::unwritten(Error::Internal(format!("no randomness: {e}"))))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The write of an announce.
struct Insertion<'a> {
    system: &'a NewSystem,
    profiles: &'a [NewProfile],
    progress: &'a Progress,
}

impl Work for Insertion<'_> {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Interruption> {
        session
            .insert_system(self.system, self.profiles, self.progress)
            .await
    }

    async fn look(&self, session: &mut Session) -> Result<Option<u64>, Interruption> {
        session.system_id_by_login(&self.system.login).await
    }
}

/// What of the sent profiles is to be stored (RMT: `Profile.filter_profiles`).
#[derive(Debug, Default, PartialEq)]
struct Profiles {
    complete: Vec<NewProfile>,
    clear_cache: bool,
}

impl Profiles {
    /// Complete profiles have an identifier and a `data` key. Those without an identifier (or with
    /// an object for one), and what is no profile at all, are invalid, those without `data`
    /// incomplete: either asks the client to clear its cache.
    fn among(sent: Option<Map<String, Value>>) -> Result<Self, Failure> {
        let mut profiles = Self::default();
        for (profile_type, profile) in sent.unwrap_or_default() {
            let identifier = profile.get("identifier").filter(|value| !value.is_object());
            let Some(data) = profile.get("data").filter(|_| !blank(identifier)) else {
                profiles.clear_cache = true;
                continue;
            };
            profiles.complete.push(NewProfile {
                profile_type,
                identifier: cast_text(identifier, Column::String)?.unwrap_or_default(),
                data: cast_text(Some(data), Column::Text)?.filter(|text| !blank_text(text)),
            });
        }
        if profiles.complete.len() > MOST_PROFILES {
            return Err(Failure::unwritten(Error::Declined("too many profiles")));
        }
        Ok(profiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(value: Value) -> Result<Profiles, Failure> {
        Profiles::among(value.as_object().cloned())
    }

    fn profile(profile_type: &str, identifier: &str, data: Option<&str>) -> NewProfile {
        NewProfile {
            profile_type: profile_type.into(),
            identifier: identifier.into(),
            data: data.map(str::to_owned),
        }
    }

    #[test]
    fn complete_profiles_are_stored_in_the_order_they_came() {
        let profiles = among(json!({
            "pci_data": {"identifier": "aaaa", "data": "Slot 00"},
            "mod_list": {"identifier": 7, "data": true},
        }))
        .unwrap();
        assert!(!profiles.clear_cache);
        assert_eq!(
            profiles.complete,
            [
                profile("pci_data", "aaaa", Some("Slot 00")),
                profile("mod_list", "7", Some("t"))
            ]
        );
    }

    #[test]
    fn incomplete_and_invalid_profiles_clear_the_cache() {
        for broken in [
            json!({"identifier": "a"}),
            json!({"data": "x"}),
            json!({"identifier": " ", "data": "x"}),
            json!({"identifier": false, "data": "x"}),
            json!({"identifier": {"a": 1}, "data": "x"}),
            json!({}),
            json!("text"),
            json!(7),
            json!(null),
            json!([]),
        ] {
            let profiles =
                among(json!({"pci_data": broken, "mod_list": {"identifier": "b", "data": "x"}}));
            let profiles = profiles.unwrap();
            assert!(profiles.clear_cache, "{broken}");
            assert_eq!(profiles.complete, [profile("mod_list", "b", Some("x"))]);
        }
    }

    #[test]
    fn blank_data_can_only_be_linked_never_stored() {
        for data in [json!(null), json!(""), json!(" \n")] {
            let profiles = among(json!({"pci_data": {"identifier": "a", "data": data}})).unwrap();
            assert_eq!(profiles.complete, [profile("pci_data", "a", None)]);
        }
    }

    #[test]
    fn what_ruby_would_print_with_inspect_is_declined() {
        for broken in [
            json!({"identifier": ["a"], "data": "x"}),
            json!({"identifier": "a", "data": {"b": 1}}),
        ] {
            let failure = among(json!({"pci_data": broken})).unwrap_err();
            assert!(matches!(failure.error, Error::Declined(_)));
        }
    }

    #[test]
    fn no_profiles_is_nothing_to_do() {
        for sent in [json!({}), json!(null), json!("x")] {
            assert_eq!(among(sent).unwrap(), Profiles::default());
        }
    }
}
