//! Who is calling: HTTP Basic credentials, and the token that tells systems with the same
//! credentials from each other (contract, "Authentication"; RMT:
//! `ApplicationController#authenticate_system`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use crate::error::{Error, Failure};
use crate::json::{NUMBER_KEY, respell, to_json};
use crate::log::LogLine;
use crate::params::blank_text;
use crate::passwords::Proof;
use crate::source::whole_seconds;
use crate::store::{Candidate, Interruption, Question, Session, SystemChanges, SystemRow, Told};
use crate::work::Work;
use crate::{Progress, Registration};

/// A system without a token is not written at each of its requests, only when it was last seen
/// longer ago than this.
const SEEN_RECENTLY: Duration = Duration::minutes(3);

/// How often to look again for a system that was deleted while it authenticated.
const LOOKS: u32 = 3;

/// The `System-Token` header.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
pub enum TokenHeader {
    /// Not sent: a client that knows no tokens.
    Absent,
    /// Sent; a blank value is the same as none.
    #[debug("Present([secret])")]
    Present(Option<String>),
}

/// What a request says about who sends it.
#[derive(Clone)]
pub struct Credentials {
    /// Of the Basic credentials.
    pub login: String,
    /// Of the Basic credentials.
    pub password: String,
    /// The `System-Token` header.
    pub token: TokenHeader,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// False with RMT's setting `connect_api.disable_system_tokens`: a sent token still chooses
    /// the system, but is neither echoed nor rotated.
    pub tokens_enabled: bool,
    /// Leave all alone when several systems have these credentials, as services do.
    pub skip_on_duplicated: bool,
    /// Leave it to the operation that follows to write what is to be noted of the system, together
    /// with what it writes itself; see [`Authenticated::note`].
    pub defer: bool,
}

impl Credentials {
    fn token(&self) -> Option<&str> {
        match &self.token {
            TokenHeader::Present(Some(token)) if !blank_text(token) => Some(token),
            _ => None,
        }
    }

    fn has_header(&self) -> bool {
        self.token != TokenHeader::Absent
    }

    /// zypper is not the program that registered the system, and says less about it.
    fn is_zypper(&self) -> bool {
        self.user_agent.as_deref().is_some_and(names_zypper)
    }
}

/// Whether a user agent is zypper's.
pub(crate) fn names_zypper(user_agent: &str) -> bool {
    let name = user_agent.get(..4);
    name.is_some_and(|name| name.eq_ignore_ascii_case("zypp"))
}

/// How a system was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The client sent no token: the oldest system with the credentials.
    WithoutToken,
    /// The one with exactly this token, or with none if the sent one was blank.
    WithToken,
    /// None has this token: a copy of the oldest, made now.
    Copied {
        /// The system it was copied from.
        from: u64,
    },
    /// Several systems have the credentials and [`Credentials::skip_on_duplicated`] was set: the
    /// oldest, nothing was written.
    Skipped,
}

/// An authenticated system.
#[derive(derive_more::Debug, Clone)]
pub struct Authenticated {
    /// As it stands in the database now.
    pub system: SystemRow,
    /// How it was found.
    pub found: Found,
    /// The `System-Token` to answer with, also on a later error; empty for a system without one.
    /// `None` when the client sent no token or tokens are disabled.
    #[debug("[secret]")]
    pub token_echo: Option<String>,
    /// All systems with these credentials, the oldest first, a copy made now included.
    pub ids: Vec<u64>,
    /// What is still to be written of it. Whatever becomes of the request, somebody has to.
    pub note: Option<Note>,
    /// The catalog's version at that moment, if it has one.
    pub(crate) version: Option<u64>,
    /// What was asked besides, if the answer is there.
    pub(crate) told: Option<Told>,
    #[debug("[secret]")]
    sent_token: Option<String>,
    /// What else the log should know.
    complaint: Option<LogLine>,
}

/// What an authentication changes of a system, `system` in [`Authenticated`] has it already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    system_id: u64,
    changes: SystemChanges,
}

impl Note {
    /// The changes of an operation, and before them these.
    pub(crate) fn and(&self, changes: SystemChanges) -> SystemChanges {
        changes.after(&self.changes)
    }

    /// In a transaction of its own. Nobody is to know when the system is gone.
    pub(crate) async fn write(
        &self,
        session: &mut Session,
        progress: &Progress,
    ) -> Result<(), Interruption> {
        let limit = session.statement_timeout();
        Session::bounded(limit, async {
            session.begin_write(progress)?;
            session.change_system(self.system_id, &self.changes).await?;
            Ok(())
        })
        .await
    }
}

impl Authenticated {
    /// Whether the client sent a token and tokens are enabled: an operation that changes the
    /// system is to rotate it then.
    pub fn knows_tokens(&self) -> bool {
        self.token_echo.is_some()
    }

    /// Lines for the log: RMT's own, and what else the operator should know.
    pub fn log(&self) -> impl Iterator<Item = LogLine> {
        self.log_line().into_iter().chain(self.complaint.clone())
    }

    /// What RMT logs about it, backslashes included, but for the token itself.
    fn log_line(&self) -> Option<LogLine> {
        let SystemRow { login, id, .. } = &self.system;
        let end = match self.found {
            Found::WithoutToken => " authenticated without token header".to_owned(),
            Found::WithToken => {
                // A secret, which RMT prints.
                let sent = self.sent_token.as_ref().map_or("", |_| "[FILTERED]");
                format!(r#" authenticated with token \"{sent}\""#)
            }
            Found::Copied { from } => format!(
                " (ID {id}) authenticated and duplicated from ID {from} due to token mismatch"
            ),
            Found::Skipped => return None,
        };
        Some(LogLine::info(format!(
            r#"System with login \"{login}\"{end}"#
        )))
    }
}

impl Registration {
    /// Finds the system that sends `credentials`, and notes that it was seen and with which
    /// program. One statement when nothing changes, else two and one commit; eight when the system
    /// has to be copied.
    ///
    /// # Errors
    /// [`Error::Rmt`] (401) for wrong credentials, [`Error::Invalid`] for a token that differs
    /// from another one only in what the database does not distinguish, [`Error::BadInput`],
    /// [`Error::Abandoned`], [`Error::Refused`], [`Error::Unavailable`] and [`Error::Internal`].
    pub async fn authenticate(
        &self,
        credentials: &Credentials,
        progress: &Progress,
    ) -> Result<Authenticated, Failure> {
        let proof = self.proof(credentials);
        let proof = proof.as_ref();
        let authentication = Authentication::new(credentials, proof, self.clock.now(), progress);
        let authenticated = self.carry_out_proven(&authentication, proof, progress);
        let mut authenticated = authenticated.await?;
        self.authenticated(&mut authenticated);
        Ok(authenticated)
    }

    /// What is learned from an authentication besides, and told with it.
    pub(crate) fn authenticated(&self, authenticated: &mut Authenticated) {
        self.catalog_was_seen(authenticated.version);
        authenticated.complaint = self.complaint_about_passwords();
    }

    /// Writes what an operation did not come to write.
    ///
    /// # Errors
    /// As [`Registration::authenticate`]; a system that is gone needs no note.
    pub async fn note(&self, note: &Note, progress: &Progress) -> Result<(), Failure> {
        self.carry_out(&Noting { note, progress }).await
    }
}

struct Noting<'a> {
    note: &'a Note,
    progress: &'a Progress,
}

impl Work for Noting<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), Interruption> {
        self.note.write(session, self.progress).await
    }
}

pub(crate) struct Authentication<'a> {
    pub credentials: &'a Credentials,
    /// Where passwords may be kept as hashes.
    proof: Option<&'a Proof>,
    pub now: OffsetDateTime,
    pub progress: &'a Progress,
    /// What else is to be found out of the system.
    pub question: Option<Question>,
    /// The copy that an attempt has made, and of which system: if its answer was lost, the next
    /// attempt finds the copy, and has to say where it is from.
    copied: Mutex<Option<(u64, u64)>>,
}

impl<'a> Authentication<'a> {
    /// To be carried out with [`Registration::carry_out_proven`] if there is a `proof`.
    pub fn new(
        credentials: &'a Credentials,
        proof: Option<&'a Proof>,
        now: OffsetDateTime,
        progress: &'a Progress,
    ) -> Self {
        Self {
            credentials,
            proof,
            now,
            progress,
            question: None,
            copied: Mutex::default(),
        }
    }

    fn remembered_copy(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work for Authentication<'_> {
    type Output = Authenticated;

    async fn run(&self, session: &mut Session) -> Result<Authenticated, Interruption> {
        let limit = session.statement_timeout();
        let looking = async {
            for _ in 0..LOOKS {
                if let Some(authenticated) = self.look_once(session).await? {
                    return Ok(authenticated);
                }
            }
            Err(Failure::invalid_credentials().into())
        };
        Session::bounded(limit, looking).await
    }
}

impl Authentication<'_> {
    /// None when the system was deleted between being read and being written.
    async fn look_once(
        &self,
        session: &mut Session,
    ) -> Result<Option<Authenticated>, Interruption> {
        let candidates = self.candidates(session).await?;
        match choose(&candidates, self.credentials)? {
            Choice::Take(at, found) => self.take(session, &candidates, at, found).await,
            Choice::Copy => {
                let oldest = candidates[0].row.id;
                session.begin_write(self.progress)?;
                session.begin().await?;
                let result = self.copy(session, oldest).await?;
                session.commit().await?;
                Ok(result)
            }
        }
    }

    /// Notes that the system was seen.
    async fn take(
        &self,
        session: &mut Session,
        candidates: &[Candidate],
        at: usize,
        found: Found,
    ) -> Result<Option<Authenticated>, Interruption> {
        let row = &candidates[at].row;
        let found = match *self.remembered_copy() {
            Some((copy, from)) if copy == row.id => Found::Copied { from },
            _ => found,
        };
        let changes = self.changes(row);
        let mut note = None;
        if found != Found::Skipped && changes.needed_by(row) {
            let system_id = row.id;
            if self.credentials.defer {
                note = Some(Note { system_id, changes });
            } else {
                session.begin_write(self.progress)?;
                if !session.change_system(system_id, &changes).await? {
                    return Ok(None);
                }
            }
        }
        let result = self.result(candidates, at, found);
        Ok(result.map(|result| Authenticated { note, ..result }))
    }

    /// Copies the system `oldest`, unless somebody else has been faster. Who holds it holds off
    /// everybody else with the same credentials, so one token makes one copy.
    async fn copy(
        &self,
        session: &mut Session,
        oldest: u64,
    ) -> Result<Option<Authenticated>, Interruption> {
        if !session.lock_system(oldest).await? {
            return Ok(None);
        }
        let mut candidates = self.candidates(session).await?;
        match choose(&candidates, self.credentials)? {
            Choice::Take(at, found) => self.take(session, &candidates, at, found).await,
            Choice::Copy => {
                let from = candidates[0].row.id;
                let now = whole_seconds(self.now);
                let mut copy = SystemRow {
                    registered_at: candidates[0].row.registered_at.or(Some(now)),
                    created_at: now,
                    updated_at: now,
                    system_token: self.credentials.token().map(str::to_owned),
                    ..candidates[0].row.clone()
                };
                self.changes(&copy).apply(&mut copy);
                session.insert_copy(&mut copy, from).await?;
                *self.remembered_copy() = Some((copy.id, from));
                candidates.push(Candidate {
                    row: copy,
                    same_password: candidates[0].same_password,
                    alike: true,
                    version: candidates[0].version,
                    // Its activations are its own.
                    told: None,
                });
                Ok(self.result(&candidates, candidates.len() - 1, Found::Copied { from }))
            }
        }
    }

    async fn candidates(&self, session: &mut Session) -> Result<Vec<Candidate>, Interruption> {
        let Credentials {
            login, password, ..
        } = self.credentials;
        let token = self.credentials.token();
        let question = self.question.as_ref();
        let any_password = self.proof.is_some();
        let candidates = session
            .systems_by_credentials(login, password, any_password, token, question)
            .await?;
        match self.proof {
            Some(proof) => proof.sift(candidates),
            None => Ok(candidates),
        }
    }

    /// What an authentication writes to the row of the system (contract, "Authentication", 3
    /// and 4; RMT: `update_user_agent` and what follows it).
    fn changes(&self, row: &SystemRow) -> SystemChanges {
        let now = whole_seconds(self.now);
        let mut changes = SystemChanges::default();
        if !self.credentials.is_zypper() {
            let agent = self.credentials.user_agent.clone();
            let agent = [(
                "user_agent".to_owned(),
                agent.map_or(Value::Null, Value::String),
            )];
            changes.system_information = merged(row.system_information.as_deref(), agent);
            changes.reset_scc = true;
        }
        if self.credentials.tokens_enabled && self.credentials.has_header() {
            changes.last_seen_at = Some(now).filter(|_| row.last_seen_at != Some(now));
            changes.reset_scc = true;
        } else if row
            .last_seen_at
            .is_none_or(|seen| seen.assume_utc() < self.now - SEEN_RECENTLY)
        {
            // RMT touches here, which is no save: it asks for no report to SCC.
            changes.last_seen_at = Some(now);
        }
        changes.stamp(row, now);
        changes
    }

    fn result(&self, candidates: &[Candidate], at: usize, found: Found) -> Option<Authenticated> {
        let candidate = candidates.get(at)?;
        let mut system = candidate.row.clone();
        let mut token_echo = None;
        if found != Found::Skipped {
            self.changes(&system).apply(&mut system);
            let echo = self.credentials.tokens_enabled && self.credentials.has_header();
            token_echo = echo.then(|| system.system_token.clone().unwrap_or_default());
        }
        Some(Authenticated {
            system,
            found,
            token_echo,
            note: None,
            version: candidate.version,
            told: candidate.told.clone(),
            ids: candidates
                .iter()
                .map(|candidate| candidate.row.id)
                .collect(),
            sent_token: self.credentials.token().map(str::to_owned),
            complaint: None,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Take(usize, Found),
    Copy,
}

/// Which of the systems with the same credentials it is (contract, "Authentication", 2; RMT:
/// `find_system_by_token_header`).
fn choose(candidates: &[Candidate], credentials: &Credentials) -> Result<Choice, Failure> {
    if candidates.is_empty() {
        return Err(Failure::invalid_credentials());
    }
    if credentials.skip_on_duplicated && candidates.len() > 1 {
        return Ok(Choice::Take(0, Found::Skipped));
    }
    if !credentials.has_header() {
        return Ok(Choice::Take(0, Found::WithoutToken));
    }
    let token = credentials.token();
    // In the same time wherever they differ.
    let exact = |candidate: &Candidate| match (candidate.row.system_token.as_deref(), token) {
        (Some(stored), Some(sent)) => stored.as_bytes().ct_eq(sent.as_bytes()).into(),
        (stored, sent) => stored == sent,
    };
    if let Some(at) = candidates.iter().position(exact) {
        return Ok(Choice::Take(at, Found::WithToken));
    }
    if candidates.iter().any(|candidate| candidate.alike) {
        let what = "System token has already been taken";
        return Err(Failure::unwritten(Error::Invalid(what)));
    }
    Ok(Choice::Copy)
}

/// `system_information` with `news` in it; `None` when that is the text it was. Keys keep their
/// places, new ones come last. What is no JSON object counts as an empty one: RMT crashes there,
/// and `null` is what it stores itself for a system that sent no hardware information
/// (RMT: `System#system_information_hash`).
pub(crate) fn merged(
    stored: Option<&str>,
    news: impl IntoIterator<Item = (String, Value)>,
) -> Option<String> {
    // Stands for it meanwhile: no column of RMT's can hold it.
    const MARK: &str = "\u{10fffd}";
    let disguised = stored.is_some_and(|text| text.contains(NUMBER_KEY));
    let read = |text: &str| match disguised {
        true => serde_json::from_str(&text.replace(NUMBER_KEY, MARK)),
        false => serde_json::from_str(text),
    };
    let mut information: Map<String, Value> =
        stored.and_then(|text| read(text).ok()).unwrap_or_default();
    information.values_mut().for_each(respell);
    information.extend(news);
    let mut text = to_json(&Value::Object(information));
    if disguised {
        text = text.replace(MARK, NUMBER_KEY);
    }
    (Some(text.as_str()) != stored).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn credentials(token: TokenHeader) -> Credentials {
        Credentials {
            login: "l".to_owned(),
            password: "p".to_owned(),
            token,
            user_agent: None,
            tokens_enabled: true,
            skip_on_duplicated: false,
            defer: false,
        }
    }

    fn sent(token: &str) -> Credentials {
        credentials(TokenHeader::Present(Some(token.to_owned())))
    }

    fn candidate(id: u64, token: Option<&str>, alike: bool) -> Candidate {
        let then = datetime!(2026-01-01 00:00);
        let row = SystemRow {
            id,
            login: "l".to_owned(),
            password: "p".to_owned(),
            hostname: None,
            registered_at: None,
            last_seen_at: None,
            created_at: then,
            updated_at: then,
            scc_registered_at: None,
            scc_system_id: None,
            system_token: token.map(str::to_owned),
            system_information: None,
            instance_data: None,
            proxy_byos_mode: None,
            pubcloud_reg_code: None,
        };
        Candidate {
            row,
            same_password: true,
            alike,
            version: None,
            told: None,
        }
    }

    #[test]
    fn the_token_chooses_among_systems() {
        let some = [candidate(1, Some("a"), false), candidate(2, None, false)];
        let take = |at, found| Choice::Take(at, found);
        for (credentials, choice) in [
            (
                credentials(TokenHeader::Absent),
                take(0, Found::WithoutToken),
            ),
            (sent("a"), take(0, Found::WithToken)),
            (sent(" \t"), take(1, Found::WithToken)),
            (
                credentials(TokenHeader::Present(None)),
                take(1, Found::WithToken),
            ),
            (sent("b"), Choice::Copy),
        ] {
            assert_eq!(choose(&some, &credentials).unwrap(), choice);
        }
        assert_eq!(choose(&some[..1], &sent("")).unwrap(), Choice::Copy);
    }

    #[test]
    fn what_the_database_takes_for_the_same_token_is_refused() {
        let alike = [candidate(1, None, false), candidate(2, Some("a"), true)];
        let failure = choose(&alike, &sent("A")).unwrap_err();
        assert!(matches!(failure.error, Error::Invalid(_)));
        let choice = choose(&alike, &sent("a")).unwrap();
        assert_eq!(choice, Choice::Take(1, Found::WithToken));
    }

    #[test]
    fn nobody_and_too_many() {
        let skipping = Credentials {
            skip_on_duplicated: true,
            ..sent("b")
        };
        let two = [candidate(1, None, false), candidate(2, Some("b"), true)];
        let choice = choose(&two, &skipping).unwrap();
        assert_eq!(choice, Choice::Take(0, Found::Skipped));
        let choice = choose(&two[1..], &skipping).unwrap();
        assert_eq!(choice, Choice::Take(0, Found::WithToken));
        let failure = choose(&[], &skipping).unwrap_err();
        assert!(matches!(failure.error, Error::Rmt { status: 401, .. }));
    }

    #[test]
    fn zypper_is_known_by_its_first_letters() {
        for (name, zypper) in [
            ("zypp", true),
            ("ZYpp 17.31.31 (curl 8)", true),
            ("zyp", false),
            ("SUSEConnect zypp", false),
            ("", false),
            ("zyp\u{fc}", false),
        ] {
            let credentials = Credentials {
                user_agent: Some(name.to_owned()),
                ..sent("")
            };
            assert_eq!(credentials.is_zypper(), zypper, "{name}");
        }
        assert!(!sent("").is_zypper());
    }

    #[test]
    fn merging_keeps_places_and_writes_nothing_twice() {
        let agent = |text: &str| [("user_agent".to_owned(), json!(text))];
        for (stored, expected) in [
            (
                Some(r#"{"b":1.0,"a":{}}"#),
                r#"{"b":1.0,"a":{},"user_agent":"x"}"#,
            ),
            (
                Some(r#"{"user_agent":null,"a":1}"#),
                r#"{"user_agent":"x","a":1}"#,
            ),
            (None, r#"{"user_agent":"x"}"#),
            (Some("null"), r#"{"user_agent":"x"}"#),
            (Some("[]"), r#"{"user_agent":"x"}"#),
            (Some("{"), r#"{"user_agent":"x"}"#),
            (
                Some(r#"{"a":{"$serde_json::private::Number":"1"}}"#),
                r#"{"a":{"$serde_json::private::Number":"1"},"user_agent":"x"}"#,
            ),
        ] {
            let text = merged(stored, agent("x")).unwrap();
            assert_eq!(text, expected);
            assert_eq!(merged(Some(&text), agent("x")), None);
        }
        assert_eq!(merged(Some("{}"), []), None);
        assert_eq!(merged(None, []).as_deref(), Some("{}"));
    }
}
