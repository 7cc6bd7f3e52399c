//! `PUT /connect/systems`: the daily keepalive, and what a system sends when it registers again
//! (contract, "update"; RMT: `Api::Connect::V3::Systems::SystemsController#update`).

use serde_json::{Map, Value};
use time::{Date, Month};

use crate::actor::Actor;
use crate::authenticate::merged;
use crate::error::{Error, Failure};
use crate::log::LogLine;
use crate::params::{Column, blank, blank_text, cast_text, limit, parse, take_permitted};
use crate::profiles::SentProfiles;
use crate::source::whole_seconds;
use crate::store::{Interruption, Session, SystemChanges, SystemRow, SystemUpdate, UptimeDay};
use crate::work::Work;
use crate::{Progress, Registration};

/// Clients send the days since they last did; so many more than a year has are no client of RMT.
pub(crate) const MOST_DAYS: usize = 1_000;

/// As long as the column is.
const LONGEST_HOURS: usize = 24;

/// What came of a keepalive. The answer (204) has no body.
#[derive(derive_more::Debug, Clone)]
pub struct Updated {
    /// As it stands in the database now.
    pub system: SystemRow,
    /// The system's new token, for `System-Token`; `None` when it was not to be rotated.
    #[debug("[secret]")]
    pub system_token: Option<String>,
    /// Some profile could not be used; the client is to forget which ones it has sent
    /// (`X-System-Profiles-Action: clear-cache`).
    pub clear_profile_cache: bool,
    /// What RMT logs about it.
    pub log: Vec<LogLine>,
}

impl Registration {
    /// Stores what an authenticated system says of itself. `params` is a JSON object with the
    /// request's parameters as Rails parsed them; `hostname`, `hwinfo`, `online_at` and
    /// `system_profiles` are looked at.
    ///
    /// One transaction. Where RMT crashes because a parameter is missing or of the wrong type,
    /// the rest is stored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a day that is no date and for blank hours or profile data,
    /// [`Error::Rmt`] (401) when the system has been deleted since it was authenticated,
    /// [`Error::Declined`] and [`Error::BadInput`], and those that any operation has.
    pub async fn update(
        &self,
        actor: &Actor,
        params: &[u8],
        progress: &Progress,
    ) -> Result<Updated, Failure> {
        let system = &actor.system;
        let mut params = parse(params)?;
        let hostname = cast_text(params.get("hostname"), Column::String)?;
        let hwinfo = take_permitted(&mut params, "hwinfo");
        let profiles = SentProfiles::among(take_permitted(&mut params, "system_profiles"))?;
        let mut uptimes = Uptimes::among(params.get("online_at"))?;
        let system_token = actor.new_token(&*self.entropy)?;

        let now = self.clock.now();
        let mut changes = changes(system, hostname, hwinfo);
        changes.system_token.clone_from(&system_token);
        changes.stamp(system, whole_seconds(now));
        let mut updated = system.clone();
        changes.apply(&mut updated);
        let needed = changes.needed_by(system) || actor.note.is_some();

        let invalid = profiles.invalid;
        let keepalive = Keepalive {
            update: SystemUpdate {
                system_id: system.id,
                changes: Some(actor.with_note(changes)).filter(|_| needed),
                uptimes: uptimes.days,
                profiles,
                now,
            },
            progress,
        };
        let unknown = self.carry_out(&keepalive).await?;

        let host = updated.hostname.as_deref().unwrap_or_default();
        let line = format!("Updated system information for host '{host}'");
        uptimes.log.push(LogLine::info(line));
        Ok(Updated {
            system: updated,
            system_token,
            clear_profile_cache: invalid || unknown,
            log: uptimes.log,
        })
    }
}

/// The columns that a keepalive changes. A host name that is not sent is forgotten, hardware
/// information is merged into what is known.
fn changes(
    system: &SystemRow,
    hostname: Option<String>,
    hwinfo: Option<Map<String, Value>>,
) -> SystemChanges {
    SystemChanges {
        system_information: hwinfo
            .and_then(|hwinfo| merged(system.system_information.as_deref(), hwinfo)),
        hostname: Some(hostname).filter(|hostname| *hostname != system.hostname),
        reset_scc: true,
        ..SystemChanges::default()
    }
}

struct Keepalive<'a> {
    update: SystemUpdate,
    progress: &'a Progress,
}

impl Work for Keepalive<'_> {
    type Output = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Interruption> {
        session.update_system(&self.update, self.progress).await
    }
}

/// The days in `online_at`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Uptimes {
    pub days: Vec<UptimeDay>,
    log: Vec<LogLine>,
}

impl Uptimes {
    /// Each is `day:hours`; what has more or fewer parts is only logged, and so is what is no text.
    pub fn among(sent: Option<&Value>) -> Result<Self, Failure> {
        let mut uptimes = Self::default();
        match sent {
            value if blank(value) => {}
            Some(Value::Array(elements)) => {
                for element in elements {
                    uptimes.add(element)?;
                }
            }
            // RMT walks through the pairs of an object and complains about each one's key.
            Some(Value::Object(pairs)) => pairs.keys().for_each(|key| uptimes.complain(key)),
            Some(Value::String(text)) => uptimes.complain(text),
            Some(other) => uptimes.complain(&other.to_string()),
            None => {}
        }
        limit("too many days", uptimes.days.len(), MOST_DAYS)?;
        Ok(uptimes)
    }

    fn add(&mut self, element: &Value) -> Result<(), Failure> {
        let Value::String(text) = element else {
            if !element.is_null() {
                self.complain(&element.to_string());
            }
            return Ok(());
        };
        // Ruby's `split` leaves out empty parts at the end.
        let mut parts = text.trim_end_matches(':').split(':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(day), Some(hours), None) => {
                if blank_text(hours) {
                    let what = "Online at hours can't be blank";
                    return Err(Failure::unwritten(Error::Invalid(what)));
                }
                let day = date(day)?;
                if hours.len() > LONGEST_HOURS {
                    let what = "online_at is too long".to_owned();
                    return Err(Failure::unwritten(Error::BadInput(what)));
                }
                self.days.push(UptimeDay {
                    day,
                    hours: hours.to_owned(),
                });
            }
            _ => self.complain(text),
        }
        Ok(())
    }

    fn complain(&mut self, what: &str) {
        let line = format!("Uptime data is malformed '{what}'");
        self.log.push(LogLine::error(line));
    }
}

/// A date as ActiveRecord casts it (`ActiveModel::Type::Date`). What is written otherwise than
/// `YYYY-MM-DD` is read by Ruby's `Date._parse`, which knows dates in a hundred forms.
fn date(text: &str) -> Result<String, Failure> {
    let shape: String = (text.chars())
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape != "0000-00-00" && shape.contains('0') {
        let what = "a date that is not YYYY-MM-DD";
        return Err(Failure::unwritten(Error::Declined(what)));
    }
    if is_date(text) {
        return Ok(text.to_owned());
    }
    let what = "Online at day can't be blank";
    Err(Failure::unwritten(Error::Invalid(what)))
}

/// Whether `text`, which has the shape of a date if it has digits, is one.
fn is_date(text: &str) -> bool {
    let year = text.get(..4).map(str::parse);
    let month = text.get(5..7).map(str::parse::<u8>);
    let day = text.get(8..).map(str::parse);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (year, month, day) else {
        return false;
    };
    let date = |month| Date::from_calendar_date(year, month, day);
    Month::try_from(month).is_ok_and(|month| date(month).is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn among(sent: Value) -> Result<Uptimes, Failure> {
        Uptimes::among(Some(&sent))
    }

    #[test]
    fn days_have_two_parts() {
        let uptimes = among(json!([
            "2026-06-01:1",
            "2026-06-02:é::",
            "a:b:c",
            "a:",
            "x",
            "::"
        ]));
        let uptimes = uptimes.unwrap();
        let day = |day: &str, hours: &str| UptimeDay {
            day: day.to_owned(),
            hours: hours.to_owned(),
        };
        assert_eq!(
            uptimes.days,
            [day("2026-06-01", "1"), day("2026-06-02", "é")]
        );
        assert_eq!(uptimes.log.len(), 4);
    }

    #[test]
    fn what_is_no_list_is_only_logged() {
        for (sent, lines) in [
            (json!("2026-06-01:1"), 1),
            (json!(5), 1),
            (json!({"a": 1, "b": 2}), 2),
            (json!([1, [2], {}]), 3),
            (json!([null]), 0),
            (json!([]), 0),
            (json!(" "), 0),
            (json!(null), 0),
            (json!(false), 0),
        ] {
            let uptimes = among(sent.clone()).unwrap();
            assert_eq!(
                (uptimes.days.len(), uptimes.log.len()),
                (0, lines),
                "{sent}"
            );
        }
        assert_eq!(Uptimes::among(None).unwrap(), Uptimes::default());
    }

    #[test]
    fn what_is_no_day_is_invalid() {
        for sent in ["2026-02-30:1", "2026-13-01:1", "x:y", ":1", "2026-01-05: "] {
            let failure = among(json!([sent])).unwrap_err();
            assert!(matches!(failure.error, Error::Invalid(_)), "{sent}");
        }
        for sent in ["2026-1-5:1", "20260105:1", " 2026-01-05:1", "1:2"] {
            let failure = among(json!([sent])).unwrap_err();
            assert!(matches!(failure.error, Error::Declined(_)), "{sent}");
        }
        for sent in ["0000-01-05:1", "2024-02-29:1", "9999-12-31:1"] {
            assert_eq!(among(json!([sent])).unwrap().days.len(), 1);
        }
    }
}
