//! What happens to a system's products, against a real MariaDB. What is answered is in the recorded
//! conversations; here is what they do not show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::actions::{act, carry_out, check, product, rendering};
use common::place::{Place, actor, client, old_client, zypper};
use common::server::Server;
use common::tree::large_tree;
use common::way::{Accident, accident_on};
use common::{config, predictable, registration};
use registration::{
    Acted, Action, Caller, Credentials, Error, Failure, Progress, Registration, Written,
};
use serde_json::{Value, json};

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn products_against_a_database() {
    let server = Arc::new(Server::start("products").await);

    statements_are_few(&server).await;
    a_note_is_written_with_the_action_or_at_once(&server).await;
    two_activations_at_a_time_both_succeed(&server).await;
    what_is_activated_again_stays(&server).await;
    what_an_activation_writes_is_one_exchange(&server).await;
    scc_hears_of_every_change(&server).await;
    strange_parameters_are_no_crash(&server).await;
    codes_of_others_are_refused(&server).await;
    an_upgrade_replaces_all_versions(&server).await;
    what_vanished_meanwhile_is_refused(&server).await;
    a_refusal_leaves_nothing(&server).await;
    synchronize_keeps_what_is_named(&server).await;
    lost_answers_change_nothing(&server).await;
    what_was_abandoned_is_not_written(&server).await;
}

fn sles(version: &str) -> Value {
    product("SLES", version)
}

fn basesystem() -> Value {
    product("sle-module-basesystem", "15.6")
}

async fn activate(
    registration: &Registration,
    credentials: &Credentials,
    params: &Value,
) -> Result<Acted, Failure> {
    act(registration, credentials, Action::Activate, params).await
}

async fn synchronize(
    registration: &Registration,
    credentials: &Credentials,
    params: &Value,
) -> Result<Acted, Failure> {
    let progress = Progress::default();
    let deferring = Credentials {
        defer: true,
        ..credentials.clone()
    };
    let authenticated = registration.authenticate(&deferring, &progress).await?;
    let params = params.to_string();
    registration
        .synchronize(
            &actor(&authenticated),
            params.as_bytes(),
            &rendering(),
            &progress,
        )
        .await
}

fn with(params: Value, key: &str, value: Value) -> Value {
    let mut params = params;
    params[key] = value;
    params
}

async fn statements_are_few(server: &Server) {
    let place = Place::new(server, "few").await;
    place.run(&large_tree()).await;
    let registration = registration(server, &place.name);
    let coded = |id: u32| {
        with(
            product(&format!("p{id}"), "15.6"),
            "token",
            json!("OK-631dff"),
        )
    };
    let old = "UPDATE systems SET last_seen_at = '2026-01-01'";
    let mut counts = Vec::new();
    // The first time statements are prepared.
    for _ in 0..2 {
        place.system("").await;
        counts.clear();
        let before = server.counters().await;
        let activated = activate(&registration, &client(""), &coded(1))
            .await
            .unwrap();
        counts.push(("base", server.since(&before).await));
        assert_eq!(activated.body.matches("\"autorefresh\":").count(), 110);
        let token = activated.system_token.unwrap();

        place.run(old).await;
        let before = server.counters().await;
        let activated = activate(&registration, &client(&token), &coded(2))
            .await
            .unwrap();
        counts.push(("module", server.since(&before).await));
        let token = activated.system_token.unwrap();

        place.run(old).await;
        let caller = Caller::Unknown(client(&token));
        let (params, progress) = (product("p1", "15.6").to_string(), Progress::default());
        let before = server.counters().await;
        let (_, checked) = registration
            .check(&caller, Action::Show, params.as_bytes(), &progress)
            .await
            .unwrap();
        let body = checked.show(&rendering()).unwrap();
        counts.push(("show", server.since(&before).await));
        assert_eq!(body.matches("\"extensions\":").count(), 22);

        place.run(old).await;
        let before = server.counters().await;
        activate(&registration, &client(&token), &coded(2))
            .await
            .unwrap();
        counts.push(("module again", server.since(&before).await));
    }
    // Selects, inserts, updates, deletes, begun transactions, explicit commits, commits of the
    // storage engine that wrote.
    for (name, expected) in [
        ("base", [4, 1, 1, 0, 1, 1, 1]),
        ("module", [4, 1, 1, 0, 1, 1, 1]),
        ("show", [4, 0, 1, 0, 0, 0, 1]),
        ("module again", [4, 1, 2, 0, 1, 1, 1]),
    ] {
        let (_, count) = counts.iter().find(|(it, _)| *it == name).unwrap();
        assert_eq!(*count, expected, "{name}");
    }
}

async fn a_note_is_written_with_the_action_or_at_once(server: &Server) {
    let place = Place::new(server, "notes").await;
    let registration = predictable(server, &place.name);
    let text = r#"{"user_agent":"SUSEConnect/1.21.0"}"#;
    let before = format!("- {text} old old old old");

    // Left to the action …
    place.system("").await;
    let (authenticated, checked) =
        check(&registration, &client(""), Action::Activate, &sles("15.6"))
            .await
            .unwrap();
    assert_eq!(place.systems().await, before);
    assert!(authenticated.note.is_some());
    let actor = actor(&authenticated);
    let acted = carry_out(&registration, Action::Activate, &checked, &actor)
        .await
        .unwrap();
    let token = acted.system_token.unwrap();
    assert_eq!(
        place.systems().await,
        format!("{token} {text} now now old NULL")
    );

    // … or to whoever finds that there was none …
    place.system("").await;
    let (authenticated, _) = check(&registration, &client(""), Action::Activate, &sles("15.6"))
        .await
        .unwrap();
    let note = authenticated.note.unwrap();
    registration
        .note(&note, &Progress::default())
        .await
        .unwrap();
    assert_eq!(place.systems().await, format!("- {text} now now old NULL"));
    // … as Ruby hands it on.
    let json = serde_json::to_string(&note).unwrap();
    assert_eq!(
        serde_json::from_str::<registration::Note>(&json).unwrap(),
        note
    );

    // A step that refuses leaves nobody who could.
    place.system("").await;
    let (authenticated, checked) = check(&registration, &client(""), Action::Activate, &sles("1"))
        .await
        .unwrap();
    assert!(checked.failed.is_some() && authenticated.note.is_none());
    assert_eq!(place.systems().await, format!("- {text} now now old NULL"));

    // A system that is gone needs none.
    place.empty().await;
    registration
        .note(&note, &Progress::default())
        .await
        .unwrap();
}

async fn two_activations_at_a_time_both_succeed(server: &Server) {
    let place = Place::new(server, "at_a_time").await;
    let registration = registration(server, &place.name);
    for credentials in [old_client(), client(""), zypper(old_client())] {
        place.system("").await;
        let wish = with(sles("15.6"), "token", json!("OK-631dff"));
        let (authenticated, checked) = check(&registration, &credentials, Action::Activate, &wish)
            .await
            .unwrap();
        let (checked, actor) = (Arc::new(checked), actor(&authenticated));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (registration, checked) = (registration.clone(), Arc::clone(&checked));
            let actor = actor.clone();
            tasks.spawn(async move {
                carry_out(&registration, Action::Activate, &checked, &actor).await
            });
        }
        let acted = tasks.join_all().await;
        let acted: Vec<_> = acted.into_iter().map(Result::unwrap).collect();
        let created: usize = acted.iter().map(|it| it.created.len()).sum();
        assert_eq!(created, 1);
        let rows = "SELECT COUNT(*), MAX(subscription_id) FROM activations";
        assert_eq!(place.read(rows).await, "1 1");
    }
}

async fn what_is_activated_again_stays(server: &Server) {
    let place = Place::new(server, "again").await;
    let registration = predictable(server, &place.name);
    let rows = "SELECT id, subscription_id, created_at = '2026-01-01', updated_at = '2026-01-01' FROM activations";
    for (mode, code, expected) in [
        // Nothing pays for it: what paid stays.
        (0, json!(null), "7 1 1 1"),
        (0, json!("OK-631dff"), "7 1 1 1"),
        (0, json!("SERVER-ONLY-7"), "7 3 1 0"),
        // In public clouds codes are SCC's business.
        (1, json!("SERVER-ONLY-7"), "7 1 1 1"),
        (2, json!("SERVER-ONLY-7"), "7 1 1 1"),
    ] {
        place.system(&format!("proxy_byos_mode = {mode}")).await;
        place
            .run("INSERT INTO activations VALUES (7, 1, 1, '2026-01-01', '2026-01-01', 1)")
            .await;
        let wish = with(sles("15.6"), "token", code.clone());
        let acted = activate(&registration, &client(""), &wish).await.unwrap();
        assert_eq!(acted.created, []);
        assert_eq!(place.read(rows).await, expected, "{mode} {code}");
    }
    // A system with its own subscription takes none along.
    place.system("proxy_byos_mode = 2").await;
    let subscription = Some(1);
    let (authenticated, checked) =
        check(&registration, &client(""), Action::Activate, &sles("15.6"))
            .await
            .unwrap();
    let actor = actor(&authenticated);
    registration
        .activate(
            &checked,
            &actor,
            subscription,
            &rendering(),
            &Progress::default(),
        )
        .await
        .unwrap();
    let rows = "SELECT COUNT(*), COUNT(subscription_id) FROM activations";
    assert_eq!(place.read(rows).await, "1 0");
}

/// zypper's requests without token leave the row alone; only the activation itself asks for a report.
/// Statements with their values in them are sent together; prepared ones could not be.
async fn what_an_activation_writes_is_one_exchange(server: &Server) {
    let place = Place::new(server, "together").await;
    let registration = registration(server, &place.name);
    let executed = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                    WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'";
    place.system("system_token = 't'").await;
    let credentials = client("t");
    // The first one stores the program's name, which is the client's.
    let first = act(&registration, &credentials, Action::Activate, &sles("15.6")).await;
    let credentials = client(&first.unwrap().system_token.unwrap());

    let found = check(&registration, &credentials, Action::Activate, &basesystem()).await;
    let (authenticated, checked) = found.unwrap();
    let before = place.read(executed).await;
    let actor = actor(&authenticated);
    let acted = carry_out(&registration, Action::Activate, &checked, &actor).await;
    assert_eq!(place.read(executed).await, before);
    let acted = acted.unwrap();
    let key = acted.created[0];
    let row = "SELECT id, service_id, system_id FROM activations ORDER BY id DESC LIMIT 1";
    let expected = format!("{} {} {}", key.id, key.service_id, acted.system.id);
    assert_eq!(place.read(row).await, expected);
    let token = acted.system_token.unwrap();
    let read = "SELECT system_token, scc_registered_at IS NULL FROM systems";
    assert_eq!(place.read(read).await, format!("{token} 1"));

    // Where it is already, the rest is done.
    let again = act(
        &registration,
        &client(&token),
        Action::Activate,
        &basesystem(),
    )
    .await;
    let again = again.unwrap();
    assert_eq!(again.created, []);
    assert_eq!(place.read("SELECT COUNT(*) FROM activations").await, "2");
    let token = again.system_token.unwrap();
    assert_eq!(place.read(read).await, format!("{token} 1"));

    // A system that goes meanwhile leaves nothing behind, and no transaction open.
    let found = check(
        &registration,
        &client(&token),
        Action::Activate,
        &basesystem(),
    )
    .await;
    let (authenticated, checked) = found.unwrap();
    place.run("DELETE FROM systems").await;
    let actor = common::place::actor(&authenticated);
    let gone = carry_out(&registration, Action::Activate, &checked, &actor).await;
    assert!(matches!(gone.unwrap_err().error, Error::Gone));
    assert_eq!(place.read("SELECT COUNT(*) FROM activations").await, "0");
    place.system("system_token = 't'").await;
    assert_eq!(place.read("SELECT COUNT(*) FROM systems").await, "1");
}

async fn scc_hears_of_every_change(server: &Server) {
    let place = Place::new(server, "reports").await;
    let registration = predictable(server, &place.name);
    let seen = "last_seen_at = '2026-11-20 12:34:00', system_token = 'one'";
    let text = r#"{"user_agent":"SUSEConnect/1.21.0"}"#;
    let untouched = format!("one {text} 2026-11-20 12:34:00 old old old");
    let reported = format!("one {text} 2026-11-20 12:34:00 now old NULL");
    let caller = zypper(old_client());

    place.system(seen).await;
    activate(&registration, &caller, &sles("15.6"))
        .await
        .unwrap();
    assert_eq!(place.systems().await, reported);

    let again = format!(
        "UPDATE systems SET {seen}, scc_registered_at = '2026-01-01', updated_at = '2026-01-01'"
    );
    place.run(&again).await;
    activate(&registration, &caller, &sles("15.6"))
        .await
        .unwrap();
    assert_eq!(place.systems().await, untouched);
    let wish = with(sles("15.6"), "token", json!("OK-631dff"));
    activate(&registration, &caller, &wish).await.unwrap();
    assert_eq!(place.systems().await, reported);

    place.run(&again).await;
    act(&registration, &caller, Action::Upgrade, &sles("15.7"))
        .await
        .unwrap();
    assert_eq!(place.systems().await, reported);

    place.run(&again).await;
    let left = json!({"products": [sles("15.7")]});
    synchronize(&registration, &caller, &left).await.unwrap();
    assert_eq!(place.systems().await, untouched);
    let none = json!({"products": [sles("15.5")]});
    synchronize(&registration, &caller, &none).await.unwrap();
    assert_eq!(place.systems().await, reported);

    activate(&registration, &caller, &sles("15.6"))
        .await
        .unwrap();
    activate(&registration, &caller, &basesystem())
        .await
        .unwrap();
    place.run(&again).await;
    act(&registration, &caller, Action::Destroy, &basesystem())
        .await
        .unwrap();
    assert_eq!(place.systems().await, reported);
}

async fn strange_parameters_are_no_crash(server: &Server) {
    let place = Place::new(server, "strange").await;
    let registration = registration(server, &place.name);
    place.system("").await;
    let activated = json!("activated");
    let not_found = json!("No product found");
    let no_subscription = json!("No subscription found with this registration code");
    let missing = "Required parameters are missing or empty: ";
    for (key, value, expected) in [
        ("version", json!(15.6), &activated),
        ("version", json!(["15.6", 7]), &activated),
        ("version", json!("15-6"), &activated),
        ("version", json!("15.6.0"), &activated),
        ("version", json!({"a": 1}), &not_found),
        ("version", json!([]), &not_found),
        ("version", json!(null), &not_found),
        ("version", json!(true), &not_found),
        ("identifier", json!(["SLES", "x"]), &activated),
        ("identifier", json!("sles "), &activated),
        ("identifier", json!([["SLES"]]), &not_found),
        ("identifier", json!(7), &not_found),
        ("identifier", json!("x".repeat(100_000)), &not_found),
        ("identifier", json!("😀"), &not_found),
        ("arch", json!({}), &not_found),
        ("arch", json!(false), &not_found),
        ("token", json!("  "), &activated),
        ("token", json!([]), &activated),
        ("token", json!({}), &activated),
        ("token", json!(["x", "OK-631dff"]), &activated),
        ("token", json!(5), &no_subscription),
        ("token", json!({"a": 1}), &no_subscription),
        ("token", json!(true), &no_subscription),
        ("token", json!("😀"), &no_subscription),
        (
            "payload",
            json!("{}"),
            &json!(format!("{missing}identifier, version, arch")),
        ),
        (
            "payload",
            json!("nothing"),
            &json!("payload is no JSON object"),
        ),
        (
            "payload",
            json!("{\"identifier\":1,\"version\":2,\"arch\":3}"),
            &activated,
        ),
        ("payload", json!({"a": 1}), &activated),
    ] {
        let wish = with(sles("15.6"), key, value);
        let answer = match activate(&registration, &old_client(), &wish).await {
            Ok(_) => activated.clone(),
            Err(failure) => match failure.error {
                Error::Rmt {
                    status: 422,
                    message,
                } => json!(message),
                Error::BadInput(message) => json!(message),
                other => panic!("{key}: {other}"),
            },
        };
        assert_eq!(answer, *expected, "{key}");
        place.run("DELETE FROM activations").await;
    }
    let huge = with(sles("15.6"), "identifier", json!("x".repeat(20_000_000)));
    let failure = activate(&registration, &old_client(), &huge)
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
}

async fn codes_of_others_are_refused(server: &Server) {
    let place = Place::new(server, "codes").await;
    let registration = predictable(server, &place.name);
    place
        .run(
            "UPDATE products SET free = NULL WHERE id = 7; \
             INSERT INTO subscriptions SELECT 10, 'TODAY', name, kind, status, starts_at, '2026-11-20 00:00:00', \
             system_limit, systems_count, virtual_count, created_at, updated_at FROM subscriptions WHERE id = 1; \
             INSERT INTO subscriptions SELECT 11, 'YESTERDAY', name, kind, status, starts_at, '2026-11-19 23:59:59', \
             system_limit, systems_count, virtual_count, created_at, updated_at FROM subscriptions WHERE id = 1; \
             INSERT INTO subscriptions SELECT 12, 'ok-631DFF ', name, kind, status, starts_at, '2000-01-01', \
             system_limit, systems_count, virtual_count, created_at, updated_at FROM subscriptions WHERE id = 1",
        )
        .await;
    let expired = "The subscription with the provided Registration Code is expired";
    let not_included = "The subscription with the provided Registration Code does not include the requested \
                        product 'SUSE Linux Enterprise Server 15 SP7 x86_64'";
    for (version, code, expected) in [
        // Free: not in the subscription, and yet to be had.
        ("15.6", "TODAY", "ok"),
        ("15.6", "YESTERDAY", expired),
        // Whether it is free is not known.
        ("15.7", "TODAY", not_included),
        ("15.7", "OK-631dff", "ok"),
        // Several have the code: the first counts.
        ("15.7", "OK-631DFF", "ok"),
    ] {
        place.system("").await;
        let wish = with(sles(version), "token", json!(code));
        let answer = match activate(&registration, &old_client(), &wish).await {
            Ok(_) => "ok".to_owned(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(answer, expected, "{version} {code}");
    }
}

async fn an_upgrade_replaces_all_versions(server: &Server) {
    let place = Place::new(server, "upgrade").await;
    let registration = predictable(server, &place.name);
    place.system("").await;
    place
        .run(
            "INSERT INTO activations VALUES (5, 9, 1, NOW(), NOW(), NULL), (6, 1, 1, NOW(), NOW(), 1), \
             (7, 7, 1, NOW(), NOW(), 3), (8, 2, 1, NOW(), NOW(), 1)",
        )
        .await;
    let acted = act(&registration, &client(""), Action::Upgrade, &sles("15.7"))
        .await
        .unwrap();
    let ids: Vec<_> = acted.removed.iter().map(|it| it.id).collect();
    assert_eq!(ids, [6, 7, 5]);
    assert_eq!(acted.created.len(), 1);
    assert_eq!(acted.created[0].service_id, 7);
    // The subscription of the oldest one, which has none; the name of the lowest product.
    let rows =
        "SELECT service_id, IFNULL(subscription_id, 0) FROM activations WHERE service_id <> 2";
    assert_eq!(place.read(rows).await, "7 0");
    let body: Value = serde_json::from_str(&acted.body).unwrap();
    assert_eq!(
        body["obsoleted_service_name"],
        "SUSE_Linux_Enterprise_Server_x86_64"
    );

    let none = product("no-service", "1");
    let failure = act(&registration, &client(""), Action::Upgrade, &none)
        .await
        .unwrap_err();
    let message = "No repositories found for product: No Service Server x86_64";
    assert_eq!(failure.to_string(), message);
}

async fn what_vanished_meanwhile_is_refused(server: &Server) {
    let place = Place::new(server, "vanished").await;
    let registration = registration(server, &place.name);
    let counts = "SELECT (SELECT COUNT(*) FROM systems), (SELECT COUNT(*) FROM activations), \
                  (SELECT COUNT(*) FROM systems WHERE system_token IS NOT NULL)";
    for (removal, left) in [
        ("DELETE FROM activations; DELETE FROM systems", "0 0 0"),
        (
            "SET FOREIGN_KEY_CHECKS = 0; DELETE FROM services WHERE id = 1",
            "1 0 0",
        ),
    ] {
        place.system("").await;
        let (authenticated, checked) =
            check(&registration, &client(""), Action::Activate, &sles("15.6"))
                .await
                .unwrap();
        place.run(removal).await;
        for action in [Action::Activate, Action::Upgrade] {
            let actor = actor(&authenticated);
            let failure = carry_out(&registration, action, &checked, &actor)
                .await
                .unwrap_err();
            assert!(matches!(failure.error, Error::Gone), "{failure}");
            assert_eq!(failure.written, Written::No);
        }
        assert_eq!(place.read(counts).await, left);
    }
}

async fn a_refusal_leaves_nothing(server: &Server) {
    let place = Place::new(server, "refusals").await;
    let registration = predictable(server, &place.name);
    place.system("system_token = 'one'").await;
    place
        .run(
            "INSERT INTO activations VALUES (5, 1, 1, NOW(), NOW(), NULL), (6, 2, 1, NOW(), NOW(), 1), \
             (7, 3, 1, NOW(), NOW(), 3)",
        )
        .await;
    let before = place.systems().await;
    for (params, message) in [
        (
            sles("15.6"),
            "The product \"SUSE Linux Enterprise Server\" is a base product and cannot be deactivated",
        ),
        (
            basesystem(),
            "Cannot deactivate the product \"Basesystem Module\". Other activated products depend upon it.",
        ),
        (
            product("sle-module-python3", "15.6"),
            "Python 3 Module is not yet activated on the system.",
        ),
    ] {
        let (authenticated, checked) =
            check(&registration, &client("one"), Action::Destroy, &params)
                .await
                .unwrap();
        let actor = actor(&authenticated);
        let failure = carry_out(&registration, Action::Destroy, &checked, &actor)
            .await
            .unwrap_err();
        assert!(matches!(&failure.error, Error::Rmt { status: 422, .. }));
        assert_eq!(failure.to_string(), message);
        assert_eq!(failure.written, Written::No);
        assert_eq!(place.systems().await, before);
    }
    // It has a product of another base, and none of its own.
    place.run("DELETE FROM activations WHERE id <> 6").await;
    let wish = product("sle-module-desktop-only", "15.6");
    let failure = activate(&registration, &client("one"), &wish)
        .await
        .unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("your system's base product (none)."),
        "{failure}"
    );
}

async fn synchronize_keeps_what_is_named(server: &Server) {
    let place = Place::new(server, "synchronize").await;
    let registration = predictable(server, &place.name);
    let rows = "SELECT IFNULL(GROUP_CONCAT(service_id ORDER BY service_id), '-') FROM activations";
    for (named, left, log) in [
        (json!([sles("15.6"), basesystem()]), "1,2", 1),
        (json!([product("sles", "15-6"), product("x", "1")]), "1", 2),
        (
            json!([{"identifier": "SLES", "version": 15.6, "arch": ["x86_64"]}]),
            "1",
            2,
        ),
        (json!([{}]), "-", 3),
    ] {
        place.system("").await;
        place
            .run(
                "INSERT INTO activations VALUES (5, 1, 1, NOW(), NOW(), NULL), (6, 2, 1, NOW(), NOW(), 1), \
                 (7, 3, 1, NOW(), NOW(), 3)",
            )
            .await;
        let acted = synchronize(&registration, &client(""), &json!({"products": named}))
            .await
            .unwrap();
        assert_eq!(place.read(rows).await, left, "{named}");
        assert_eq!(
            (acted.removed.len(), acted.log.len()),
            (log, log),
            "{named}"
        );
        let shown: Value = serde_json::from_str(&acted.body).unwrap();
        assert_eq!(shown.as_array().unwrap().len(), 3 - log);
    }
    let before = place.systems().await;
    for products in [
        json!("SLES"),
        json!({"a": {}}),
        json!([sles("15.6"), "SLES"]),
        json!([[]]),
        json!(7),
    ] {
        let failure = synchronize(&registration, &client(""), &json!({"products": products}))
            .await
            .unwrap_err();
        assert!(
            matches!(failure.error, Error::BadInput(_) | Error::Invalid(_)),
            "{failure}"
        );
    }
    let many = json!({"products": vec![sles("15.6"); 501]});
    let token = place.read("SELECT system_token FROM systems").await;
    let failure = synchronize(&registration, &client(&token), &many)
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Declined(_)), "{failure}");
    assert!(place.systems().await.starts_with(&before));
}

async fn lost_answers_change_nothing(server: &Server) {
    let given =
        "INSERT INTO activations VALUES (5, 9, 1, NOW(), NOW(), 1), (6, 2, 1, NOW(), NOW(), 1)";
    let mut number = 0;
    for accident in [
        Accident::LoseAnswer,
        Accident::LoseRequest,
        Accident::CutRequest,
    ] {
        for text in ["START TRANSACTION", "COMMIT"] {
            for (action, params, left) in [
                (Some(Action::Activate), sles("15.6"), "1,2,9"),
                (Some(Action::Upgrade), sles("15.6"), "1,2"),
                (Some(Action::Destroy), basesystem(), "9"),
                (None, json!({"products": [sles("15.5")]}), "9"),
            ] {
                number += 1;
                let place = Place::new(server, &format!("lost{number}")).await;
                place.system("system_token = 'one'").await;
                place.run(given).await;
                let (port, happened) = accident_on(server.port, text, accident).await;
                let mut settings = config(server, &place.name);
                settings.port = port;
                let registration = Registration::new(&settings).unwrap();
                let acted = match action {
                    Some(action) => act(&registration, &client("one"), action, &params).await,
                    None => synchronize(&registration, &client("one"), &params).await,
                };
                let acted = acted.unwrap();
                assert!(happened.load(Ordering::SeqCst), "{text}");
                let rows = "SELECT GROUP_CONCAT(service_id ORDER BY service_id), \
                            (SELECT system_token FROM systems) FROM activations";
                let token = acted.system_token.unwrap();
                assert_eq!(
                    place.read(rows).await,
                    format!("{left} {token}"),
                    "{text} {action:?}"
                );
                if matches!(action, Some(Action::Destroy) | None) {
                    let removed: Vec<_> = acted.removed.iter().map(|it| it.id).collect();
                    assert_eq!(removed, [6], "{text} {action:?}");
                }
            }
        }
    }
}

async fn what_was_abandoned_is_not_written(server: &Server) {
    let place = Place::new(server, "abandoned").await;
    let registration = predictable(server, &place.name);
    place.system("system_token = 'one'").await;
    place
        .run("INSERT INTO activations VALUES (6, 2, 1, NOW(), NOW(), 1)")
        .await;
    let before = place.systems().await;
    let progress = Progress::default();
    progress.abandon();
    let look = rendering();
    let (authenticated, checked) = check(
        &registration,
        &client("one"),
        Action::Destroy,
        &basesystem(),
    )
    .await
    .unwrap();
    let actor = actor(&authenticated);
    let products = json!({"products": [sles("15.6")]}).to_string();
    let caller = Caller::Unknown(client("one"));
    let failures = [
        registration
            .activate(&checked, &actor, None, &look, &progress)
            .await
            .err(),
        registration
            .upgrade(&checked, &actor, None, &look, &progress)
            .await
            .err(),
        registration
            .destroy(&checked, &actor, &look, &progress)
            .await
            .err(),
        registration
            .synchronize(&actor, products.as_bytes(), &look, &progress)
            .await
            .err(),
        registration
            .note(&authenticated.note.unwrap(), &progress)
            .await
            .err(),
        registration
            .check(&caller, Action::Show, b"{}", &progress)
            .await
            .err(),
    ];
    for failure in failures {
        let failure = failure.unwrap();
        assert!(matches!(failure.error, Error::Abandoned), "{failure}");
        assert_eq!(failure.written, Written::No);
    }
    assert_eq!(place.systems().await, before);
    assert_eq!(place.read("SELECT COUNT(*) FROM activations").await, "1");
}
