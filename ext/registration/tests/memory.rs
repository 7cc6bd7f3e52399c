//! What is remembered of the catalog, against a real MariaDB whose triggers count its changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::time::Duration;

use common::actions::{act, check, passed, product, rendering};
use common::place::{Place, client};
use common::registration;
use common::server::Server;
use common::tree::large_tree;
use registration::catalog::{BaseUrl, Rendering};
use registration::{
    Action, Caller, Checked, Credentials, Failure, KnownSystem, Progress, Registration,
};
use serde_json::{Value, json};

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_against_a_database() {
    let server = Server::start("memory").await;

    statements_are_fewer(&server).await;
    every_change_is_seen_at_once(&server).await;
    all_say_the_same_as_without_memory(&server).await;
    what_is_not_committed_is_not_seen(&server).await;
    triggers_come_and_go(&server).await;
    trees_are_read_ahead(&server).await;
    a_cut_list_is_read_anew(&server).await;
}

async fn show(
    registration: &Registration,
    credentials: &Credentials,
    params: &Value,
) -> Result<String, Failure> {
    let (_, checked) = check(registration, credentials, Action::Show, params).await?;
    passed(&checked)?;
    checked.show(&rendering())
}

/// What is read and rendered ahead has been.
async fn quiet(server: &Server) {
    let mut before = server.counters().await;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let since = server.since(&before).await;
        if since.iter().all(|count| *count == 0) {
            return;
        }
        before = server.counters().await;
    }
}

async fn statements_are_fewer(server: &Server) {
    let place = Place::new(server, "memory_few").await;
    place.run(&large_tree()).await;
    server.install_triggers(&place.name).await;
    let registration = registration(server, &place.name);
    let coded = |id: u32| {
        let mut params = product(&format!("p{id}"), "15.6");
        params["token"] = json!("OK-631dff");
        params
    };
    let mut counts = Vec::new();
    // The first time all is read.
    for _ in 0..2 {
        place.system("").await;
        counts.clear();
        quiet(server).await;

        let before = server.counters().await;
        let activated = act(&registration, &client(""), Action::Activate, &coded(1)).await;
        counts.push(("base", server.since(&before).await));
        let activated = activated.unwrap();
        assert_eq!(activated.body.matches("\"autorefresh\":").count(), 110);
        let token = activated.system_token.unwrap();

        let before = server.counters().await;
        let module = act(&registration, &client(&token), Action::Activate, &coded(2)).await;
        counts.push(("module", server.since(&before).await));
        let token = module.unwrap().system_token.unwrap();

        let before = server.counters().await;
        let body = show(&registration, &client(&token), &product("p1", "15.6")).await;
        counts.push(("show", server.since(&before).await));
        assert_eq!(body.unwrap().matches("\"extensions\":").count(), 22);

        let before = server.counters().await;
        let upgraded = act(&registration, &client(&token), Action::Upgrade, &coded(2)).await;
        counts.push(("upgrade", server.since(&before).await));
        upgraded.unwrap();

        let before = server.counters().await;
        let body = registration.activations(1, &rendering()).await;
        counts.push(("activations", server.since(&before).await));
        assert_eq!(body.unwrap().matches("\"system_id\":1").count(), 2);

        let before = server.counters().await;
        let xml = registration.service(2, &rendering()).await;
        counts.push(("service", server.since(&before).await));
        assert_eq!(xml.unwrap().unwrap().matches("<repo ").count(), 5);

        // Who was authenticated by others.
        let system = KnownSystem {
            id: 1,
            proxy_byos_mode: Some(0),
        };
        let before = server.counters().await;
        let params = product("p1", "15.6").to_string();
        let (_, checked) = registration
            .check(
                &Caller::Known(system),
                Action::Show,
                params.as_bytes(),
                &Progress::default(),
            )
            .await
            .unwrap();
        counts.push(("known system", server.since(&before).await));
        assert!(checked.failed.is_none());
    }
    // Selects, inserts, updates, deletes, begun transactions, explicit commits, commits of the
    // storage engine that wrote.
    let expected = [
        ("base", [1, 1, 1, 0, 1, 1, 1]),
        ("module", [1, 1, 1, 0, 1, 1, 1]),
        ("show", [1, 0, 0, 0, 0, 0, 0]),
        ("upgrade", [2, 1, 1, 0, 1, 1, 1]),
        ("activations", [1, 0, 0, 0, 0, 0, 0]),
        ("service", [1, 0, 0, 0, 0, 0, 0]),
        ("known system", [2, 0, 0, 0, 0, 0, 0]),
    ];
    for ((name, count), (same, expected)) in counts.iter().zip(expected) {
        assert_eq!((*name, count.as_slice()), (same, expected.as_slice()));
    }
}

/// Each kind of change of each table of the catalog, and what a request says after it.
async fn every_change_is_seen_at_once(server: &Server) {
    let place = Place::new(server, "memory_changes").await;
    server.install_triggers(&place.name).await;
    let remembering = registration(server, &place.name);
    place.system("").await;
    place
        .run(
            "INSERT INTO activations (id, service_id, system_id, created_at, updated_at) \
             SELECT id, id, 1, NOW(), NOW() FROM services WHERE id IN (1, 2, 3)",
        )
        .await;
    let versions = "SELECT SUM(version) FROM rmt_rs_catalog_versions";
    for change in [
        "INSERT INTO products (id, name, identifier, version, arch, product_type) \
           VALUES (900, 'New', 'new', '1', 'x86_64', 'module')",
        "INSERT INTO services (id, product_id, created_at, updated_at) VALUES (900, 900, NOW(), NOW())",
        "INSERT INTO products_extensions (product_id, extension_id, root_product_id) VALUES (1, 900, 1)",
        "INSERT INTO repositories (id, scc_id, name, external_url, local_path, enabled, mirroring_enabled) \
           VALUES (900, 900, 'New', 'http://x/n', '/n', 1, 1)",
        "INSERT INTO repositories_services (repository_id, service_id) VALUES (900, 900)",
        "INSERT INTO product_predecessors (product_id, predecessor_id) VALUES (900, 1)",
        "UPDATE products SET name = 'Renamed' WHERE id = 900",
        "UPDATE products SET description = CONCAT(IFNULL(description, ''), '!')",
        "UPDATE repositories SET mirroring_enabled = 0 WHERE id = 900",
        "UPDATE repositories SET last_mirrored_at = NOW() WHERE id = 900",
        "UPDATE products_extensions SET recommended = NOT IFNULL(recommended, 0)",
        "UPDATE services SET product_id = product_id",
        "UPDATE product_predecessors SET kind = 1 WHERE product_id = 900",
        "UPDATE repositories_services SET repository_id = 900 WHERE repository_id = 900",
        "INSERT INTO products (id, name, identifier, version, arch) VALUES (900, 'a', 'new', '1', 'x86_64') \
           ON DUPLICATE KEY UPDATE name = 'Again'",
        "REPLACE INTO products_extensions (product_id, extension_id, root_product_id) VALUES (1, 900, 1)",
        "START TRANSACTION; DELETE FROM products_extensions WHERE root_product_id = 1; \
           INSERT INTO products_extensions (product_id, extension_id, root_product_id) \
             VALUES (1, 2, 1), (1, 900, 1); COMMIT",
        "DELETE FROM product_predecessors WHERE product_id = 900",
        "DELETE FROM repositories WHERE id = 900",
        "DELETE FROM repositories_services WHERE service_id = 2",
        "DELETE FROM products_extensions WHERE extension_id = 900",
        "DELETE FROM services WHERE id = 900",
        // The root's rows go with what they are of.
        "INSERT INTO products_extensions (product_id, extension_id, root_product_id) VALUES (900, 3, 1)",
        "DELETE FROM products WHERE id = 900",
    ] {
        let before = place.read(versions).await;
        place.run(change).await;
        assert_ne!(place.read(versions).await, before, "{change}");
        compare(server, &place, &remembering, change).await;
    }
}

/// What a process that remembers says, and one that has just begun.
async fn compare(server: &Server, place: &Place<'_>, remembering: &Registration, what: &str) {
    let fresh = registration(server, &place.name);
    for base in ["http://rmt", "https://rmt.example.com:8443"] {
        let rendering = Rendering::new(BaseUrl::parse(base).unwrap());
        for registration in [&fresh, remembering] {
            // Now it is remembered by both.
            drop(registration.activations(1, &rendering).await);
        }
        let activations = fresh.activations(1, &rendering).await.unwrap();
        let remembered = remembering.activations(1, &rendering).await.unwrap();
        assert_eq!(remembered, activations, "{what}");
    }
    for service in [1, 2, 3, 900] {
        let xml = fresh.service(service, &rendering()).await;
        let remembered = remembering.service(service, &rendering()).await;
        assert_eq!(remembered.unwrap(), xml.unwrap(), "{what}");
    }
    for (identifier, version) in [
        ("SLES", "15.6"),
        ("sle-module-basesystem", "15.6"),
        ("new", "1"),
    ] {
        let params = product(identifier, version);
        let body = show(&fresh, &client(""), &params).await;
        let remembered = show(remembering, &client(""), &params).await;
        assert_eq!(
            remembered.map_err(|failure| failure.to_string()),
            body.map_err(|failure| failure.to_string()),
            "{what}"
        );
    }
}

/// All products of the recordings' catalog, asked for by several systems, some with the same
/// credentials, with and without a code, with all actions.
async fn all_say_the_same_as_without_memory(server: &Server) {
    let with = Place::new(server, "memory_with").await;
    let without = Place::new(server, "memory_without").await;
    server.install_triggers(&with.name).await;
    let places = [&with, &without];
    let both = places.map(|place| registration(server, &place.name));
    for place in places {
        place.system("").await;
        place
            .another(2, "system_token = 'two', proxy_byos_mode = 2")
            .await;
        place
            .run(
                "INSERT INTO activations (id, service_id, system_id, subscription_id, created_at, updated_at) \
                   SELECT 100 - id, id, 1 + (id % 2), IF(id % 3 = 0, NULL, \
                   (SELECT MIN(id) FROM subscriptions)), '2026-01-01', '2026-01-01' FROM services \
                   WHERE id < 9",
            )
            .await;
    }
    let products = with
        .read(
            "SELECT identifier, version, arch FROM products WHERE identifier IS NOT NULL \
             AND identifier NOT LIKE '% %' AND arch IS NOT NULL AND version NOT LIKE '% %'",
        )
        .await;
    let codes = with.read("SELECT regcode FROM subscriptions").await;
    let mut codes: Vec<Value> = codes.lines().map(|code| json!(code)).collect();
    codes.extend([
        json!(null),
        json!("unknown"),
        json!([]),
        json!(["x", codes[0].clone()]),
    ]);
    let mut compared = 0;
    for _ in 0..2 {
        for line in products.lines() {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap();
            let mut params = json!({"identifier": next(), "version": next(), "arch": next()});
            for code in &codes {
                params["token"] = code.clone();
                for token in ["", "two"] {
                    for action in [
                        Action::Activate,
                        Action::Show,
                        Action::Upgrade,
                        Action::Destroy,
                    ] {
                        let mut said = Vec::new();
                        for registration in &both {
                            said.push(checked(registration, token, action, &params).await);
                        }
                        assert_eq!(said[0], said[1], "{params} {token} {action:?}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

async fn checked(
    registration: &Registration,
    token: &str,
    action: Action,
    params: &Value,
) -> String {
    let found = check(registration, &client(token), action, params).await;
    let (authenticated, checked) = found.unwrap();
    let shown = checked.show(&rendering());
    let Checked {
        product,
        subscription,
        passed,
        failed,
        ..
    } = &checked;
    let id = authenticated.system.id;
    format!("{id} {product:?} {subscription:?} {passed:?} {failed:?} {shown:?}")
}

async fn what_is_not_committed_is_not_seen(server: &Server) {
    let place = Place::new(server, "memory_rollback").await;
    server.install_triggers(&place.name).await;
    let registration = registration(server, &place.name);
    place.system("").await;
    place
        .run("INSERT INTO activations VALUES (1, 1, 1, NOW(), NOW(), NULL)")
        .await;
    let sles = product("SLES", "15.6");
    let old = show(&registration, &client(""), &sles).await.unwrap();
    let mut writer = server.root(&place.name).await;
    for (end, changes) in [("ROLLBACK", false), ("COMMIT", true)] {
        for statement in ["START TRANSACTION", "UPDATE products SET name = 'Renamed'"] {
            sqlx::query(statement).execute(&mut writer).await.unwrap();
            let shown = show(&registration, &client(""), &sles).await.unwrap();
            assert_eq!(shown, old);
        }
        sqlx::raw_sql(end).execute(&mut writer).await.unwrap();
        let shown = show(&registration, &client(""), &sles).await.unwrap();
        assert_eq!(shown != old, changes, "{end}");
        assert_eq!(shown.contains("Renamed"), changes, "{end}");
    }
}

async fn triggers_come_and_go(server: &Server) {
    let place = Place::new(server, "memory_triggers").await;
    let remembered = |selects: u64| selects == 1;
    place.system("").await;
    place
        .run("INSERT INTO activations VALUES (1, 1, 1, NOW(), NOW(), NULL)")
        .await;
    let sles = product("SLES", "15.6");
    // Selects of a request for what was asked for before.
    let selects = async |registration: &Registration| {
        for _ in 0..2 {
            show(registration, &client(""), &sles).await.unwrap();
        }
        quiet(server).await;
        let before = server.counters().await;
        show(registration, &client(""), &sles).await.unwrap();
        server.since(&before).await[0]
    };
    let registered = registration(server, &place.name);
    assert!(!remembered(selects(&registered).await));
    // Twice is as good as once.
    for _ in 0..2 {
        server.install_triggers(&place.name).await;
        let registered = registration(server, &place.name);
        assert!(remembered(selects(&registered).await));
    }

    // One trigger is missing, or a row.
    for damage in [
        "DROP TRIGGER rmt_rs_services_delete",
        "DELETE FROM rmt_rs_catalog_versions WHERE id = 7",
    ] {
        place.run(damage).await;
        let registered = registration(server, &place.name);
        assert!(!remembered(selects(&registered).await), "{damage}");
        server.install_triggers(&place.name).await;
    }

    // They go while a process remembers; it says what is true, and nothing fails.
    let registered = registration(server, &place.name);
    assert!(remembered(selects(&registered).await));
    for _ in 0..2 {
        server.remove_triggers(&place.name).await;
        place
            .run("UPDATE products SET name = CONCAT(name, ' X')")
            .await;
        let shown = show(&registered, &client(""), &sles).await.unwrap();
        assert!(shown.contains(" X"));
        assert!(!remembered(selects(&registered).await));
    }
    assert_eq!(place.read("SHOW TRIGGERS").await, "");
}

/// The first to ask for a base product finds it read, where there are triggers; nothing is read ahead
/// where there are none.
async fn trees_are_read_ahead(server: &Server) {
    let place = Place::new(server, "memory_ahead").await;
    place.system("").await;
    place
        .run("INSERT INTO activations VALUES (1, 1, 1, NOW(), NOW(), NULL)")
        .await;
    for triggers in [false, true] {
        if triggers {
            server.install_triggers(&place.name).await;
        }
        let registration = registration(server, &place.name);
        let progress = Progress::default();
        registration
            .announce(br#"{"hostname":"h"}"#, &progress)
            .await
            .unwrap();
        registration
            .authenticate(&client(""), &progress)
            .await
            .unwrap();
        quiet(server).await;
        let before = server.counters().await;
        show(&registration, &client(""), &product("SLES", "15.6"))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let selects = server.since(&before).await[0];
        assert_eq!(selects, if triggers { 3 } else { 4 });
    }
}

async fn a_cut_list_is_read_anew(server: &Server) {
    let place = Place::new(server, "memory_cut").await;
    place.run(&large_tree()).await;
    server.install_triggers(&place.name).await;
    place.system("").await;
    place
        .run(
            "INSERT INTO activations (service_id, system_id, created_at, updated_at) \
             SELECT id, 1, NOW(), NOW() FROM services",
        )
        .await;
    let root = server.root("mysql").await;
    let mut root = root;
    sqlx::raw_sql("SET GLOBAL group_concat_max_len = 20")
        .execute(&mut root)
        .await
        .unwrap();
    let registration = registration(server, &place.name);
    for _ in 0..3 {
        let shown = show(&registration, &client(""), &product("p1", "15.6")).await;
        assert_eq!(shown.unwrap().matches("\"extensions\":").count(), 22);
        let p22 = show(&registration, &client(""), &product("p22", "15.6")).await;
        assert!(p22.is_ok());
    }
    sqlx::raw_sql("SET GLOBAL group_concat_max_len = 1048576")
        .execute(&mut root)
        .await
        .unwrap();
}
