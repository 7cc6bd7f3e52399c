//! Whatever fails between the pool and a real MariaDB, at whichever statement, an operation has one result
//! or a clean error.
//!
//! Each operation is carried out once without a fault, and what the database holds after each of its
//! stages is written down. Then each fault happens at each of its statements. A stage that succeeds
//! must leave what it left then, and what the client was told; one that fails with [`Written::No`] what
//! was there before it, with [`Written::Perhaps`] one or the other. After that the same operation
//! must go through on the same pool, as if nothing had been.
//!
//! `FAULTS=all` has every fault at every statement, also on connections that are new, and two faults in
//! one operation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail and tell that way"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::actions::{check, passed, product, rendering};
use common::place::{Place, actor, client, old_client, zypper};
use common::server::Server;
use common::wire::{Fault, Wire};
use common::{Noon, config};
use futures_util::stream::{self, StreamExt};
use registration::{
    Acted, Action, ActivationKey, Actor, Authenticated, Checked, Credentials, DatabaseConfig,
    Entropy, Error, Failure, Note, Progress, Registration, Store, Written,
};
use serde_json::{Value, json};

/// Errors that the server, or a proxy before it, answers with.
const NUMBERS: [u16; 18] = [
    1205, 1213, 1040, 1290, 2006, 2013, 1467, 1180, 1317, 1927, 1047, 1158, 1159, 1160, 1161, 1053,
    1021, 1020,
];

/// Those after which nothing is tried again.
const FINAL: [u16; 3] = [1040, 1317, 1021];

/// Statements of the longest operation, and some.
const MOST: usize = 30;

/// No operation takes longer, whatever happens.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Announce,
    AnnounceWithProfiles,
    Authenticate,
    Copy,
    ActivateAtOnce,
    ActivateApart,
    ActivateAgain,
    Upgrade,
    Destroy,
    Synchronize,
    Keepalive,
    Update,
    Note,
    Deregister,
    Show,
    Activations,
    Service,
    LegacyService,
    Installer,
    Subscription,
}

const OPERATIONS: [Operation; 20] = {
    use Operation::*;
    [
        Announce,
        AnnounceWithProfiles,
        Authenticate,
        Copy,
        ActivateAtOnce,
        ActivateApart,
        ActivateAgain,
        Upgrade,
        Destroy,
        Synchronize,
        Keepalive,
        Update,
        Note,
        Deregister,
        Show,
        Activations,
        Service,
        LegacyService,
        Installer,
        Subscription,
    ]
};

/// What the stages of an operation know of each other, and what the client is told.
#[derive(Default)]
struct Course {
    authenticated: Option<Authenticated>,
    checked: Option<Checked>,
    note: Option<Note>,
    told: String,
    token: Option<String>,
    /// Login and password of a new system.
    credentials: Option<(String, String)>,
}

impl Operation {
    fn stages(self) -> usize {
        use Operation::*;
        match self {
            Announce | AnnounceWithProfiles | Authenticate | Copy | Show | Activations
            | Service | LegacyService | Installer | Subscription => 1,
            _ => 2,
        }
    }

    /// Who asks; all of them know a token, but in a copy another one.
    fn credentials(self) -> Credentials {
        match self {
            Self::Copy => client("strange"),
            Self::ActivateApart => Credentials {
                user_agent: Some("SUSEConnect/9".to_owned()),
                ..client("one")
            },
            Self::Synchronize => zypper(client("one")),
            Self::Deregister => old_client(),
            _ => client("one"),
        }
    }

    fn deferring(self) -> Credentials {
        Credentials {
            defer: true,
            ..self.credentials()
        }
    }

    fn given(self) -> &'static str {
        match self {
            Self::Announce => "",
            Self::AnnounceWithProfiles => {
                "INSERT INTO profiles VALUES (3, 'known', 'k', 'x', NULL, '2026-01-01', '2026-01-01')"
            }
            Self::ActivateAtOnce | Self::ActivateApart => {
                "INSERT INTO activations VALUES (6, 2, 1, '2026-01-01', '2026-01-01', 1)"
            }
            _ => {
                "INSERT INTO activations VALUES (5, 9, 1, '2026-01-01', '2026-01-01', 1), \
                   (6, 2, 1, '2026-01-01', '2026-01-01', 1), (7, 1, 2, '2026-01-01', '2026-01-01', 1); \
                 INSERT INTO profiles VALUES (3, 'known', 'k', 'x', NULL, '2026-01-01', '2026-01-01'), \
                   (4, 'shared', 's', 'x', NULL, '2026-01-01', '2026-01-01'); \
                 INSERT INTO system_profiles VALUES (1, 1, 3, '2026-01-01', '2026-01-01'), \
                   (2, 1, 4, '2026-01-01', '2026-01-01'), (3, 2, 4, '2026-01-01', '2026-01-01'); \
                 INSERT INTO system_uptimes VALUES (1, 1, '2026-01-01', REPEAT('1', 24), '2026-01-01', '2026-01-01')"
            }
        }
    }

    /// The action on a product that the operation is.
    fn action(self) -> Option<(Action, Value)> {
        let sles = product("SLES", "15.6");
        match self {
            Self::ActivateAtOnce | Self::ActivateApart => Some((Action::Activate, sles)),
            Self::ActivateAgain => Some((Action::Activate, product("SLES", "15.5"))),
            Self::Upgrade => Some((Action::Upgrade, sles)),
            Self::Destroy => Some((Action::Destroy, product("sle-module-basesystem", "15.6"))),
            Self::Show => Some((Action::Show, product("SLES", "15.5"))),
            _ => None,
        }
    }

    /// One stage, the first is 0.
    async fn stage(
        self,
        number: usize,
        registration: &Registration,
        course: &mut Course,
    ) -> Result<(), Failure> {
        let progress = Progress::default();
        match self {
            Self::Announce | Self::AnnounceWithProfiles => {
                let profile = |name: &str| json!({"identifier": &name[..1], "data": "x"});
                let profiles = json!({"known": profile("known"), "new": profile("new")});
                let mut params = json!({"hostname": "h", "hwinfo": {"cpus": 2}});
                if self == Self::AnnounceWithProfiles {
                    params["system_profiles"] = profiles;
                }
                let params = params.to_string();
                let system = registration.announce(params.as_bytes(), &progress).await?;
                course.told = format!("{:?} {}", system.hostname, system.clear_profile_cache);
                course.credentials = Some((system.login, system.password));
            }
            Self::Authenticate | Self::Copy => {
                let found = registration
                    .authenticate(&self.credentials(), &progress)
                    .await?;
                course.told = format!("{:?} {:?}", found.found, found.token_echo);
                course.token = found.token_echo;
            }
            Self::Keepalive | Self::Update | Self::Note | Self::Deregister | Self::Synchronize
                if number == 0 =>
            {
                let found = registration
                    .authenticate(&self.deferring(), &progress)
                    .await?;
                course.note.clone_from(&found.note);
                course.authenticated = Some(found);
            }
            Self::Keepalive | Self::Update => {
                let params = match self {
                    Self::Keepalive => json!({"hostname": "h"}),
                    _ => json!({
                        "hostname": "other", "hwinfo": {"cpus": 7},
                        "online_at": ["2026-01-01:11", "2026-01-02:1"],
                        "system_profiles": {"shared": {"identifier": "s"}, "new": {"identifier": "n", "data": "y"}},
                    }),
                };
                let updated = registration
                    .update(&course.actor(), params.to_string().as_bytes(), &progress)
                    .await?;
                course.told = format!("{} {:?}", updated.clear_profile_cache, updated.log);
                course.token = updated.system_token;
            }
            Self::Note => {
                let note = course.note.clone().unwrap();
                registration.note(&note, &progress).await?;
            }
            Self::Deregister => {
                let system = &course.authenticated.as_ref().unwrap().system;
                registration.deregister(system, &progress).await?;
            }
            Self::Synchronize => {
                let params = json!({"products": [product("SLES", "15.5")]}).to_string();
                let acted = registration
                    .synchronize(&course.actor(), params.as_bytes(), &rendering(), &progress)
                    .await?;
                course.acted(acted);
            }
            Self::ActivateAtOnce
            | Self::ActivateApart
            | Self::ActivateAgain
            | Self::Upgrade
            | Self::Destroy
            | Self::Show
                if number == 0 =>
            {
                let (action, params) = self.action().unwrap();
                let (authenticated, checked) =
                    check(registration, &self.credentials(), action, &params).await?;
                passed(&checked)?;
                if self == Self::Show {
                    course.told = checked.show(&rendering())?;
                }
                course.authenticated = Some(authenticated);
                course.checked = Some(checked);
            }
            Self::ActivateAtOnce
            | Self::ActivateApart
            | Self::ActivateAgain
            | Self::Upgrade
            | Self::Destroy => {
                let (action, _) = self.action().unwrap();
                let checked = course.checked.as_ref().unwrap();
                let acted = registration
                    .act(
                        action,
                        checked,
                        &course.actor(),
                        None,
                        &rendering(),
                        &progress,
                    )
                    .await?;
                course.acted(acted);
            }
            Self::Show => panic!("it has one stage"),
            Self::Activations => course.told = registration.activations(1, &rendering()).await?,
            Self::Service => {
                let service = registration.service(1, &rendering()).await?;
                course.told = service.unwrap();
            }
            Self::LegacyService => {
                course.told = registration.legacy_service(1, &rendering()).await?;
            }
            Self::Installer => {
                let params = product("SLES", "15.6").to_string();
                course.told = registration
                    .installer(params.as_bytes(), &rendering())
                    .await?;
            }
            Self::Subscription => {
                let found = registration.subscription("OK-631dff").await?;
                let listed = registration
                    .subscription_products(found.id, b"{}", &rendering())
                    .await?;
                course.told = format!("{} {listed}", found.id);
            }
        }
        Ok(())
    }
}

impl Course {
    fn actor(&self) -> Actor {
        actor(self.authenticated.as_ref().unwrap())
    }

    fn acted(&mut self, acted: Acted) {
        let services = |keys: &[ActivationKey]| {
            let services: Vec<_> = keys.iter().map(|it| it.service_id).collect();
            format!("{services:?}")
        };
        self.told = format!(
            "{} created {} removed {}",
            acted.body,
            services(&acted.created),
            services(&acted.removed)
        );
        self.token = acted.system_token;
    }
}

/// A fault, and what is known of the test it is part of.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "printed when it fails")]
struct Case {
    operation: Operation,
    faults: Vec<(usize, Fault)>,
    /// On a connection that is not open yet.
    cold: bool,
}

/// How often what was done.
#[derive(Default, Clone, Copy)]
struct Count {
    succeeded: usize,
    unwritten: usize,
    perhaps: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.unwritten += other.unwritten;
        self.perhaps += other.perhaps;
    }

    fn all(self) -> usize {
        self.succeeded + self.unwritten + self.perhaps
    }
}

type Counts = BTreeMap<(Operation, &'static str), Count>;

fn kind(fault: Fault) -> &'static str {
    match fault {
        Fault::ResetBefore => "reset before",
        Fault::ResetDuring => "reset during",
        Fault::ResetAfter => "reset after",
        Fault::CutRequest(_) => "request cut",
        Fault::CutAnswer(_) => "answer cut",
        Fault::Late => "reset, arrives late",
        Fault::SilentBefore => "too late",
        Fault::SilentAfter => "answer too late",
        Fault::Slow => "delayed",
        Fault::Instead(_) => "error instead",
        Fault::After(_) => "error after all",
        Fault::Refused(_) => "refused from then on",
    }
}

/// Whether the operation must succeed all the same.
fn is_mended(fault: Fault) -> bool {
    match fault {
        Fault::SilentBefore | Fault::SilentAfter | Fault::Refused(_) => false,
        Fault::Instead(number) | Fault::After(number) => !FINAL.contains(&number),
        _ => true,
    }
}

/// Other bytes each time, and the same in each run (SplitMix64).
#[derive(Default)]
struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        for part in bytes.chunks_mut(8) {
            let mut next = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            next = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            next = (next ^ (next >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            next ^= next >> 31;
            part.copy_from_slice(&next.to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// With time and randomness that are known beforehand.
fn predictable(settings: &DatabaseConfig) -> Registration {
    let store = Store::new(settings).unwrap();
    Registration::with_sources(store, Arc::new(Noon), Arc::new(Seeded::default()))
}

/// Whether a statement was carried out that was said not to be, by an error that nobody doubts: the client
/// is refused, whatever was written, and Ruby does not do it again.
fn is_lie(faults: &[(usize, Fault)]) -> bool {
    let lie = |fault| matches!(fault, Fault::After(number) if FINAL.contains(&number));
    faults.iter().any(|(_, fault)| lie(*fault))
}

/// Where an operation is tried: a database of its own, behind a proxy.
struct Stage<'a> {
    operation: Operation,
    place: Place<'a>,
    wire: Wire,
    registration: Registration,
    settings: DatabaseConfig,
    /// What the database holds before the operation and after each stage.
    states: Vec<String>,
    told: String,
    counts: Counts,
    all: bool,
}

impl<'a> Stage<'a> {
    async fn new(server: &'a Server, operation: Operation, timeout: u64, all: bool) -> Self {
        let place = Place::new(server, &format!("{operation:?}{timeout}").to_lowercase()).await;
        let wire = Wire::to(server.port).await;
        let mut settings = config(server, &place.name);
        settings.port = wire.port;
        settings.statement_timeout_ms = timeout;
        settings.pool_timeout_ms = 10_000;
        settings.connect_timeout_ms = 10_000;
        let registration = predictable(&settings);
        let mut stage = Self {
            operation,
            place,
            wire,
            registration,
            settings,
            states: Vec::new(),
            told: String::new(),
            counts: Counts::new(),
            all,
        };
        stage.learn().await;
        stage
    }

    /// What happens without a fault.
    async fn learn(&mut self) {
        let patient = predictable(&DatabaseConfig {
            statement_timeout_ms: 30_000,
            ..self.settings.clone()
        });
        self.reset().await;
        self.states.push(self.state().await);
        let mut course = Course::default();
        for number in 0..self.operation.stages() {
            let stage = self.operation.stage(number, &patient, &mut course);
            stage.await.unwrap();
            self.states.push(self.state().await);
        }
        assert!(self.holds(&course).await);
        self.told = course.told;
        // Opens a connection, and prepares the statements.
        self.go_on("nothing").await;
    }

    async fn reset(&self) {
        let system = |id: u64, token: &str| {
            format!(
                "INSERT INTO systems SET id = {id}, login = 'SCC_{}', password = 'p', hostname = 'h', \
                 registered_at = '2026-01-01', last_seen_at = '2026-01-01', created_at = '2026-01-01', \
                 updated_at = '2026-01-01', scc_registered_at = '2026-01-01', scc_system_id = {id}7, \
                 system_token = '{token}', system_information = '{}'; ",
                if id == 1 { "a" } else { "b" },
                common::place::TEXT
            )
        };
        let given = format!(
            "DELETE FROM activations; DELETE FROM system_profiles; DELETE FROM profiles; \
             DELETE FROM system_uptimes; DELETE FROM deregistered_systems; DELETE FROM systems; \
             {}{}{}",
            system(1, "one"),
            system(2, "two"),
            self.operation.given()
        );
        self.place.run(&given).await;
    }

    /// All that the database holds, without what is chosen anew each time.
    async fn state(&self) -> String {
        let query = "SELECT 'system', LENGTH(s.login), LENGTH(s.password), s.hostname, s.registered_at, \
               s.last_seen_at, s.created_at, s.updated_at, s.scc_registered_at, s.scc_system_id, \
               IF(LENGTH(s.system_token) = 36, 'new', s.system_token), s.system_information, \
               (SELECT GROUP_CONCAT(service_id, ':', created_at, ':', updated_at, ':', IFNULL(subscription_id, '-') ORDER BY service_id) \
                  FROM activations WHERE system_id = s.id) AS a, \
               (SELECT GROUP_CONCAT(profile_type, ':', identifier, ':', data, ':', l.created_at ORDER BY profile_type) \
                  FROM system_profiles l JOIN profiles p ON p.id = profile_id WHERE system_id = s.id) AS p, \
               (SELECT GROUP_CONCAT(online_at_day, ':', HEX(online_at_hours), ':', updated_at ORDER BY online_at_day) \
                  FROM system_uptimes WHERE system_id = s.id) AS u \
             FROM systems s \
             UNION ALL SELECT 'left', scc_system_id, created_at, updated_at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
               FROM deregistered_systems \
             UNION ALL SELECT 'profile', profile_type, identifier, data, created_at, updated_at, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
               FROM profiles \
             UNION ALL SELECT 'counts', (SELECT COUNT(*) FROM activations), (SELECT COUNT(*) FROM system_profiles), \
               (SELECT COUNT(*) FROM system_uptimes), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0";
        let rows = self.place.read(query).await;
        let mut lines: Vec<_> = rows.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Whether what the client was told is there, once.
    async fn holds(&self, course: &Course) -> bool {
        let mut conditions = Vec::new();
        if let Some((login, password)) = &course.credentials {
            conditions.push(format!("login = '{login}' AND password = '{password}'"));
        }
        if let Some(token) = &course.token {
            conditions.push(format!("system_token = '{token}'"));
        }
        let mut all = true;
        for condition in conditions {
            let query = format!("SELECT COUNT(*) FROM systems WHERE {condition}");
            all &= self.place.read(&query).await == "1";
        }
        all
    }

    /// All faults at all statements.
    async fn try_all(&mut self, faults: &[Fault]) {
        for (number, fault) in faults.iter().enumerate() {
            for at in 0.. {
                // Of errors each statement has some, each time others.
                let numbered = matches!(fault, Fault::Instead(_) | Fault::After(_));
                let share = number + at + self.operation as usize;
                if numbered && !self.all && !share.is_multiple_of(12) {
                    if at > MOST {
                        break;
                    }
                    continue;
                }
                if !self.attempt(vec![(at, *fault)], false).await {
                    break;
                }
            }
        }
    }

    /// As [`Stage::try_all`], when each time the connection is still to be opened.
    async fn try_all_cold(&mut self, faults: &[Fault]) {
        for fault in faults {
            let mut at = 0;
            while self.attempt(vec![(at, *fault)], true).await {
                at += 1;
            }
        }
    }

    /// Two faults: the second happens in what mends the first.
    async fn try_pairs(&mut self, faults: &[Fault]) {
        for first in faults {
            for second in faults {
                for at in 0.. {
                    let mut reached = false;
                    for later in 0..6 {
                        match self
                            .attempt(vec![(at, *first), (later, *second)], false)
                            .await
                        {
                            true => reached = true,
                            false => break,
                        }
                    }
                    if !reached {
                        break;
                    }
                }
            }
        }
    }

    /// False when the operation had no such statement.
    async fn attempt(&mut self, faults: Vec<(usize, Fault)>, cold: bool) -> bool {
        let case = Case {
            operation: self.operation,
            faults,
            cold,
        };
        let (course, reached, failure, hit) = loop {
            if cold {
                self.registration.store().close().await;
                self.registration = predictable(&self.settings);
            }
            self.reset().await;
            self.wire.arm(&case.faults);
            let (course, reached, failure) = self.run(&case).await;
            let hit = self.wire.disarm();
            self.wire.deliver().await;
            if !hit.is_empty() || failure.is_none() {
                break (course, reached, failure, hit);
            }
            // Where time is short a busy machine can take longer. What else could it be?
            let failure = failure.unwrap().to_string();
            assert!(failure.contains("no answer within"), "{case:?}: {failure}");
        };
        if hit.len() < case.faults.len() {
            return false;
        }

        let state = self.state().await;
        let what = || {
            let mut text = format!("{case:?}\nat {hit:#?}\nfailure {failure:?}\nholds\n{state}");
            for (number, state) in self.states.iter().enumerate() {
                write!(text, "\nstate {number}\n{state}").unwrap();
            }
            text
        };
        let before = &self.states[reached];
        let mut count = Count::default();
        match &failure {
            None => {
                assert_eq!(&state, before, "{}", what());
                assert!(course.told == self.told, "told {} {}", course.told, what());
                assert!(self.holds(&course).await, "{}", what());
                count.succeeded = 1;
            }
            Some(failure) if failure.written == Written::No && !is_lie(&case.faults) => {
                assert_eq!(&state, before, "{}", what());
                count.unwritten = 1;
            }
            Some(_) => {
                let known = &self.states[reached..=reached + 1];
                assert!(known.contains(&state), "{}", what());
                count.perhaps = 1;
            }
        }
        if let Some(failure) = &failure {
            let refused = matches!(failure.error, Error::Refused(_));
            let given_up = matches!(failure.error, Error::Unavailable(_) | Error::Silent(_));
            let clean = given_up || refused;
            assert!(clean, "{}", what());
            let mended = case.faults.len() == 1 && is_mended(case.faults[0].1);
            // To a new connection some errors say that there will be none.
            assert!(!mended || cold, "{}", what());
        }
        let fault = case.faults[0].1;
        let name = if cold {
            "on a new connection"
        } else {
            kind(fault)
        };
        let name = if case.faults.len() > 1 {
            "two faults"
        } else {
            name
        };
        self.counts
            .entry((self.operation, name))
            .or_default()
            .add(count);
        self.go_on(&what()).await;
        true
    }

    /// The operation; how many stages it got through, and why no further.
    async fn run(&self, case: &Case) -> (Course, usize, Option<Failure>) {
        let mut course = Course::default();
        for number in 0..self.operation.stages() {
            let stage = self
                .operation
                .stage(number, &self.registration, &mut course);
            let result = tokio::time::timeout(LONGEST, stage).await;
            match result.unwrap_or_else(|_| panic!("{case:?} takes too long")) {
                Ok(()) => {}
                Err(failure) => return (course, number, Some(failure)),
            }
        }
        (course, self.operation.stages(), None)
    }

    /// The pool is as good as ever.
    async fn go_on(&self, what: &str) {
        self.reset().await;
        let none = Case {
            operation: self.operation,
            faults: Vec::new(),
            cold: false,
        };
        let deadline = Instant::now() + LONGEST;
        loop {
            let (course, reached, failure) = self.run(&none).await;
            match failure {
                None => {
                    let state = self.state().await;
                    assert_eq!(state, self.states[reached], "after {what}");
                    assert_eq!(course.told, self.told, "after {what}");
                    assert!(self.holds(&course).await, "after {what}");
                    return;
                }
                // Where time is short a busy machine can take longer.
                Some(failure) => {
                    assert!(Instant::now() < deadline, "{failure:?} after {what}");
                    self.reset().await;
                }
            }
        }
    }
}

/// Faults after which the connection is found lost, and such that are over at once.
fn losses(all: bool) -> Vec<Fault> {
    let mut faults = vec![
        Fault::ResetBefore,
        Fault::ResetDuring,
        Fault::ResetAfter,
        Fault::Late,
        Fault::Slow,
    ];
    let parts: &[usize] = if all {
        &[1, 10, 25, 50, 75, 90, 99]
    } else {
        &[50]
    };
    for part in parts {
        faults.push(Fault::CutRequest(*part));
        faults.push(Fault::CutAnswer(*part));
    }
    faults
}

fn errors() -> Vec<Fault> {
    let numbers = NUMBERS.iter();
    numbers
        .flat_map(|number| [Fault::Instead(*number), Fault::After(*number)])
        .collect()
}

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_fails_there_is_one_result_or_a_clean_error() {
    let all = std::env::var("FAULTS").is_ok_and(|it| it == "all");
    let begun = Instant::now();
    // Nothing here is about what a crash leaves.
    let options = |_: &Path| vec!["--innodb-flush-log-at-trx-commit=0".to_owned()];
    let server = Server::start_with("faults", options).await;
    let server = &server;

    let quick = stream::iter(OPERATIONS).map(|operation| async move {
        let mut stage = Stage::new(server, operation, 10_000, all).await;
        stage.try_all(&losses(all)).await;
        stage.try_all(&errors()).await;
        let refusals = [Fault::Refused(1040)];
        stage.try_all(&refusals).await;
        if all {
            stage.try_all_cold(&losses(false)).await;
            let numbers = [1040, 1213, 2013].map(Fault::Instead);
            stage.try_all_cold(&numbers).await;
            let pair = [Fault::ResetAfter, Fault::Late, Fault::After(1213)];
            stage.try_pairs(&pair).await;
        }
        stage.counts
    });
    // Here time is what fails.
    let silent = stream::iter(OPERATIONS).map(|operation| async move {
        let mut stage = Stage::new(server, operation, 1_200, all).await;
        stage
            .try_all(&[Fault::SilentBefore, Fault::SilentAfter])
            .await;
        stage.counts
    });
    let (quick, silent, together) = tokio::join!(
        quick.buffer_unordered(4).collect::<Vec<_>>(),
        silent.buffer_unordered(8).collect::<Vec<_>>(),
        announces_that_meet(server, all),
    );

    let mut counts = Counts::new();
    let mut table = String::new();
    for (key, count) in quick.into_iter().chain(silent).flatten() {
        counts.entry(key).or_default().add(count);
    }
    let mut total = together;
    let line = |name: &str, count: Count| {
        format!(
            "{name:<44} {:>6} {:>6} {:>6} {:>6}\n",
            count.all(),
            count.succeeded,
            count.unwritten,
            count.perhaps
        )
    };
    table.push_str(&line("announces that meet", together));
    for ((operation, fault), count) in &counts {
        table.push_str(&line(&format!("{operation:?}, {fault}"), *count));
        total.add(*count);
    }
    println!("{:<44} faults   done     no perhaps\n{table}", "");
    println!(
        "faults: {} injected, {} results, {} errors with nothing written, {} errors perhaps written, \
         0 doubled, 0 lost, in {} s",
        total.all(),
        total.succeeded,
        total.unwritten,
        total.perhaps,
        begun.elapsed().as_secs()
    );
}

/// Whether a statement is one of those that a new connection begins with.
fn opens(statement: &str) -> bool {
    let first = [
        "SET NAMES",
        "SELECT @@max_allowed_packet",
        "SELECT GET_LOCK",
    ];
    first.iter().any(|it| statement.starts_with(it))
}

/// Announces that share a statement: each of them has one result or a clean error.
async fn announces_that_meet(server: &Server, all: bool) -> Count {
    let place = Place::new(server, "meeting").await;
    let wire = Wire::to(server.port).await;
    let mut settings = config(server, &place.name);
    settings.port = wire.port;
    settings.statement_timeout_ms = 10_000;
    settings.pool_timeout_ms = 10_000;
    settings.connect_timeout_ms = 10_000;
    let registration = Registration::new(&settings).unwrap();
    let announce = async |name: String| {
        let params = json!({ "hostname": name }).to_string();
        let progress = Progress::default();
        let announce = registration.announce(params.as_bytes(), &progress);
        let result = tokio::time::timeout(LONGEST, announce).await;
        (name, result.expect("an announce takes too long"))
    };
    let together = |count: usize| {
        let announces = (0..count).map(|number| announce(format!("h{number}")));
        futures_util::future::join_all(announces)
    };
    // Prepares the statements.
    together(8).await;

    let mut counts = Count::default();
    for fault in losses(all).into_iter().chain(errors()) {
        for at in 0..MOST {
            place.run("DELETE FROM systems").await;
            wire.arm(&[(at, fault)]);
            let results = together(8).await;
            let hit = wire.disarm();
            wire.deliver().await;
            if hit.is_empty() {
                break;
            }
            let what = format!("{fault:?} at {hit:?} {results:?}");
            let rows = place
                .rows("SELECT hostname, login, password, id FROM systems")
                .await;
            let mut worst = Count {
                succeeded: 1,
                ..Count::default()
            };
            for (name, result) in &results {
                let rows: Vec<_> = rows
                    .iter()
                    .filter(|it| it[0].as_ref() == Some(name))
                    .collect();
                let number = rows.len();
                match result {
                    Ok(system) => {
                        let id = system.id.to_string();
                        let told =
                            [name, &system.login, &system.password, &id].map(|it| Some(it.clone()));
                        assert_eq!(number, 1, "{name} {what}");
                        assert_eq!(rows[0][..], told, "{what}");
                    }
                    Err(failure) => {
                        let refused = matches!(failure.error, Error::Refused(_));
                        let given_up =
                            matches!(failure.error, Error::Unavailable(_) | Error::Silent(_));
                        let clean = given_up || refused;
                        assert!(clean, "{name} {what}");
                        // One of them may have opened a connection.
                        let opened = hit.iter().any(|it| opens(it));
                        assert!(opened || !refused && !is_mended(fault), "{name} {what}");
                        let most = usize::from(
                            failure.written == Written::Perhaps || is_lie(&[(at, fault)]),
                        );
                        assert!(number <= most, "{name} {what}");
                        worst = match failure.written {
                            Written::No => Count {
                                unwritten: 1,
                                ..Count::default()
                            },
                            Written::Perhaps => Count {
                                perhaps: 1,
                                ..Count::default()
                            },
                        };
                    }
                }
            }
            counts.add(worst);
            // Nothing is left that could be taken for the answer to others.
            place.run("DELETE FROM systems").await;
            for (name, result) in together(8).await {
                assert_eq!(result.unwrap().hostname, Some(name), "after {what}");
            }
            assert_eq!(
                place.read("SELECT COUNT(*) FROM systems").await,
                "8",
                "after {what}"
            );
        }
    }
    counts
}
