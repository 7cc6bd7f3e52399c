//! Announce against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::server::Server;
use common::way::{Accident, accident_on};
use common::{config, predictable, registration};
use registration::{Announced, Error, Failure, Progress, Registration, Written};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

async fn announce(registration: &Registration, params: Value) -> Result<Announced, Failure> {
    registration
        .announce(params.to_string().as_bytes(), &Progress::default())
        .await
}

/// Nothing is half-written: every table that an announce touches is empty.
async fn nothing_stored(server: &Server, database: &str) {
    let counts = "SELECT (SELECT COUNT(*) FROM systems), (SELECT COUNT(*) FROM profiles), \
                  (SELECT COUNT(*) FROM system_profiles)";
    assert_eq!(server.read(database, counts).await, "0 0 0");
}

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn announce_against_a_database() {
    let server = Arc::new(Server::start("announce").await);

    stores_what_was_sent(&server).await;
    stores_and_links_profiles(&server).await;
    what_is_the_same_to_the_table_is_linked_once(&server).await;
    blank_data_is_no_profile(&server).await;
    refuses_what_cannot_be_stored(&server).await;
    declines_what_only_ruby_can_say(&server).await;
    writes_once_and_commits_once(&server).await;
    racing_profiles_are_stored_once(&server).await;
    profiles_may_vanish_meanwhile(&server).await;
    what_was_abandoned_is_not_written(&server).await;
    what_was_undone_is_not_repeated_for_nobody(&server).await;
    lost_answers_double_nothing(&server).await;
    a_silent_server_is_given_up(&server).await;
    a_read_only_server_is_reported_and_recovered_from(&server).await;
    too_many_connections_are_reported_and_recovered_from(&server).await;
    a_busy_pool_does_not_make_wait_for_ever(&server).await;
    killed_connections_and_a_crash_are_survived(&server).await;
    a_missing_column_is_no_fault_of_the_client(&server).await;
}

async fn stores_what_was_sent(server: &Server) {
    let database = server.database("plain").await;
    let registration = predictable(server, &database);
    let params =
        json!({"hostname": "web01", "hwinfo": {"cpus": 2, "x": "<a>", "l": [1, [2]]}, "other": 1});

    let system = announce(&registration, params).await.unwrap();

    assert_eq!(
        system.body(),
        r#"{"id":1,"login":"SCC_01010101010101010101010101010101","password":"0202020202020202","last_seen_at":null}"#
    );
    assert!(!system.clear_profile_cache);
    let row = "SELECT id, login, password, hostname, system_information, registered_at, created_at, \
               updated_at, last_seen_at, scc_registered_at, scc_system_id, system_token, instance_data, \
               proxy_byos_mode, pubcloud_reg_code FROM systems";
    assert_eq!(
        server.read(&database, row).await,
        "1 SCC_01010101010101010101010101010101 0202020202020202 web01 \
         {\"cpus\":2,\"x\":\"\\u003ca\\u003e\",\"l\":[1]} \
         2026-11-20 12:34:56 2026-11-20 12:34:56 2026-11-20 12:34:56 NULL NULL NULL NULL NULL 0 NULL"
    );

    announce(&registration, json!({})).await.unwrap();
    let row = "SELECT hostname, system_information FROM systems WHERE id = 2";
    assert_eq!(server.read(&database, row).await, "NULL null");
}

async fn stores_and_links_profiles(server: &Server) {
    let database = server.database("profiles").await;
    let registration = predictable(server, &database);
    let params = json!({"hostname": "p", "system_profiles": {
        "pci_data": {"identifier": "aaaa", "data": "Slot 00"},
        "mod_list": {"identifier": "bbbb", "data": "mod a"},
        "broken": {"identifier": "cccc"},
    }});
    for id in [1, 2] {
        let system = announce(&registration, params.clone()).await.unwrap();
        assert_eq!(system.id, id);
        assert!(system.clear_profile_cache);
    }
    let profiles =
        "SELECT id, profile_type, identifier, data, last_synced_at, created_at FROM profiles";
    assert_eq!(
        server.read(&database, profiles).await,
        "1 pci_data aaaa Slot 00 NULL 2026-11-20 12:34:56.789000\n2 mod_list bbbb mod a NULL 2026-11-20 12:34:56.789000"
    );
    let links = "SELECT system_id, profile_id FROM system_profiles ORDER BY id";
    assert_eq!(server.read(&database, links).await, "1 1\n1 2\n2 1\n2 2");
}

async fn what_is_the_same_to_the_table_is_linked_once(server: &Server) {
    let database = server.database("collation").await;
    let registration = registration(server, &database);
    let profile = json!({"identifier": "aaaa", "data": "x"});
    let params =
        json!({"system_profiles": {"pci": profile, "PCI": {"identifier": "AAAA ", "data": "y"}}});
    announce(&registration, params.clone()).await.unwrap();
    announce(&registration, params).await.unwrap();
    let counts = "SELECT (SELECT COUNT(*) FROM profiles), (SELECT COUNT(*) FROM system_profiles)";
    assert_eq!(server.read(&database, counts).await, "1 2");
}

async fn blank_data_is_no_profile(server: &Server) {
    let database = server.database("blank").await;
    let registration = registration(server, &database);
    let params = json!({"hostname": "p", "system_profiles": {
        "mod_list": {"identifier": "bbbb", "data": "mod a"},
        "pci_data": {"identifier": "aaaa", "data": " "},
    }});
    let failure = announce(&registration, params.clone()).await.unwrap_err();
    assert!(matches!(failure.error, Error::Invalid(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    nothing_stored(server, &database).await;

    // Known already, it is linked and its data not looked at.
    let known = json!({"system_profiles": {"pci_data": {"identifier": "aaaa", "data": "x"}}});
    announce(&registration, known).await.unwrap();
    announce(&registration, params).await.unwrap();
    assert_eq!(
        server
            .read(&database, "SELECT COUNT(*) FROM system_profiles")
            .await,
        "3"
    );
}

async fn refuses_what_cannot_be_stored(server: &Server) {
    let database = server.database("refused").await;
    let registration = registration(server, &database);
    let long = "x".repeat(300);
    let deep = (0..40).fold(json!(1), |inner, _| json!({"a": inner}));
    let profile =
        |identifier: &str, data: &str| json!({"pci": {"identifier": identifier, "data": data}});
    for (params, complaint) in [
        (json!({"hostname": long}), "hostname is too long"),
        (
            json!({"hostname": "\u{1F600}"}),
            "hostname contains characters that cannot be stored",
        ),
        (
            json!({"hwinfo": {"a": "\u{1F600}"}}),
            "hwinfo contains characters that cannot be stored",
        ),
        (
            json!({"hwinfo": {"a": "x".repeat(17 << 20)}}),
            "The request is too large to be stored",
        ),
        (
            json!({"system_profiles": profile("a", &"x".repeat(17 << 20))}),
            "The request is too large to be stored",
        ),
        (json!({"hwinfo": deep}), "hwinfo cannot be stored as JSON"),
        (
            json!({"system_profiles": profile(&long, "x")}),
            "The identifier of a profile is too long",
        ),
        (
            json!({"system_profiles": {&long: {"identifier": "a", "data": "x"}}}),
            "The type of a profile is too long",
        ),
        (
            json!({"system_profiles": profile("a", "\u{1F600}")}),
            "The data of a profile contains characters that cannot be stored",
        ),
    ] {
        let failure = announce(&registration, params).await.unwrap_err();
        assert_eq!(failure.error.to_string(), complaint);
        assert!(matches!(failure.error, Error::BadInput(_)));
        assert_eq!(failure.written, Written::No);
    }
    // No value alone is too large for one statement, but they are together.
    let half = "x".repeat(9 << 20);
    for params in [
        json!({"hostname": "x".repeat(17 << 20)}),
        json!({"hostname": half, "hwinfo": {"a": half}}),
        json!({"system_profiles": profile(&"x".repeat(17 << 20), "x")}),
    ] {
        let failure = announce(&registration, params).await.unwrap_err();
        assert_eq!(
            failure.error.to_string(),
            "The request is too large to be stored"
        );
    }
    nothing_stored(server, &database).await;

    // What is large but fits is stored.
    let large = "y".repeat(1 << 20);
    announce(
        &registration,
        json!({"hostname": "z".repeat(255), "hwinfo": {"a": large}}),
    )
    .await
    .unwrap();
    let length = "SELECT LENGTH(hostname), LENGTH(system_information) FROM systems";
    assert_eq!(
        server.read(&database, length).await,
        format!("255 {}", (1 << 20) + 8)
    );
}

async fn declines_what_only_ruby_can_say(server: &Server) {
    let database = server.database("declined").await;
    let registration = registration(server, &database);
    let many: serde_json::Map<_, _> = (0..65)
        .map(|n| (format!("p{n}"), json!({"identifier": "a", "data": "x"})))
        .collect();
    for params in [
        json!({"hostname": ["a"]}),
        json!({"hostname": {}}),
        json!({"system_profiles": many}),
        json!([]),
    ] {
        let failure = announce(&registration, params).await.unwrap_err();
        assert!(matches!(failure.error, Error::Declined(_)), "{failure}");
        assert_eq!(failure.written, Written::No);
    }
    nothing_stored(server, &database).await;
}

async fn writes_once_and_commits_once(server: &Server) {
    let database = server.database("statements").await;
    let registration = registration(server, &database);
    let profiles = json!({"pci_data": {"identifier": "a", "data": "x"}, "mod_list": {"identifier": "b", "data": "y"}});
    let mut root = server.root("mysql").await;
    root.execute("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'")
        .await
        .unwrap();
    // Opens the connection, prepares the statements, stores the profiles.
    announce(&registration, json!({})).await.unwrap();
    announce(&registration, json!({"system_profiles": profiles}))
        .await
        .unwrap();

    let statements = async |params: Value| {
        let mut least = [u64::MAX; 4];
        // The least of a few: the server has transactions of its own now and then.
        for _ in 0..5 {
            let before = counters(server).await;
            announce(&registration, params.clone()).await.unwrap();
            let after = counters(server).await;
            for (least, (after, before)) in least.iter_mut().zip(after.iter().zip(before)) {
                *least = (after - before).min(*least);
            }
        }
        let [inserts, selects, commits, engine] = least;
        (inserts, selects - 1, commits, engine)
    };
    // Inserts, selects, explicit commits, commits of the storage engine.
    assert_eq!(
        statements(json!({"hostname": "a", "hwinfo": {"cpus": 1}})).await,
        (1, 0, 0, 1)
    );
    assert_eq!(
        statements(json!({"system_profiles": profiles})).await,
        (2, 1, 1, 1)
    );
}

/// Inserts, selects (this one's own included), commits and the storage engine's commits so far.
async fn counters(server: &Server) -> Vec<u64> {
    let status = |name| {
        format!(
            "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{name}')"
        )
    };
    let engine =
        "(SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rw_commits')";
    let query = format!(
        "SELECT {}, {}, {}, {engine}",
        status("COM_INSERT"),
        status("COM_SELECT"),
        status("COM_COMMIT")
    );
    server
        .read("mysql", &query)
        .await
        .split(' ')
        .map(|count| count.parse().unwrap())
        .collect()
}

async fn racing_profiles_are_stored_once(server: &Server) {
    let database = server.database("racing").await;
    let registration = registration(server, &database);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let registration = registration.clone();
            // Half of them in the other order, which makes for deadlocks.
            let (first, second) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
            let params = json!({"hostname": n.to_string(), "system_profiles": {
                first: {"identifier": format!("{}", n / 8), "data": "x"},
                second: {"identifier": format!("{}", n / 8), "data": "x"},
            }});
            tokio::spawn(async move {
                announce(&registration, params)
                    .await
                    .map(|system| system.id)
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let counts = "SELECT (SELECT COUNT(DISTINCT hostname) FROM systems), (SELECT COUNT(*) FROM systems), \
                  (SELECT COUNT(*) FROM profiles), (SELECT COUNT(*) FROM system_profiles)";
    assert_eq!(server.read(&database, counts).await, "64 64 16 128");
}

async fn profiles_may_vanish_meanwhile(server: &Arc<Server>) {
    let database = server.database("vanishing").await;
    let registration = registration(server, &database);
    let purge = {
        let (server, database) = (Arc::clone(server), database.clone());
        tokio::spawn(async move {
            let mut root = server.root(&database).await;
            loop {
                // What a deregistration does with the links and with profiles nobody else uses.
                let _ = root.execute("DELETE FROM system_profiles").await;
                let _ = root.execute("DELETE FROM profiles").await;
            }
        })
    };
    let profile = json!({"identifier": "a", "data": "x"});
    for _ in 0..200 {
        announce(&registration, json!({"system_profiles": {"pci": profile}}))
            .await
            .unwrap();
    }
    purge.abort();
    assert_eq!(
        server.read(&database, "SELECT COUNT(*) FROM systems").await,
        "200"
    );
}

async fn what_was_abandoned_is_not_written(server: &Server) {
    let database = server.database("abandoned").await;
    let registration = registration(server, &database);
    let progress = Progress::default();
    assert_eq!(progress.abandon(), Written::No);
    let failure = registration.announce(b"{}", &progress).await.unwrap_err();
    assert!(matches!(failure.error, Error::Abandoned));
    nothing_stored(server, &database).await;
}

async fn what_was_undone_is_not_repeated_for_nobody(server: &Server) {
    let database = server.database("undone").await;
    let mut settings = config(server, &database);
    settings.session = "@@SESSION.innodb_lock_wait_timeout = 1".to_owned();
    settings.statement_timeout_ms = 5_000;
    let registration = Registration::new(&settings).unwrap();
    // A purge that has locked what follows the last row lets no system be inserted.
    let mut root = server.root(&database).await;
    root.execute("START TRANSACTION").await.unwrap();
    root.execute("SELECT * FROM systems FOR UPDATE")
        .await
        .unwrap();
    let progress = Arc::new(Progress::default());
    let task = {
        let progress = Arc::clone(&progress);
        tokio::spawn(async move { registration.announce(b"{}", &progress).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(progress.abandon(), Written::Perhaps);
    let failure = task.await.unwrap().unwrap_err();
    assert!(matches!(failure.error, Error::Abandoned), "{failure}");
    root.execute("COMMIT").await.unwrap();
    nothing_stored(server, &database).await;
}

async fn lost_answers_double_nothing(server: &Server) {
    // The text each statement is known by on the wire: prepared ones by what is bound.
    let plain = json!({"hostname": "marker"});
    let profiles = json!({"hostname": "marker", "system_profiles": {"pci": {"identifier": "known", "data": "x"}}});
    let fresh =
        json!({"hostname": "p", "system_profiles": {"pci": {"identifier": "marker", "data": "x"}}});
    let mut number = 0;
    for accident in [
        Accident::LoseAnswer,
        Accident::LoseRequest,
        Accident::CutRequest,
    ] {
        for (params, text) in [
            (&plain, "marker"),
            (&profiles, "known"),
            (&profiles, "marker"),
            (&profiles, "START TRANSACTION"),
            (&profiles, "COMMIT"),
            (&fresh, "marker"),
        ] {
            number += 1;
            let database = server.database(&format!("lost{number}")).await;
            let (port, happened) = accident_on(server.port, text, accident).await;
            let mut config = config(server, &database);
            config.port = port;
            let registration = Registration::new(&config).unwrap();
            let system = announce(&registration, params.clone()).await.unwrap();
            assert!(happened.load(Ordering::SeqCst), "{text}");
            let rows = "SELECT GROUP_CONCAT(login), COUNT(*), (SELECT COUNT(*) FROM profiles), \
                        (SELECT COUNT(*) FROM system_profiles) FROM systems";
            let linked = if params == &plain { 0 } else { 1 };
            let expected = format!("{} 1 {linked} {linked}", system.login);
            assert_eq!(server.read(&database, rows).await, expected, "{text}");
        }
    }
}

async fn a_silent_server_is_given_up(server: &Server) {
    let database = server.database("silent").await;

    // Somebody who takes connections and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = config(server, &database);
    settings.port = mute.local_addr().unwrap().port();
    let begun = Instant::now();
    let failure = announce(&Registration::new(&settings).unwrap(), json!({}))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Silent(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    assert!(begun.elapsed() < Duration::from_secs(4));

    // A statement that hangs: somebody holds the table.
    let registration = registration(server, &database);
    announce(&registration, json!({})).await.unwrap();
    let mut root = server.root(&database).await;
    root.execute("LOCK TABLES systems WRITE").await.unwrap();
    let failure = announce(&registration, json!({"hostname": "late"}))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Silent(_)), "{failure}");
    assert_eq!(failure.written, Written::Perhaps);
    root.execute("UNLOCK TABLES").await.unwrap();
    announce(&registration, json!({"hostname": "after"}))
        .await
        .unwrap();
}

async fn a_read_only_server_is_reported_and_recovered_from(server: &Server) {
    let database = server.database("readonly").await;
    let registration = registration(server, &database);
    announce(&registration, json!({})).await.unwrap();
    let mut root = server.root(&database).await;
    root.execute("SET GLOBAL read_only = 1").await.unwrap();
    let failure = announce(&registration, json!({"hostname": "refused"}))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Unavailable(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    root.execute("SET GLOBAL read_only = 0").await.unwrap();
    announce(&registration, json!({"hostname": "taken"}))
        .await
        .unwrap();
    assert_eq!(
        server
            .read(&database, "SELECT GROUP_CONCAT(hostname) FROM systems")
            .await,
        "taken"
    );
}

async fn too_many_connections_are_reported_and_recovered_from(server: &Server) {
    let database = server.database("crowded").await;
    let mut root = server.root(&database).await;
    root.execute("CREATE USER one@'127.0.0.1' IDENTIFIED BY 'rmt' WITH MAX_USER_CONNECTIONS 1")
        .await
        .unwrap();
    root.execute(AssertSqlSafe(format!(
        "GRANT ALL ON {database}.* TO one@'127.0.0.1'"
    )))
    .await
    .unwrap();
    let mut settings = config(server, &database);
    settings.username = "one".to_owned();
    let first = Registration::new(&settings).unwrap();
    announce(&first, json!({})).await.unwrap();

    let second = Registration::new(&settings).unwrap();
    let failure = announce(&second, json!({})).await.unwrap_err();
    assert!(matches!(failure.error, Error::Refused(_)), "{failure}");
    assert_eq!(failure.written, Written::No);

    first.store().close().await;
    let deadline = Instant::now() + Duration::from_secs(5);
    while announce(&second, json!({})).await.is_err() {
        assert!(Instant::now() < deadline, "no recovery");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_busy_pool_does_not_make_wait_for_ever(server: &Server) {
    let database = server.database("busy").await;
    let mut settings = config(server, &database);
    settings.pool = 1;
    let registration = Registration::new(&settings).unwrap();
    let held = registration.store().session().await.unwrap();
    let failure = announce(&registration, json!({})).await.unwrap_err();
    assert!(
        matches!(&failure.error, Error::Silent(why) if why.contains("busy")),
        "{failure}"
    );
    drop(held);
    announce(&registration, json!({})).await.unwrap();
}

async fn killed_connections_and_a_crash_are_survived(server: &Server) {
    let database = server.database("crash").await;
    let registration = registration(server, &database);
    let all = async || {
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let registration = registration.clone();
                tokio::spawn(async move {
                    announce(&registration, json!({"hostname": "c"}))
                        .await
                        .map(|_| ())
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    };
    all().await;
    let mut root = server.root(&database).await;
    let ids = server
        .read(
            "mysql",
            "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'rmt'",
        )
        .await;
    for id in ids.lines() {
        let _ = root.execute(AssertSqlSafe(format!("KILL {id}"))).await;
    }
    all().await;
    server.crash().await;
    all().await;
    assert_eq!(
        server.read(&database, "SELECT COUNT(*) FROM systems").await,
        "15"
    );
}

async fn a_missing_column_is_no_fault_of_the_client(server: &Server) {
    let database = server.database("schema").await;
    let mut root = server.root(&database).await;
    root.execute("ALTER TABLE systems DROP COLUMN registered_at")
        .await
        .unwrap();
    let failure = announce(&registration(server, &database), json!({}))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Internal(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
}
