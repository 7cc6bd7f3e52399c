//! Announces that meet, against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use common::server::Server;
use common::way::{Accident, accident_on};
use common::{Noon, config};
use registration::{
    Announced, DatabaseConfig, Entropy, Error, Failure, OperatingSystem, Progress, Registration,
    Store, Written,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, MySqlConnection};
use tokio::task::{JoinError, JoinHandle};

/// One server for all of this file but one test: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn announces_that_meet() {
    let server = Server::start("combining").await;

    share_a_statement(&server).await;
    are_prepared_in_few_lengths(&server).await;
    one_alone_does_not_wait(&server).await;
    what_cannot_be_stored_harms_no_other(&server).await;
    who_left_before_is_not_written_who_left_after_is(&server).await;
    lost_answers_double_nothing(&server).await;
    what_the_database_undid_is_done_again(&server).await;
    large_ones_share_as_far_as_the_server_reads(&server).await;
    a_silent_server_is_given_up(&server).await;
    a_panic_strands_nobody(&server).await;
    a_burst_loses_nobody(&server).await;
}

/// A database whose `systems` has a gate before it: rows named `gate…` wait until [`Gate::open`].
struct Gate<'a> {
    server: &'a Server,
    database: String,
    keeper: MySqlConnection,
}

/// How to reach `database`, with more time than a gate is ever closed: a busy machine is slow.
fn patient(server: &Server, database: &str) -> DatabaseConfig {
    DatabaseConfig {
        statement_timeout_ms: 15_000,
        pool_timeout_ms: 15_000,
        ..config(server, database)
    }
}

fn registration(server: &Server, database: &str) -> Registration {
    Registration::new(&patient(server, database)).unwrap()
}

type Task = JoinHandle<Result<Announced, Failure>>;

impl<'a> Gate<'a> {
    async fn new(server: &'a Server, name: &str) -> Self {
        let database = server.database(name).await;
        let mut keeper = server.root(&database).await;
        let trigger = "CREATE TRIGGER gate BEFORE INSERT ON systems FOR EACH ROW BEGIN \
             IF NEW.hostname LIKE 'gate%' THEN \
               DO GET_LOCK(LEFT(NEW.hostname, 5), 20); DO RELEASE_LOCK(LEFT(NEW.hostname, 5)); \
             END IF; \
             IF NEW.hostname = 'cursed' THEN SIGNAL SQLSTATE '45000'; END IF; \
             IF NEW.hostname = 'gate1 undone' THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF; \
             IF NEW.hostname = 'counted' THEN UPDATE counts SET count = count + 1; END IF; \
             END";
        for statement in ["CREATE TABLE counts (count INT)", trigger] {
            keeper.execute(sqlx::raw_sql(statement)).await.unwrap();
        }
        Self {
            server,
            database,
            keeper,
        }
    }

    async fn close(&mut self, gate: &str) {
        let statement = format!("DO GET_LOCK('{gate}', 0)");
        self.keeper.execute(AssertSqlSafe(statement)).await.unwrap();
    }

    async fn open(&mut self, gate: &str) {
        let statement = format!("DO RELEASE_LOCK('{gate}')");
        self.keeper.execute(AssertSqlSafe(statement)).await.unwrap();
    }

    /// Returns when `count` statements on this database are in that state.
    async fn until(&self, count: usize, state: &str) {
        let query = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{}' AND STATE = '{state}'",
            self.database
        );
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.server.read("mysql", &query).await != count.to_string() {
            assert!(Instant::now() < deadline, "not {count} of {state}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Keeps all writers busy, with a system named `name` each, until gate1 opens.
    async fn occupy(&mut self, registration: &Registration, name: &str) -> Vec<Task> {
        self.close("gate1").await;
        let mut tasks = Vec::new();
        for _ in 0..2 {
            tasks.push(
                start(
                    registration,
                    json!({ "hostname": name }),
                    &Progress::default(),
                )
                .await,
            );
        }
        self.until(2, "User lock").await;
        tasks
    }

    /// Announces all of `params` at once, while the writers are busy; INSERTs that the server carried
    /// out for them, and what became of them.
    async fn together(
        &mut self,
        registration: &Registration,
        params: Vec<Value>,
    ) -> (u64, Vec<Result<Announced, Failure>>) {
        let before = self.server.counters().await;
        let busy = self.occupy(registration, "gate1").await;
        let mut tasks = Vec::new();
        for params in params {
            tasks.push(start(registration, params, &Progress::default()).await);
        }
        self.open("gate1").await;
        for task in busy {
            task.await.unwrap().unwrap();
        }
        let results = results(tasks).await;
        let inserts = self.server.since(&before).await[1];
        (
            inserts - 2,
            results.into_iter().map(Result::unwrap).collect(),
        )
    }

    async fn read(&self, query: &str) -> String {
        self.server.read(&self.database, query).await
    }

    /// Each of `announced` is there once, under its own id.
    async fn holds(&self, announced: &[Announced]) {
        for system in announced {
            let query = format!(
                "SELECT id, password, IFNULL(hostname, '-'), system_information FROM systems WHERE login = '{}'",
                system.login
            );
            let hostname = system.hostname.as_deref().unwrap_or("-");
            let expected = format!(
                "{} {} {hostname} {}",
                system.id, system.password, system.system_information
            );
            assert_eq!(self.read(&query).await, expected);
        }
    }

    async fn systems(&self) -> usize {
        let count = self.read("SELECT COUNT(*) FROM systems").await;
        count.parse().unwrap()
    }
}

/// Starts an announce. When this returns it waits: for the server, or for others to write.
async fn start(registration: &Registration, params: Value, progress: &Progress) -> Task {
    let (registration, progress) = (registration.clone(), progress.clone());
    let mut announce: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
        registration
            .announce(params.to_string().as_bytes(), &progress)
            .await
    });
    poll_fn(|context| match announce.as_mut().poll(context) {
        Poll::Pending => Poll::Ready(()),
        Poll::Ready(result) => panic!("it did not wait: {result:?}"),
    })
    .await;
    tokio::spawn(announce)
}

async fn results(tasks: Vec<Task>) -> Vec<Result<Result<Announced, Failure>, JoinError>> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await);
    }
    results
}

fn at_once(registration: &Registration, all: impl IntoIterator<Item = Value>) -> Vec<Task> {
    let announce = |params: Value| {
        let (registration, params) = (registration.clone(), params.to_string());
        async move {
            registration
                .announce(params.as_bytes(), &Progress::default())
                .await
        }
    };
    let all = all.into_iter();
    all.map(|params| tokio::spawn(announce(params))).collect()
}

fn named(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"hostname": format!("h{n}"), "hwinfo": {"number": n}}))
        .collect()
}

async fn share_a_statement(server: &Server) {
    let mut gate = Gate::new(server, "share").await;
    let registration = registration(server, &gate.database);
    let mut all = 0;
    for (count, statements) in [(64, 1), (1, 1), (7, 1), (11, 2), (65, 2), (130, 3)] {
        let (inserts, results) = gate.together(&registration, named(count)).await;
        assert_eq!(inserts, statements, "{count}");
        let announced: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        gate.holds(&announced).await;
        for (n, system) in announced.iter().enumerate() {
            assert_eq!(system.hostname, Some(format!("h{n}")));
        }
        all += count + 2;
        assert_eq!(gate.systems().await, all);
    }
    let times = "SELECT COUNT(*) FROM systems WHERE registered_at = created_at AND created_at = updated_at \
                 AND TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()) BETWEEN 0 AND 60";
    assert_eq!(gate.read(times).await, all.to_string());
}

async fn are_prepared_in_few_lengths(server: &Server) {
    let mut gate = Gate::new(server, "lengths").await;
    let registration = registration(server, &gate.database);
    let prepared = async || -> u64 {
        let query = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                     WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'";
        server.read("mysql", query).await.parse().unwrap()
    };
    let before = prepared().await;
    for count in 1..=80 {
        gate.together(&registration, named(count)).await;
    }
    // 1 to 8, 16, 32, 64 rows, on each connection: there are no more than writers.
    let once = prepared().await - before;
    assert!((11..=22).contains(&once), "{once} statements prepared");
}

async fn one_alone_does_not_wait(server: &Server) {
    let mut gate = Gate::new(server, "alone").await;
    let registration = registration(server, &gate.database);
    gate.close("gate1").await;
    let slow = start(
        &registration,
        json!({"hostname": "gate1"}),
        &Progress::default(),
    )
    .await;
    gate.until(1, "User lock").await;
    // The other writer is free.
    for params in named(3) {
        let params = params.to_string();
        let progress = Progress::default();
        let announced = registration.announce(params.as_bytes(), &progress).await;
        gate.holds(&[announced.unwrap()]).await;
    }
    gate.open("gate1").await;
    slow.await.unwrap().unwrap();
    assert_eq!(gate.systems().await, 4);
}

async fn what_cannot_be_stored_harms_no_other(server: &Server) {
    let deep = (0..40).fold(json!(1), |inner, _| json!({"a": inner}));
    for (number, (bad, complaint)) in [
        (json!({"hostname": "x".repeat(300)}), "hostname is too long"),
        (
            json!({"hostname": "\u{1F600}"}),
            "hostname contains characters that cannot be stored",
        ),
        (json!({ "hwinfo": deep }), "hwinfo cannot be stored as JSON"),
        (
            json!({"hostname": "cursed"}),
            "database unavailable: database error 1644",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut gate = Gate::new(server, &format!("bad{number}")).await;
        let registration = registration(server, &gate.database);
        let mut params = named(31);
        params.insert(17, bad);
        let (_, mut results) = gate.together(&registration, params).await;
        let failure = results.remove(17).unwrap_err();
        assert_eq!(failure.error.to_string(), complaint);
        assert_eq!(failure.written, Written::No);
        let announced: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        gate.holds(&announced).await;
        assert_eq!(gate.systems().await, 33, "{complaint}");
    }
}

async fn who_left_before_is_not_written_who_left_after_is(server: &Server) {
    let mut gate = Gate::new(server, "leaving").await;
    let registration = registration(server, &gate.database);
    let busy = gate.occupy(&registration, "gate1").await;
    gate.close("gate2").await;
    let left = Arc::new(AtomicBool::new(false));
    let client = Arc::clone(&left);
    let mut progress: Vec<_> = (0..8).map(|_| Progress::default()).collect();
    progress[4] = Progress::for_client(move || client.load(Ordering::Relaxed));
    let mut tasks = Vec::new();
    for (n, progress) in progress.iter().enumerate() {
        let name = if n == 0 { "gate2" } else { "other" };
        tasks.push(start(&registration, json!({"hostname": name}), progress).await);
    }
    assert_eq!(progress[3].abandon(), Written::No);
    left.store(true, Ordering::Relaxed);
    gate.open("gate1").await;
    for task in busy {
        task.await.unwrap().unwrap();
    }
    // The statement for the six that are left is under way.
    gate.until(1, "User lock").await;
    for progress in &progress[5..] {
        assert_eq!(progress.abandon(), Written::Perhaps);
    }
    gate.open("gate2").await;
    let mut announced = Vec::new();
    for (n, result) in results(tasks).await.into_iter().enumerate() {
        match result.unwrap() {
            Ok(system) => announced.push(system),
            Err(failure) => {
                assert!(matches!(failure.error, Error::Abandoned), "{failure}");
                assert_eq!(failure.written, Written::No);
                assert!((3..5).contains(&n), "{n}");
            }
        }
    }
    gate.holds(&announced).await;
    assert_eq!(gate.systems().await, 8);
}

/// The way to the database leads through `port`.
fn through(server: &Server, database: &str, port: u16) -> Registration {
    let config = DatabaseConfig {
        port,
        ..patient(server, database)
    };
    Registration::new(&config).unwrap()
}

async fn lost_answers_double_nothing(server: &Server) {
    for (number, accident) in [
        Accident::LoseAnswer,
        Accident::LoseRequest,
        Accident::CutRequest,
    ]
    .into_iter()
    .enumerate()
    {
        let mut gate = Gate::new(server, &format!("lost{number}")).await;
        let (port, happened) = accident_on(server.port, "marker", accident).await;
        let registration = through(server, &gate.database, port);
        let mut params = named(15);
        params.insert(7, json!({"hostname": "marker"}));
        let (inserts, results) = gate.together(&registration, params).await;
        assert!(happened.load(Ordering::SeqCst));
        let announced: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        gate.holds(&announced).await;
        assert_eq!(gate.systems().await, 18);
        // Found where they are stored, else stored alone.
        let expected = if accident == Accident::LoseAnswer {
            1
        } else {
            16
        };
        assert_eq!(inserts, expected);
    }
}

async fn what_the_database_undid_is_done_again(server: &Server) {
    let mut gate = Gate::new(server, "undone").await;
    let registration = registration(server, &gate.database);
    let busy = gate.occupy(&registration, "gate1").await;
    // Somebody who holds what the second system's trigger needs, and who has written much more: the
    // deadlock's victim will be the other one.
    let mut rival = server.root(&gate.database).await;
    for statement in [
        "INSERT INTO counts VALUES (0)",
        "START TRANSACTION",
        "UPDATE counts SET count = 1",
        "INSERT INTO profiles (profile_type, identifier, data, created_at, updated_at) \
         SELECT 't', seq, 'd', NOW(), NOW() FROM seq_1_to_1000",
    ] {
        rival.execute(sqlx::raw_sql(statement)).await.unwrap();
    }
    let mut tasks = Vec::new();
    for name in ["first", "counted"] {
        tasks.push(
            start(
                &registration,
                json!({"hostname": name}),
                &Progress::default(),
            )
            .await,
        );
    }
    gate.open("gate1").await;
    for task in busy {
        task.await.unwrap().unwrap();
    }
    server.until_somebody_waits("UPDATE counts").await;
    // And now needs the first one's row.
    let row = "SELECT id FROM systems WHERE hostname = 'first' FOR UPDATE";
    rival.execute(sqlx::raw_sql(row)).await.unwrap();
    rival.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
    let announced: Vec<_> = (results(tasks).await.into_iter())
        .map(|result| result.unwrap().unwrap())
        .collect();
    gate.holds(&announced).await;
    assert_eq!(gate.systems().await, 4);
    assert_eq!(gate.read("SELECT count FROM counts").await, "2");
    let deadlocks = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                     WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'";
    assert_eq!(gate.read(deadlocks).await, "1");
}

async fn large_ones_share_as_far_as_the_server_reads(server: &Server) {
    let mut gate = Gate::new(server, "large").await;
    let mut root = server.root("mysql").await;
    let length = server.read("mysql", "SELECT @@max_allowed_packet").await;
    let limit = "SET GLOBAL max_allowed_packet = 1048576";
    root.execute(sqlx::raw_sql(limit)).await.unwrap();
    let registration = registration(server, &gate.database);
    let mut params = vec![json!({"hwinfo": {"a": "x".repeat(200_000)}}); 9];
    params.insert(3, json!({"hwinfo": {"a": "x".repeat(1_200_000)}}));
    let (inserts, mut results) = gate.together(&registration, params).await;
    let restore = format!("SET GLOBAL max_allowed_packet = {length}");
    root.execute(AssertSqlSafe(restore)).await.unwrap();
    // Three; after the one that is too large the five that fit; one.
    assert_eq!(inserts, 3);
    let failure = results.remove(3).unwrap_err();
    assert_eq!(
        failure.error.to_string(),
        "The request is too large to be stored"
    );
    assert_eq!(failure.written, Written::No);
    let announced: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    gate.holds(&announced).await;
    assert_eq!(gate.systems().await, 11);
}

async fn a_silent_server_is_given_up(server: &Server) {
    let mut gate = Gate::new(server, "silent").await;
    let registration = Registration::new(&config(server, &gate.database)).unwrap();
    gate.close("gate2").await;
    let mut params = named(3);
    params.push(json!({"hostname": "gate2"}));
    let (inserts, results) = gate.together(&registration, params).await;
    for result in results {
        let failure = result.unwrap_err();
        assert!(matches!(failure.error, Error::Silent(_)), "{failure}");
        assert_eq!(failure.written, Written::Perhaps);
    }
    assert_eq!(inserts, 1);
    gate.open("gate2").await;
    let (_, results) = gate.together(&registration, named(3)).await;
    gate.holds(&results.into_iter().map(Result::unwrap).collect::<Vec<_>>())
        .await;
}

/// Random, but there is none for the time to wait before a statement is repeated.
struct NoJitter;

impl Entropy for NoJitter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
        assert!(bytes.len() > 1, "on purpose");
        OperatingSystem.fill(bytes)
    }
}

async fn a_panic_strands_nobody(server: &Server) {
    let mut gate = Gate::new(server, "panic").await;
    let store = Store::new(&patient(server, &gate.database)).unwrap();
    let registration = Registration::with_sources(store, Arc::new(Noon), Arc::new(NoJitter));
    let busy = gate.occupy(&registration, "gate1 undone").await;
    let mut tasks = Vec::new();
    for params in named(5) {
        tasks.push(start(&registration, params, &Progress::default()).await);
    }
    gate.open("gate1").await;
    for result in results(busy).await {
        assert!(result.unwrap_err().is_panic());
    }
    let announced: Vec<_> = (results(tasks).await.into_iter())
        .map(|result| result.unwrap().unwrap())
        .collect();
    gate.holds(&announced).await;
    // And they combine as before.
    let (inserts, _) = gate.together(&registration, named(8)).await;
    assert_eq!(inserts, 1);
    assert_eq!(gate.systems().await, 15);
}

async fn a_burst_loses_nobody(server: &Server) {
    let gate = Gate::new(server, "burst").await;
    let registration = registration(server, &gate.database);
    let before = server.counters().await;
    let hosts = (0..1_000).map(|n| json!({"hostname": n.to_string()}));
    let tasks = at_once(&registration, hosts);
    let announced: Vec<_> = (results(tasks).await.into_iter())
        .map(|result| result.unwrap().unwrap())
        .collect();
    assert_eq!(announced.len(), 1_000);
    gate.holds(&announced).await;
    let counts = "SELECT COUNT(DISTINCT login), COUNT(DISTINCT hostname) FROM systems";
    assert_eq!(gate.read(counts).await, "1000 1000");
    let inserts = server.since(&before).await[1];
    assert!(inserts < 1_000, "{inserts}");
}

/// An old MariaDB, as it says itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_returning_each_is_stored_alone() {
    let version = |_: &std::path::Path| vec!["--version=10.4.34-MariaDB".to_owned()];
    let server = Server::start_with("returning", version).await;
    let gate = Gate::new(&server, "returning").await;
    let registration = registration(&server, &gate.database);
    // Before the first connection nothing is known of the server.
    for _ in 0..2 {
        let before = server.counters().await;
        let tasks = at_once(&registration, named(40));
        let announced: Vec<_> = (results(tasks).await.into_iter())
            .map(|result| result.unwrap().unwrap())
            .collect();
        gate.holds(&announced).await;
        // One that failed would be counted too.
        assert_eq!(server.since(&before).await[1], 40);
    }
}
