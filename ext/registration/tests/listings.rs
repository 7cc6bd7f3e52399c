//! What is listed for clients that are no systems yet, and for those of SMT, against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::path::Path;

use common::registration;
use common::server::Server;
use registration::catalog::{BaseUrl, Rendering};
use registration::{DatabaseConfig, Error, Failure, Registration};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const BASE: &str = "http://rmt.example.com:4224";

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_against_a_database() {
    let server = Server::start("listings").await;
    let database = server.database("listings").await;
    let catalog = std::fs::read_to_string(conformance("catalog.sql")).unwrap();
    execute(&server, &database, &catalog).await;
    let registration = registration(&server, &database);

    answers_what_was_recorded(&registration).await;
    says_which_product_it_does_not_have(&registration).await;
    lists_what_an_installer_needs(&server, &database, &registration).await;
    knows_registration_codes(&server, &database, &registration).await;
    lists_what_is_asked_of_a_subscription(&registration).await;
    lists_all_that_a_system_uses(&server, &database, &registration).await;
    takes_few_statements(&server, &registration).await;
    refuses_what_is_longer_than_the_server_reads(&registration).await;
}

#[tokio::test]
async fn who_only_probes_needs_no_database() {
    let config: DatabaseConfig = serde_json::from_value(
        json!({"host": "127.0.0.1", "port": 1, "username": "u", "database": "d"}),
    )
    .unwrap();
    let registration = Registration::new(&config).unwrap();
    let failure = installer(&registration, &json!({"version": "1"})).await;
    let expected = "Required parameters are missing or empty: identifier, arch";
    assert_eq!(refusal(failure), (422, expected.to_owned()));
    let failure = installer(&registration, &sles("15.6")).await.unwrap_err();
    assert!(matches!(failure.error, Error::Refused(_)), "{failure}");
}

fn conformance(file: &str) -> std::path::PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/conformance");
    directory.join(file)
}

async fn execute(server: &Server, database: &str, statements: &str) {
    let mut root = server.root(database).await;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut root)
        .await
        .unwrap();
}

fn rendering() -> Rendering {
    Rendering::new(BaseUrl::parse(BASE).unwrap())
}

fn sles(version: &str) -> Value {
    json!({"identifier": "SLES", "version": version, "arch": "x86_64"})
}

fn with(mut params: Value, key: &str, value: Value) -> Value {
    params[key] = value;
    params
}

async fn installer(registration: &Registration, params: &Value) -> Result<String, Failure> {
    let params = params.to_string();
    registration
        .installer(params.as_bytes(), &rendering())
        .await
}

async fn products(registration: &Registration, id: u64, params: &Value) -> String {
    let params = params.to_string();
    registration
        .subscription_products(id, params.as_bytes(), &rendering())
        .await
        .unwrap()
}

/// Status and message.
fn refusal<T>(result: Result<T, Failure>) -> (u16, String) {
    match result.err().map(|failure| failure.error) {
        Some(Error::Rmt { status, message }) => (status, message),
        Some(other) => panic!("{other:?}"),
        None => panic!("no failure"),
    }
}

/// The ids in a JSON array of objects.
fn ids(body: &str) -> Vec<u64> {
    let listed: Vec<Value> = serde_json::from_str(body).unwrap();
    listed.iter().map(|it| it["id"].as_u64().unwrap()).collect()
}

fn recorded(case: &str) -> String {
    let text = std::fs::read(conformance(&format!("cases/{case}.json"))).unwrap();
    let case: Value = serde_json::from_slice(&text).unwrap();
    let body = case["expect"]["steps"][0]["body"].as_str().unwrap();
    body.replace("<base>", BASE)
}

async fn answers_what_was_recorded(registration: &Registration) {
    let body = installer(registration, &sles("15.6")).await.unwrap();
    assert_eq!(body, recorded("installer-repos"));
    let subscription = registration.subscription("OK-631dff").await.unwrap();
    let body = products(registration, subscription.id, &sles("15.6")).await;
    assert_eq!(body, recorded("subscription-products"));
    assert_eq!(registration::health(), recorded("health"));
}

async fn says_which_product_it_does_not_have(registration: &Registration) {
    let sles = sles("15.6");
    for (params, name) in [
        (
            with(sles.clone(), "identifier", json!(" SLES")),
            "SLES 15.6 x86_64",
        ),
        (
            with(sles.clone(), "identifier", json!("SL\u{1f600}")),
            "SL\u{1f600} 15.6 x86_64",
        ),
        (with(sles.clone(), "identifier", json!(null)), "15.6 x86_64"),
        (with(sles.clone(), "version", json!([])), "SLES x86_64"),
        (
            with(sles.clone(), "version", json!("15-8.0")),
            "SLES 15-8.0 15.8 x86_64",
        ),
        (with(sles.clone(), "arch", json!("%_64")), "SLES 15.6 %_64"),
        (
            with(sles.clone(), "release_type", json!("x")),
            "SLES 15.6 x86_64 x",
        ),
    ] {
        let expected = format!("No product found on RMT for: {name}");
        let refused = refusal(installer(registration, &params).await);
        assert_eq!(refused, (422, expected));
    }
}

async fn lists_what_an_installer_needs(
    server: &Server,
    database: &str,
    registration: &Registration,
) {
    let change = "INSERT INTO repositories (id, name, external_url, local_path, installer_updates, \
                  mirroring_enabled) VALUES (905, 'a', 'http://x/905', '/905', 1, 1), \
                  (904, 'b', 'http://x/904', '/904', 1, 1), (903, 'c', 'http://x/903', '/903', 1, 0), \
                  (902, 'd', 'http://x/902', '/902', 0, 1); \
                  INSERT INTO repositories_services (repository_id, service_id) \
                  VALUES (905, 9), (904, 9), (903, 9), (902, 9)";
    execute(server, database, change).await;
    for (params, expected) in [
        (sles("15.5"), vec![112, 904, 905]),
        // As the collation compares, and RMT.
        (
            with(sles("15-5"), "identifier", json!("sl\u{e9}s  ")),
            vec![112, 904, 905],
        ),
        (
            with(sles("15.5"), "release_type", json!(" ")),
            vec![112, 904, 905],
        ),
        // What is no scalar was not asked for: the first product that fits.
        (
            with(sles("15.5"), "identifier", json!(["x"])),
            vec![112, 904, 905],
        ),
        (
            json!({"identifier": "no-service", "version": 1, "arch": "x86_64"}),
            vec![],
        ),
        (
            json!({"identifier": "RES", "version": "7", "arch": "x86_64", "release_type": "hpe-dvd"}),
            vec![],
        ),
    ] {
        let body = installer(registration, &params).await.unwrap();
        assert_eq!(ids(&body), expected, "{params}");
    }
}

async fn knows_registration_codes(server: &Server, database: &str, registration: &Registration) {
    let change = "INSERT INTO subscriptions (id, regcode, name, kind, status, system_limit, \
                  systems_count, virtual_count, created_at, updated_at) VALUES \
                  (70, 'two', 'n', 'full', 'ACTIVE', 1, 2, 3, '2026-01-02 03:04:05', NOW()), \
                  (69, 'TWO', 'n', 'full', 'ACTIVE', 1, 0, NULL, NOW(), NOW()), \
                  (71, 'ended', 'n', 'full', 'EXPIRED', 1, 0, NULL, NOW(), NOW()), \
                  (72, 'odd', 'n', 'full', 'active', 1, 0, NULL, NOW(), NOW())";
    execute(server, database, change).await;
    for (regcode, id) in [("ok-631DFF ", 1), ("EXPIRED-9a1", 2), ("two", 69)] {
        assert_eq!(registration.subscription(regcode).await.unwrap().id, id);
    }
    for regcode in [
        "",
        "nope",
        "OK-631df_",
        "OK-631dff\u{1f600}",
        "\u{fffd}",
        "x\0",
    ] {
        let refused = refusal(registration.subscription(regcode).await);
        assert_eq!(refused, (401, "Unknown Registration Code.".to_owned()));
    }
    for regcode in ["NOTACT-55", "ended", "odd"] {
        let refused = refusal(registration.subscription(regcode).await);
        let expected =
            "Not yet activated Registration Code. Visit https://scc.suse.com to activate it.";
        assert_eq!(refused, (401, expected.to_owned()));
    }
    execute(server, database, "DELETE FROM subscriptions WHERE id = 69").await;
    let subscription = registration.subscription("TWO").await.unwrap();
    let mut columns = serde_json::to_value(&subscription).unwrap();
    columns["updated_at"].take();
    let expected = json!({
        "id": 70, "regcode": "two", "name": "n", "kind": "full", "status": "ACTIVE",
        "starts_at": null, "expires_at": null, "system_limit": 1, "systems_count": 2,
        "virtual_count": 3, "created_at": "2026-01-02 03:04:05", "updated_at": null,
    });
    assert_eq!(columns, expected);
}

async fn lists_what_is_asked_of_a_subscription(registration: &Registration) {
    for (subscription, params, expected) in [
        (5, json!({}), vec![5, 10]),
        (
            5,
            json!({"identifier": null, "version": [], "arch": {}}),
            vec![5, 10],
        ),
        (5, json!({"identifier": "sled"}), vec![10]),
        (1, json!({"version": "12-0"}), vec![18, 19]),
        (1, json!({"version": 12}), vec![18, 19]),
        (1, json!({"version": "12", "release_type": ""}), vec![]),
        (1, json!({"identifier": "SL\u{1f600}S"}), vec![]),
        (4711, json!({}), vec![]),
    ] {
        let body = products(registration, subscription, &params).await;
        assert_eq!(ids(&body), expected, "{params}");
    }
}

async fn lists_all_that_a_system_uses(
    server: &Server,
    database: &str,
    registration: &Registration,
) {
    let change = "INSERT INTO systems (id, login, password, created_at, updated_at) VALUES \
                  (7, 'a', 'p', NOW(), NOW()), (8, 'b', 'p', NOW(), NOW()); \
                  INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES \
                  (7, 9, NOW(), NOW()), (7, 2, NOW(), NOW()), (8, 1, NOW(), NOW()); \
                  INSERT INTO repositories_services (repository_id, service_id) VALUES (905, 2); \
                  UPDATE repositories SET mirroring_enabled = id IN (902, 903, 129, 905)";
    execute(server, database, change).await;
    let listed = registration.legacy_service(7, &rendering()).await.unwrap();
    let credentials = "?credentials=SMT-http_rmt_example_com:4224";
    let repo = |path: &str, name: &str, rest: &str| {
        let url = format!("{BASE}/repo{path}{credentials}");
        format!("<repo url=\"{url}\" alias=\"{name}\" name=\"{name}\" {rest}/>")
    };
    let custom = |path: &str, name: &str| repo(path, name, r#"autorefresh="true" enabled="false""#);
    let pool = "/SUSE/Updates/Basesystem-SP6-Pool/";
    let expected = [
        "<repoindex>".to_owned(),
        repo(
            pool,
            "Basesystem-SP6-Pool",
            r#"autorefresh="false" enabled="true""#,
        ),
        custom("/905", "a"),
        custom("/902", "d"),
        custom("/903", "c"),
        custom("/905", "a"),
        "</repoindex>".to_owned(),
    ];
    assert_eq!(listed, expected.concat());
    let empty = registration.legacy_service(4711, &rendering()).await;
    assert_eq!(empty.unwrap(), "<repoindex></repoindex>");
}

async fn takes_few_statements(server: &Server, registration: &Registration) {
    let start = server.selects().await;
    refusal(installer(registration, &json!({})).await);
    assert_eq!(server.selects().await - start, 1);

    let start = server.selects().await;
    installer(registration, &sles("15.6")).await.unwrap();
    assert_eq!(server.selects().await - start, 2 + 1);

    let start = server.selects().await;
    let subscription = registration.subscription("OK-631dff").await.unwrap();
    let body = products(registration, subscription.id, &json!({})).await;
    assert_eq!(server.selects().await - start, 3 + 1);
    assert!(ids(&body).len() > 10, "{body}");

    let start = server.selects().await;
    registration.legacy_service(7, &rendering()).await.unwrap();
    assert_eq!(server.selects().await - start, 1 + 1);
}

async fn refuses_what_is_longer_than_the_server_reads(registration: &Registration) {
    let long = "x".repeat(17 << 20);
    let params = with(sles("1"), "identifier", json!(long));
    let failure = installer(registration, &params).await.unwrap_err();
    assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
    let failure = registration.subscription(&long).await.err().unwrap();
    assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
    assert_eq!(ids(&products(registration, 5, &json!({})).await), [5, 10]);
}
