//! Passwords kept as hashes, against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::actions;
use common::place::{Place, client, old_client};
use common::server::Server;
use common::{Noon, config};
use registration::{
    Action, Authenticated, Clock, Cost, Credentials, DatabaseConfig, Error, Failure, Found,
    Keeping, OperatingSystem, Progress, Registration, Store,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// The cheapest that Argon2 knows: what is tested is not how long it takes.
const CHEAP: Cost = Cost {
    memory: 8,
    iterations: 1,
    parallelism: 1,
};

const KEEPING: Keeping = Keeping {
    hash: true,
    cost: CHEAP,
};

/// A process that keeps hashes.
fn process(server: &Server, database: &str) -> Registration {
    let mut settings = config(server, database);
    // Many at a time on a busy machine.
    settings.pool_timeout_ms = 15_000;
    settings.statement_timeout_ms = 15_000;
    Registration::new(&settings)
        .unwrap()
        .with_passwords(KEEPING)
}

fn keeping(server: &Server, database: &str, keeping: Keeping) -> Registration {
    registration_of(server, database).with_passwords(keeping)
}

fn registration_of(server: &Server, database: &str) -> Registration {
    Registration::new(&config(server, database)).unwrap()
}

async fn authenticate(
    registration: &Registration,
    credentials: &Credentials,
) -> Result<Authenticated, Failure> {
    registration
        .authenticate(credentials, &Progress::default())
        .await
}

fn with(login: &str, password: &str) -> Credentials {
    Credentials {
        login: login.to_owned(),
        password: password.to_owned(),
        ..old_client()
    }
}

#[track_caller]
fn assert_refused(result: Result<Authenticated, Failure>, what: &str) {
    let failure = result.expect_err(what);
    assert!(
        matches!(failure.error, Error::Rmt { status: 401, .. }),
        "{what}: {failure}"
    );
}

/// How many hashes `work` took.
async fn hashes<T>(registration: &Registration, work: impl Future<Output = T>) -> (T, u64) {
    let before = registration.hashes_computed();
    let result = work.await;
    (result, registration.hashes_computed() - before)
}

async fn stored(place: &Place<'_>) -> Vec<String> {
    let rows = place.rows("SELECT password FROM systems ORDER BY id").await;
    rows.into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$";

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passwords_against_a_database() {
    let server = Server::start("passwords").await;

    an_announce_tells_the_password_and_stores_a_hash(&server).await;
    what_is_wrong_is_refused_and_costs_as_much_as_an_unknown_login(&server).await;
    a_damaged_hash_is_nobodys(&server).await;
    a_plain_password_is_replaced_at_its_first_use(&server).await;
    many_at_once_replace_it_once(&server).await;
    an_outdated_hash_is_replaced(&server).await;
    hashes_compare_as_the_database_does(&server).await;
    systems_that_share_credentials_share_a_hash(&server).await;
    a_proof_ends_with_its_time_and_with_the_row(&server).await;
    a_known_password_costs_no_statement_more(&server).await;
    products_are_checked_with_hashes_too(&server).await;
    back_to_plain_hashes_are_still_verified(&server).await;
    all_are_counted_and_converted(&server).await;
    a_conversion_runs_beside_authentications(&server).await;
    what_cannot_be_replaced_stays(&server).await;
    what_cannot_be_replaced_is_left_alone_for_a_while(&server).await;
    nothing_is_hashed_for_nobody(&server).await;
}

async fn an_announce_tells_the_password_and_stores_a_hash(server: &Server) {
    let place = Place::new(server, "announced").await;
    place.empty().await;
    let one = process(server, &place.name);
    let announces = (0..24).map(|number| {
        let one = one.clone();
        tokio::spawn(async move {
            // Some of them with a profile, which are stored alone.
            let profile = json!({"pci": {"identifier": "a", "data": "x"}});
            let params = match number % 3 {
                0 => json!({"hostname": "h", "system_profiles": profile}),
                _ => json!({"hostname": "h"}),
            };
            one.announce(params.to_string().as_bytes(), &Progress::default())
                .await
        })
    });
    let mut announced = Vec::new();
    for announce in announces.collect::<Vec<_>>() {
        announced.push(announce.await.unwrap().unwrap());
    }
    assert_eq!(one.hashes_computed(), 24);
    let hashes_stored = stored(&place).await;
    assert!(hashes_stored.iter().all(|it| it.starts_with(HASH)));
    let another = process(server, &place.name);
    for system in &announced {
        assert_eq!(system.password.len(), 16);
        let body: serde_json::Value = serde_json::from_str(&system.body()).unwrap();
        assert_eq!(body["password"], system.password.as_str());
        let credentials = with(&system.login, &system.password);
        // Who has announced it knows it.
        let (result, count) = hashes(&one, authenticate(&one, &credentials)).await;
        assert_eq!((result.unwrap().system.id, count), (system.id, 0));
        for expected in [1, 0] {
            let (result, count) = hashes(&another, authenticate(&another, &credentials)).await;
            assert_eq!((result.unwrap().system.id, count), (system.id, expected));
        }
    }
}

async fn what_is_wrong_is_refused_and_costs_as_much_as_an_unknown_login(server: &Server) {
    let place = Place::new(server, "wrong").await;
    for hashed in [false, true] {
        place.system("").await;
        let one = process(server, &place.name);
        if hashed {
            authenticate(&one, &old_client()).await.unwrap();
        }
        let kept = stored(&place).await.remove(0);
        let long = "p".repeat(1 << 20);
        let long_spaces = format!("p{}", " ".repeat(1 << 20));
        for (login, password, right) in [
            ("SCC_a", "p", true),
            ("SCC_a", "q", false),
            ("SCC_a", "", false),
            ("SCC_a", long.as_str(), false),
            ("SCC_a", "\u{fffd}", false),
            ("SCC_a", "p\0", false),
            ("SCC_a", kept.as_str(), !hashed),
            ("SCC_nobody", "p", false),
            ("SCC_nobody", "", false),
            ("", "", false),
            // The same to the database, and so to the hash.
            ("SCC_a", long_spaces.as_str(), true),
        ] {
            // A process that knows nothing: as many hashes are computed whatever is wrong.
            let one = Registration::new(&config(server, &place.name)).unwrap();
            let one = one.with_passwords(Keeping {
                hash: hashed,
                ..KEEPING
            });
            let (result, count) = hashes(&one, authenticate(&one, &with(login, password))).await;
            let what = format!("{login} {}", &password[..password.len().min(9)]);
            assert_eq!(count, u64::from(hashed || !right), "{what}");
            if right {
                assert_eq!(result.unwrap().system.id, 1, "{what}");
            } else {
                assert_refused(result, &what);
            }
        }
    }
    // An empty password is one, too.
    place.system("password = ''").await;
    let one = process(server, &place.name);
    for _ in 0..2 {
        authenticate(&one, &with("SCC_a", "")).await.unwrap();
        assert_refused(authenticate(&one, &with("SCC_a", "p")).await, "not empty");
    }
    assert!(stored(&place).await[0].starts_with(HASH));
    // A row that has none is nobody's.
    place.system("password = NULL").await;
    assert_refused(authenticate(&one, &with("SCC_a", "")).await, "none");
}

async fn a_damaged_hash_is_nobodys(server: &Server) {
    let place = Place::new(server, "damaged").await;
    place.system("").await;
    let one = process(server, &place.name);
    authenticate(&one, &old_client()).await.unwrap();
    let sound = stored(&place).await.remove(0);
    for damaged in [
        sound[..sound.len() - 1].to_owned(),
        format!("{sound}="),
        sound.to_lowercase(),
        sound.replace("m=8", "m=4000000000"),
        sound.replace("v=19", "v=20"),
        "$argon2id$".to_owned(),
        "$argon2id$v=19$m=8,t=1,p=1$$".to_owned(),
        format!("$argon2id${}", "\u{e4}".repeat(240)),
    ] {
        place
            .run(&format!("UPDATE systems SET password = '{damaged}'"))
            .await;
        for password in ["p", damaged.as_str()] {
            let (result, count) = hashes(&one, authenticate(&one, &with("SCC_a", password))).await;
            assert_refused(result, &damaged);
            assert_eq!(count, 1, "{damaged}");
        }
        assert_eq!(stored(&place).await, [damaged]);
    }
    // Other systems with the login are not harmed.
    place.another(2, "").await;
    let found = authenticate(&one, &old_client()).await.unwrap();
    assert_eq!(found.system.id, 2);
}

async fn a_plain_password_is_replaced_at_its_first_use(server: &Server) {
    let place = Place::new(server, "replaced").await;
    let one = process(server, &place.name);
    let others = "SELECT updated_at, scc_registered_at, last_seen_at, system_information, IFNULL(system_token, '-') \
                  FROM systems";
    place
        .system("scc_system_id = 7, last_seen_at = '2100-01-01'")
        .await;
    let before = place.read(others).await;
    let silent = Credentials {
        user_agent: Some("zypp".to_owned()),
        ..old_client()
    };
    let (result, count) = hashes(&one, authenticate(&one, &silent)).await;
    let hash = stored(&place).await.remove(0);
    assert_eq!((result.unwrap().system.password, count), (hash.clone(), 1));
    assert!(hash.starts_with(HASH), "{hash}");
    assert_eq!(place.read(others).await, before);

    let (result, count) = hashes(&one, authenticate(&one, &silent)).await;
    assert_eq!((result.unwrap().system.id, count), (1, 0));
    assert_eq!(stored(&place).await, [hash]);
}

async fn many_at_once_replace_it_once(server: &Server) {
    let place = Place::new(server, "once").await;
    place.system("").await;
    let one = process(server, &place.name);
    authenticate(&one, &with("SCC_a", "q")).await.unwrap_err();
    let before = (server.counters().await, one.hashes_computed());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let one = one.clone();
            // Deferred, so that the one who replaces it is the only one who writes.
            let credentials = Credentials {
                defer: true,
                ..old_client()
            };
            tokio::spawn(async move { authenticate(&one, &credentials).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().system.id, 1);
    }
    let updates = server.since(&before.0).await[2];
    assert_eq!((one.hashes_computed() - before.1, updates), (1, 1));
    assert!(stored(&place).await[0].starts_with(HASH));

    // Several processes: whoever is second finds another value, and leaves it.
    place.run("UPDATE systems SET password = 'p'").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let process = process(server, &place.name);
            tokio::spawn(async move { authenticate(&process, &old_client()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let another = process(server, &place.name);
    authenticate(&another, &old_client()).await.unwrap();
    assert!(stored(&place).await[0].starts_with(HASH));
}

async fn an_outdated_hash_is_replaced(server: &Server) {
    let place = Place::new(server, "outdated").await;
    place.system("").await;
    authenticate(&process(server, &place.name), &old_client())
        .await
        .unwrap();
    let more = Keeping {
        cost: Cost {
            iterations: 2,
            ..CHEAP
        },
        ..KEEPING
    };
    let one = keeping(server, &place.name, more);
    assert_refused(
        authenticate(&one, &with("SCC_a", "q")).await,
        "wrong password",
    );
    assert!(stored(&place).await[0].starts_with(HASH));
    // One to verify, one to make.
    let (result, count) = hashes(&one, authenticate(&one, &old_client())).await;
    assert_eq!((result.unwrap().system.id, count), (1, 2));
    assert!(stored(&place).await[0].starts_with("$argon2id$v=19$m=8,t=2,p=1$"));
    let (_, count) = hashes(&one, authenticate(&one, &old_client())).await;
    assert_eq!(count, 0);
}

async fn hashes_compare_as_the_database_does(server: &Server) {
    let place = Place::new(server, "collation").await;
    for hashed in [false, true] {
        place.system("password = '00ff aaBB'").await;
        let how = Keeping {
            hash: hashed,
            ..KEEPING
        };
        let one = keeping(server, &place.name, how);
        for (login, password, right) in [
            ("SCC_a", "00ff aabb", true),
            ("scc_A ", "00FF AABB", true),
            ("SCC_a", "00ff aabb   ", true),
            ("SCC_a", "00ff  aabb", false),
            ("SCC_a", " 00ff aabb", false),
            ("SCC_a", "00ff aabb\t", false),
            (" SCC_a", "00ff aabb", false),
        ] {
            let result = authenticate(&one, &with(login, password)).await;
            assert_eq!(result.is_ok(), right, "{hashed} {login:?} {password:?}");
        }
        let hash = stored(&place).await[0].starts_with(HASH);
        assert_eq!(hash, hashed);
    }
}

async fn systems_that_share_credentials_share_a_hash(server: &Server) {
    let place = Place::new(server, "shared").await;
    place.system("system_token = 'one'").await;
    for (id, columns) in [
        (2, "system_token = 'two'"),
        (3, "password = 'other', system_token = 'one'"),
        (4, "password = 'P', system_token = NULL"),
    ] {
        place.another(id, columns).await;
    }
    let one = process(server, &place.name);
    let found = authenticate(&one, &client("two")).await.unwrap();
    assert_eq!((found.system.id, found.ids.as_slice()), (2, &[1, 2, 4][..]));
    let hashes_stored = stored(&place).await;
    assert!(hashes_stored[0].starts_with(HASH));
    assert_eq!(hashes_stored[2], "other");
    assert!(
        [1, 3]
            .iter()
            .all(|&at| hashes_stored[at] == hashes_stored[0])
    );

    // A copy has what it is copied from.
    let found = authenticate(&one, &client("three")).await.unwrap();
    assert_eq!(found.found, Found::Copied { from: 1 });
    assert_eq!(found.system.password, hashes_stored[0]);
    let found = authenticate(&one, &client("three")).await.unwrap();
    assert_eq!(found.found, Found::WithToken);
    assert_eq!(one.hashes_computed(), 1);

    // One that comes later takes over what the others have.
    place.another(9, "system_token = 'nine'").await;
    let found = authenticate(&process(server, &place.name), &client("nine")).await;
    assert_eq!(found.unwrap().system.password, hashes_stored[0]);
    let all = place
        .read("SELECT COUNT(DISTINCT BINARY password) FROM systems")
        .await;
    assert_eq!(all, "2");

    // The unique key holds as before: with this token there is one already.
    place
        .another(10, "password = 'p ', system_token = NULL")
        .await;
    let result = authenticate(&one, &client("ten")).await.unwrap();
    assert_eq!(result.found, Found::Copied { from: 1 });
}

/// A clock that is set.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> OffsetDateTime {
        Noon.now() + Duration::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// A process that keeps hashes, and whose clock is set.
fn process_with(settings: &DatabaseConfig, clock: &Arc<Hands>) -> Registration {
    let store = Store::new(settings).unwrap();
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Registration::with_sources(store, clock, Arc::new(OperatingSystem)).with_passwords(KEEPING)
}

async fn a_proof_ends_with_its_time_and_with_the_row(server: &Server) {
    let place = Place::new(server, "time").await;
    place.system("").await;
    let clock = Arc::new(Hands::default());
    let one = process_with(&config(server, &place.name), &clock);
    authenticate(&one, &old_client()).await.unwrap();
    for (second, expected) in [(599, 0), (600, 1), (1_199, 0), (1_200, 1), (0, 1)] {
        clock.0.store(second, Ordering::SeqCst);
        let (result, count) = hashes(&one, authenticate(&one, &old_client())).await;
        assert_eq!(
            (result.unwrap().system.id, count),
            (1, expected),
            "{second}"
        );
    }
    // Another process gives the system another password.
    place.run("UPDATE systems SET password = 'q'").await;
    let another = process(server, &place.name);
    authenticate(&another, &with("SCC_a", "q")).await.unwrap();
    assert_refused(authenticate(&one, &old_client()).await, "the old password");
    let (result, count) = hashes(&one, authenticate(&one, &with("SCC_a", "q"))).await;
    assert_eq!((result.unwrap().system.id, count), (1, 1));
}

async fn a_known_password_costs_no_statement_more(server: &Server) {
    let place = Place::new(server, "statements").await;
    place.system("").await;
    let one = process(server, &place.name);
    for _ in 0..2 {
        authenticate(&one, &old_client()).await.unwrap();
    }
    let before = server.counters().await;
    authenticate(&one, &old_client()).await.unwrap();
    assert_eq!(server.since(&before).await[..6], [1, 0, 0, 0, 0, 0]);
}

async fn products_are_checked_with_hashes_too(server: &Server) {
    let place = Place::new(server, "products").await;
    server.install_triggers(&place.name).await;
    place.system("").await;
    let one = process(server, &place.name);
    let sles = actions::product("SLES", "15.6");
    let new = client("");
    for (expected, what) in [(1, "plain"), (0, "a hash"), (0, "a hash")] {
        let activation = actions::act(&one, &new, Action::Activate, &sles);
        let (result, count) = hashes(&one, activation).await;
        result.unwrap();
        assert_eq!(count, expected, "{what}");
        place.run("UPDATE systems SET system_token = NULL").await;
    }
    let wrong = Credentials {
        password: "q".to_owned(),
        ..client("")
    };
    let (result, count) = hashes(&one, actions::act(&one, &wrong, Action::Show, &sles)).await;
    let failure = result.unwrap_err();
    assert!(matches!(failure.error, Error::Rmt { status: 401, .. }));
    assert_eq!(count, 1);
}

async fn back_to_plain_hashes_are_still_verified(server: &Server) {
    let place = Place::new(server, "back").await;
    place.system("").await;
    authenticate(&process(server, &place.name), &old_client())
        .await
        .unwrap();
    place
        .another(2, "login = 'SCC_b', password = 'plain'")
        .await;
    let before = stored(&place).await;
    let back = Keeping {
        hash: false,
        ..KEEPING
    };
    let one = keeping(server, &place.name, back);
    let (result, count) = hashes(&one, authenticate(&one, &old_client())).await;
    assert_eq!((result.unwrap().system.id, count), (1, 1));
    assert_refused(authenticate(&one, &with("SCC_a", &before[0])).await, "hash");
    let (result, count) = hashes(&one, authenticate(&one, &with("SCC_b", "plain"))).await;
    assert_eq!((result.unwrap().system.id, count), (2, 0));
    assert_eq!(stored(&place).await, before);
    let announced = one.announce(b"{}", &Progress::default()).await.unwrap();
    assert_eq!(stored(&place).await[2], announced.password);
}

async fn all_are_counted_and_converted(server: &Server) {
    let place = Place::new(server, "converted").await;
    place.system("").await;
    let one = process(server, &place.name);
    assert_eq!(one.count_passwords(1).await.unwrap().last, None);
    for id in 2..=150 {
        let columns = format!("login = 'SCC_{id}', password = 'p{id}'");
        place.another(id, &columns).await;
    }
    // Far from the first with the same credentials.
    place.another(200, "system_token = 'b'").await;
    place
        .run("UPDATE systems SET password = '$argon2id$damaged' WHERE id = 100")
        .await;
    authenticate(&one, &with("SCC_50", "p50")).await.unwrap();
    let outdated = Keeping {
        cost: Cost {
            iterations: 2,
            ..CHEAP
        },
        ..KEEPING
    };
    let outdated = keeping(server, &place.name, outdated);
    authenticate(&outdated, &with("SCC_60", "p60"))
        .await
        .unwrap();

    let census = one.count_passwords(0).await.unwrap();
    let counts = |it: &registration::Census| (it.plain, it.current, it.outdated, it.damaged);
    assert_eq!(counts(&census), (148, 1, 1, 1));
    assert_eq!(census.last, Some(200));

    let times =
        "SELECT SUM(updated_at > '2026-02-01'), SUM(scc_registered_at IS NULL) FROM systems";
    let before = place.read(times).await;
    // Stopped after the first part, and begun anew.
    let first = one.convert_passwords(0).await.unwrap();
    assert!(
        first.hashed > 0 && first.left == 0 && first.seen < 150,
        "{first:?}"
    );
    let (mut after, mut hashed) = (0, first.hashed);
    while let converted = one.convert_passwords(after).await.unwrap()
        && let Some(last) = converted.last
    {
        (after, hashed) = (last, hashed + converted.hashed);
    }
    assert_eq!(hashed, 148);
    let census = one.count_passwords(0).await.unwrap();
    assert_eq!(counts(&census), (0, 149, 1, 1));
    assert_eq!(place.read(times).await, before);
    let alike = "SELECT COUNT(DISTINCT BINARY password) FROM systems WHERE id IN (1, 200)";
    assert_eq!(place.read(alike).await, "1");

    let another = process(server, &place.name);
    for (login, password, id) in [("SCC_a", "p", 1), ("SCC_2", "p2", 2), ("SCC_60", "p60", 60)] {
        let found = authenticate(&another, &with(login, password)).await;
        assert_eq!(found.unwrap().system.id, id);
    }
    assert_eq!(one.convert_passwords(0).await.unwrap().hashed, 0);
    assert!(
        registration_of(server, &place.name)
            .count_passwords(0)
            .await
            .is_err()
    );
}

async fn a_conversion_runs_beside_authentications(server: &Server) {
    let place = Place::new(server, "beside").await;
    place.empty().await;
    for id in 1..=60 {
        let columns = format!("login = 'SCC_{id}', password = 'p{id}', system_token = NULL");
        place.another(id, &columns).await;
    }
    let converting = {
        let one = process(server, &place.name);
        tokio::spawn(async move {
            let mut after = 0;
            while let Some(last) = one.convert_passwords(after).await.unwrap().last {
                after = last;
            }
        })
    };
    let one = process(server, &place.name);
    for id in (1..=60).rev() {
        let credentials = with(&format!("SCC_{id}"), &format!("p{id}"));
        let found = authenticate(&one, &credentials).await.unwrap();
        assert_eq!(found.system.id, id);
    }
    converting.await.unwrap();
    let census = one.count_passwords(0).await.unwrap();
    assert_eq!((census.plain, census.current), (0, 60));
    let another = process(server, &place.name);
    for id in 1..=60 {
        let credentials = with(&format!("SCC_{id}"), &format!("p{id}"));
        authenticate(&another, &credentials).await.unwrap();
    }
}

/// The column is too short, or the database says no: who has the right password gets in.
async fn what_cannot_be_replaced_stays(server: &Server) {
    let place = Place::new(server, "short").await;
    place.system("").await;
    place
        .run("ALTER TABLE systems MODIFY password varchar(40)")
        .await;
    let one = process(server, &place.name);
    for _ in 0..2 {
        let found = authenticate(&one, &old_client()).await.unwrap();
        assert_eq!((found.system.id, found.system.password.as_str()), (1, "p"));
    }
    let converted = one.convert_passwords(0).await.unwrap();
    assert_eq!((converted.hashed, converted.left), (0, 1));
    assert_eq!(stored(&place).await, ["p"]);
    // A new system is stored as promised or not at all.
    let failure = one.announce(b"{}", &Progress::default()).await.unwrap_err();
    assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
    assert_eq!(stored(&place).await, ["p"]);
}

/// Whatever the database has against it: one system in a minute pays for a hash, the log is told once, and all
/// get in.
async fn what_cannot_be_replaced_is_left_alone_for_a_while(server: &Server) {
    let place = Place::new(server, "refused").await;
    place
        .run(&format!(
            "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'rmt'; GRANT SELECT ON {}.* TO reader@'127.0.0.1'",
            place.name
        ))
        .await;
    let grant = format!(
        "GRANT UPDATE ON {}.systems TO reader@'127.0.0.1'",
        place.name
    );
    let column = |length| format!("ALTER TABLE systems MODIFY password varchar({length})");
    let read_only = |value| format!("SET GLOBAL read_only = {value}");
    for (account, refuse, allow, said) in [
        (
            "rmt",
            column(40),
            column(255),
            "The hash of a password is too long",
        ),
        ("rmt", read_only(1), read_only(0), "--read-only"),
        ("reader", "DO 0".to_owned(), grant, "UPDATE command denied"),
    ] {
        place.empty().await;
        for id in 1..=30 {
            let columns =
                format!("login = 'SCC_{id}', password = 'p{id}', last_seen_at = '2100-01-01'");
            place.another(id, &columns).await;
        }
        place.run(&refuse).await;
        let mut settings = config(server, &place.name);
        account.clone_into(&mut settings.username);
        let clock = Arc::new(Hands::default());
        let one = process_with(&settings, &clock);
        let mut lines = Vec::new();
        for (second, expected) in [
            (0, 1),
            (1, 0),
            (59, 0),
            (60, 1),
            (61, 0),
            (119, 0),
            (120, 1),
        ] {
            clock.0.store(second, Ordering::SeqCst);
            let before = one.hashes_computed();
            for id in 1..=10 {
                let found = authenticate(&one, &silent(id)).await.unwrap();
                assert_eq!(found.system.password, format!("p{id}"), "{said}");
                lines.extend(found.log().filter(|line| line.text.starts_with("rmt_rs: ")));
            }
            assert_eq!(one.hashes_computed() - before, expected, "{said} {second}");
        }
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].text.contains(said), "{lines:?}");
        // For one system, too, those who waited for the first to fail do not try themselves.
        clock.0.store(180, Ordering::SeqCst);
        let before = one.hashes_computed();
        let tasks = (0..16).map(|_| {
            let one = one.clone();
            tokio::spawn(async move { authenticate(&one, &silent(1)).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        assert_eq!(one.hashes_computed() - before, 1, "{said}");

        // Mended: the next one that tries ends it.
        place.run(&allow).await;
        authenticate(&one, &silent(1)).await.unwrap();
        clock.0.store(240, Ordering::SeqCst);
        for id in 1..=30 {
            authenticate(&one, &silent(id)).await.unwrap();
        }
        assert!(
            stored(&place).await.iter().all(|it| it.starts_with(HASH)),
            "{said}"
        );
    }
}

/// As zypper, so that nothing is to be written of the system but its hash.
fn silent(id: u64) -> Credentials {
    Credentials {
        user_agent: Some("zypp".to_owned()),
        ..with(&format!("SCC_{id}"), &format!("p{id}"))
    }
}

async fn nothing_is_hashed_for_nobody(server: &Server) {
    let place = Place::new(server, "nobody").await;
    place.system("").await;
    let one = process(server, &place.name);
    let progress = Progress::default();
    progress.abandon();
    let failure = one.announce(b"{}", &progress).await.unwrap_err();
    assert!(matches!(failure.error, Error::Abandoned));
    let failure = one.authenticate(&with("SCC_a", "q"), &progress).await;
    assert!(matches!(failure.unwrap_err().error, Error::Abandoned));
    assert_eq!(one.hashes_computed(), 0);
    assert_eq!(stored(&place).await, ["p"]);
}
