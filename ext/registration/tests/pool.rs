//! What connections cost besides the statements, against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use common::actions::{check, product, rendering};
use common::config;
use common::place::{Place, actor, client};
use common::server::Server;
use common::tree::large_tree;
use registration::{Action, Error, Progress, Registration, TokenHeader, measured};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_against_a_database() {
    let server = Server::start("pool").await;

    what_was_done_once_is_prepared(&server).await;
    lists_of_any_length_are_prepared_in_few(&server).await;
    what_the_server_reads_is_asked_anew_after_a_refusal(&server).await;
    what_an_operation_takes_is_measured(&server).await;
}

/// All operations over one connection, so that each of its statements is known after the first time.
fn single(server: &Server, place: &Place<'_>) -> Registration {
    let mut config = config(server, &place.name);
    config.pool = 1;
    Registration::new(&config).unwrap()
}

/// Statements prepared so far; carried out that were; plain ones to open sessions, and pings.
async fn sent(server: &Server) -> Vec<u64> {
    let counts = ["STMT_PREPARE", "STMT_EXECUTE", "SET_OPTION", "ADMIN_COMMANDS"].map(|name| {
        format!(
            "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_{name}')"
        )
    });
    let query = format!("SELECT {}", counts.join(", "));
    (server.read("mysql", &query).await.split(' '))
        .map(|count| count.parse().unwrap())
        .collect()
}

/// What was sent since, without the counting itself.
async fn since(server: &Server, before: &[u64]) -> Vec<u64> {
    let mut counts: Vec<_> = (sent(server).await.iter().zip(before))
        .map(|(after, before)| after - before)
        .collect();
    counts[2] -= 1;
    counts
}

/// A system comes, is seen, has news and goes.
async fn visit(registration: &Registration, days: u32) {
    let progress = Progress::default();
    let online_at: Vec<_> = (0..days)
        .map(|day| format!("2026-01-{:02}:000000000000001000110000", day + 1))
        .collect();
    let profiles = json!({"pci_data": {"identifier": "a", "data": "x"}, "mod_list": {"identifier": "b", "data": "y"}});
    for params in [
        json!({"hostname": "h"}),
        json!({"hostname": "h", "system_profiles": profiles}),
    ] {
        let params = params.to_string();
        let announced = registration.announce(params.as_bytes(), &progress);
        let announced = announced.await.unwrap();
        let mut credentials = client("");
        credentials.login = announced.login;
        credentials.password = announced.password;
        let authenticated = registration
            .authenticate(&credentials, &progress)
            .await
            .unwrap();
        let news = json!({"hostname": "other", "online_at": online_at}).to_string();
        registration
            .update(&actor(&authenticated), news.as_bytes(), &progress)
            .await
            .unwrap();
        registration
            .deregister(&authenticated.system, &progress)
            .await
            .unwrap();
    }
}

async fn what_was_done_once_is_prepared(server: &Server) {
    let place = Place::new(server, "prepared").await;
    let registration = single(server, &place);
    visit(&registration, 2).await;
    let before = sent(server).await;
    visit(&registration, 2).await;
    let [prepared, carried_out, set, pings] = since(server, &before).await[..] else {
        panic!("four counts");
    };
    assert!(carried_out > 10, "{carried_out}");
    assert_eq!([prepared, set, pings], [0, 0, 0]);

    // An authentication that writes nothing is one exchange with the server.
    place.system("last_seen_at = NOW()").await;
    let mut zypper = client("1");
    zypper.user_agent = Some("ZYpp 17".to_owned());
    zypper.token = TokenHeader::Absent;
    for (round, expected) in [(1, None), (2, Some(vec![0, 1, 0, 0]))] {
        let before = sent(server).await;
        let progress = Progress::default();
        let authenticated = registration.authenticate(&zypper, &progress).await;
        authenticated.unwrap();
        let sent = since(server, &before).await;
        assert!(expected.is_none_or(|it| it == sent), "{round}: {sent:?}");
    }
}

async fn lists_of_any_length_are_prepared_in_few(server: &Server) {
    let place = Place::new(server, "lists").await;
    let registration = single(server, &place);
    for days in 0..28 {
        visit(&registration, days).await;
    }
    let kept = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'";
    let kept: u64 = place.read(kept).await.parse().unwrap();
    // sqlx keeps a hundred at most on each of the two connections that were opened here.
    assert!(kept <= 200, "{kept} statements kept prepared");
    // What is asked for most was not forgotten over it.
    let before = sent(server).await;
    visit(&registration, 27).await;
    assert_eq!(since(server, &before).await[0], 0);
}

async fn what_the_server_reads_is_asked_anew_after_a_refusal(server: &Server) {
    let place = Place::new(server, "packets").await;
    let long = json!({"hostname": "h", "hwinfo": {"text": "x".repeat(20_000)}}).to_string();
    place.run("SET GLOBAL max_allowed_packet = 16384").await;
    let registration = single(server, &place);
    let progress = Progress::default();
    let failure = registration.announce(long.as_bytes(), &progress).await;
    assert!(matches!(failure.unwrap_err().error, Error::BadInput(_)));

    place.run("SET GLOBAL max_allowed_packet = 16777216").await;
    let progress = Progress::default();
    let announced = registration.announce(long.as_bytes(), &progress).await;
    announced.unwrap();
    assert_eq!(place.read("SELECT COUNT(*) FROM systems").await, "1");
}

async fn what_an_operation_takes_is_measured(server: &Server) {
    let place = Place::new(server, "measured").await;
    place.run(&large_tree()).await;
    server.install_triggers(&place.name).await;
    place.system("").await;
    let registration = single(server, &place);

    // Who waits for a connection waits as long as others have it.
    let taken = registration.store().session().await.unwrap();
    assert_eq!(registration.gauges().pool_busy, 1);
    let waiting = registration.clone();
    let announce = tokio::spawn(measured(async move {
        waiting.announce(b"{}", &Progress::default()).await
    }));
    while registration.gauges().pool_waiting == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let since = Instant::now();
    sleep(Duration::from_millis(20)).await;
    let waited = since.elapsed();
    drop(taken);
    let (announced, timings) = announce.await.unwrap();
    announced.unwrap();
    assert!(timings.queue >= waited, "{timings:?}");
    assert!(timings.database > Duration::ZERO, "{timings:?}");
    assert_eq!((timings.together, timings.retries), (1, 0));
    assert_eq!(timings.render, Duration::ZERO);

    // A product is read once, then remembered; base products are read ahead.
    let params = product("p2", "15.6");
    for (hits, misses) in [(0, 1), (1, 0)] {
        let credentials = client("");
        let check = check(&registration, &credentials, Action::Show, &params);
        let (checked, timings) = measured(check).await;
        assert_eq!((timings.hits, timings.misses), (hits, misses));
        checked.unwrap();
    }
    let gauges = registration.gauges();
    assert_eq!((gauges.catalog_hits, gauges.catalog_misses), (1, 1));
    assert!(gauges.catalog_bytes > 0);
    assert_eq!(gauges.pool_size, 1);

    let (xml, timings) = measured(registration.service(2, &rendering())).await;
    assert!(xml.unwrap().is_some());
    assert!(timings.render > Duration::ZERO, "{timings:?}");
}
