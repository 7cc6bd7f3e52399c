//! Authentication, keepalive and deregistration against a real MariaDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::place::{Place, SUSECONNECT, TEXT, actor, client, old_client, zypper};
use common::server::Server;
use common::way::{Accident, accident_on};
use common::{config, predictable, registration};
use registration::{
    Authenticated, Credentials, Error, Failure, Found, Level, Progress, Registration, TokenHeader,
    Updated, Written,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, MySqlConnection};

async fn authenticate(
    registration: &Registration,
    credentials: &Credentials,
) -> Result<Authenticated, Failure> {
    registration
        .authenticate(credentials, &Progress::default())
        .await
}

async fn update(
    registration: &Registration,
    authenticated: &Authenticated,
    params: &Value,
) -> Result<Updated, Failure> {
    registration
        .update(
            &actor(authenticated),
            params.to_string().as_bytes(),
            &Progress::default(),
        )
        .await
}

async fn deregister(
    registration: &Registration,
    authenticated: &Authenticated,
) -> Result<(), Failure> {
    registration
        .deregister(&authenticated.system, &Progress::default())
        .await
}

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn systems_against_a_database() {
    let server = Arc::new(Server::start("systems").await);

    recorded_conversations(&server).await;
    wrong_credentials_are_refused(&server).await;
    the_token_chooses(&server).await;
    copies_have_everything(&server).await;
    an_authentication_writes_what_changed(&server).await;
    broken_hardware_information_is_repaired(&server).await;
    what_cannot_be_stored_is_refused(&server).await;
    others_columns_are_left_alone(&server).await;
    systems_may_vanish_meanwhile(&server).await;
    one_token_makes_one_copy(&server).await;
    a_keepalive_stores_what_was_sent(&server).await;
    a_keepalive_replaces_profiles(&server).await;
    a_keepalive_knows_its_days(&server).await;
    a_keepalive_of_a_deleted_system_is_refused(&server).await;
    a_deregistration_leaves_nothing(&server).await;
    the_last_of_many_takes_the_profile_along(&server).await;
    announces_and_deregistrations_share_profiles(&server).await;
    who_waits_holds_nothing_that_others_wait_for(&server).await;
    who_leaves_waits_for_no_rows_of_others(&server).await;
    copies_do_not_wait_for_activations(&server).await;
    statements_are_few(&server).await;
    lost_answers_change_nothing(&server).await;
    what_was_abandoned_is_not_written(&server).await;
}

/// The rows of `spec/conformance/cases`, as far as authentication, keepalive and deregistration
/// make them: of conversations that activate something, the systems before the rotation.
async fn recorded_conversations(server: &Server) {
    let place = Place::new(server, "recorded").await;
    let registration = registration(server, &place.name);
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/conformance/cases");
    for name in [
        "auth-login-case-insensitive",
        "auth-unknown-login",
        "auth-wrong-password",
        "deregister",
        "deregister-profiles",
        "last-seen-recent",
        "token-absent",
        "token-empty-but-set",
        "token-matches",
        "token-mismatch",
        "token-picks-among-duplicates",
        "token-show-not-rotated",
        "update-hwinfo",
        "update-profiles-known",
        "update-uptime",
    ] {
        let text = std::fs::read_to_string(format!("{cases}/{name}.json")).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        place.empty().await;
        for statement in case["given"].as_array().unwrap() {
            place.run(statement.as_str().unwrap()).await;
        }
        let mut activates = false;
        for (step, expected) in std::iter::zip(
            case["steps"].as_array().unwrap(),
            case["expect"]["steps"].as_array().unwrap(),
        ) {
            let request = &step["request"];
            activates = request["method"] == "POST";
            let answer = converse(&registration, request).await;
            if expected["status"] == 401 {
                assert_eq!(answer.unwrap_err(), "401 Invalid system credentials");
                continue;
            }
            let echo = answer.unwrap();
            let sent = expected["headers"]["system-token"].is_string();
            assert_eq!(echo.is_some(), sent, "{name}");
        }
        let tables = case["expect"]["tables"].as_object().unwrap();
        for (table, rows) in tables {
            if !activates || table == "systems" {
                compare(&place, name, table, rows.as_array().unwrap(), activates).await;
            }
        }
    }
}

/// The System-Token of the answer, or status and message of the error.
async fn converse(registration: &Registration, request: &Value) -> Result<Option<String>, String> {
    let header = |name: &str| request["headers"][name].as_str().map(str::to_owned);
    let (login, password) = request["basic"].as_str().unwrap().split_once(':').unwrap();
    let credentials = Credentials {
        login: login.to_owned(),
        password: password.to_owned(),
        token: header("System-Token").map_or(TokenHeader::Absent, |token| {
            TokenHeader::Present(Some(token))
        }),
        user_agent: header("User-Agent"),
        ..old_client()
    };
    let authenticated = match authenticate(registration, &credentials).await {
        Ok(authenticated) => authenticated,
        Err(failure) => match failure.error {
            Error::Rmt { status, message } => return Err(format!("{status} {message}")),
            other => panic!("{other}"),
        },
    };
    if request["path"] != "/connect/systems" {
        return Ok(authenticated.token_echo);
    }
    if request["method"] == "DELETE" {
        deregister(registration, &authenticated).await.unwrap();
        return Ok(authenticated.token_echo);
    }
    let updated = update(registration, &authenticated, &request["json"]).await;
    Ok(updated.unwrap().system_token)
}

async fn compare(place: &Place<'_>, name: &str, table: &str, rows: &[Value], activates: bool) {
    let count = place.read(&format!("SELECT COUNT(*) FROM {table}")).await;
    assert_eq!(count, rows.len().to_string(), "{name}: {table}");
    let Some(Value::Object(first)) = rows.first() else {
        return;
    };
    let columns: Vec<_> = first
        .keys()
        .map(|column| format!("'{column}', CAST({column} AS CHAR)"))
        .collect();
    let query = format!(
        "SELECT JSON_OBJECT({}) FROM {table} ORDER BY id",
        columns.join(", ")
    );
    let recently = place
        .read("SELECT UTC_TIMESTAMP() - INTERVAL 10 MINUTE")
        .await;
    let mut names = HashMap::new();
    for (expected, line) in rows.iter().zip(place.read(&query).await.lines()) {
        let actual: Value = serde_json::from_str(line).unwrap();
        for (column, expected) in expected.as_object().unwrap() {
            let what = format!("{name}: {table}.{column}");
            let actual = actual[column].as_str();
            match expected {
                Value::String(text) if text == "<now>" => {
                    assert!(actual.unwrap() >= recently.as_str(), "{what}");
                }
                // Activating rotates it.
                Value::String(text) if text.starts_with("<uuid") && activates => {}
                Value::String(text) if text.starts_with('<') => {
                    let named = names
                        .entry(text.clone())
                        .or_insert(actual.unwrap().to_owned());
                    assert_eq!(Some(named.as_str()), actual, "{what}");
                }
                Value::String(text) => assert_eq!(Some(text.as_str()), actual, "{what}"),
                Value::Null => assert_eq!(None, actual, "{what}"),
                other => assert_eq!(Some(other.to_string().as_str()), actual, "{what}"),
            }
        }
    }
}

async fn wrong_credentials_are_refused(server: &Server) {
    let place = Place::new(server, "wrong").await;
    let registration = predictable(server, &place.name);
    place.system("").await;
    let before = place.systems().await;
    for (login, password) in [
        ("SCC_a", "q"),
        ("SCC_b", "p"),
        ("", ""),
        ("\u{1F600}", "p"),
        ("SCC_a\0", "p"),
        (&*"x".repeat(300), "p"),
    ] {
        let credentials = Credentials {
            login: login.to_owned(),
            password: password.to_owned(),
            ..client("")
        };
        let failure = authenticate(&registration, &credentials).await.unwrap_err();
        assert!(
            matches!(&failure.error, Error::Rmt { status: 401, message } if message == "Invalid system credentials"),
            "{login}: {failure}"
        );
        assert_eq!(failure.written, Written::No);
    }
    assert_eq!(place.systems().await, before);

    // Case and trailing spaces are the database's business.
    let credentials = Credentials {
        login: "scc_A ".to_owned(),
        password: "P".to_owned(),
        ..client("")
    };
    assert_eq!(
        authenticate(&registration, &credentials)
            .await
            .unwrap()
            .system
            .id,
        1
    );
}

async fn the_token_chooses(server: &Server) {
    let place = Place::new(server, "tokens").await;
    let registration = predictable(server, &place.name);
    place.system("system_token = 'one'").await;
    place.another(2, "system_token = 'two'").await;

    let found = async |credentials: &Credentials| {
        let it = authenticate(&registration, credentials).await.unwrap();
        let line = it.log().next().map(|line| line.text).unwrap_or_default();
        (it.system.id, it.found, it.token_echo, it.ids, line)
    };
    assert_eq!(
        found(&old_client()).await,
        (
            1,
            Found::WithoutToken,
            None,
            vec![1, 2],
            r#"System with login \"SCC_a\" authenticated without token header"#.to_owned()
        )
    );
    assert_eq!(
        found(&client("two")).await,
        (
            2,
            Found::WithToken,
            Some("two".to_owned()),
            vec![1, 2],
            r#"System with login \"SCC_a\" authenticated with token \"[FILTERED]\""#.to_owned()
        )
    );
    let disabled = Credentials {
        tokens_enabled: false,
        ..client("two")
    };
    let (id, _, echo, ..) = found(&disabled).await;
    assert_eq!((id, echo), (2, None));

    // What differs only to us is refused, what differs to the database too is copied.
    let before = place.systems().await;
    let failure = authenticate(&registration, &client("TWO"))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Invalid(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    assert_eq!(place.systems().await, before);

    let skipping = Credentials {
        skip_on_duplicated: true,
        ..client("three")
    };
    let (id, skipped, echo, ids, line) = found(&skipping).await;
    assert_eq!(
        (id, skipped, echo, ids, &*line),
        (1, Found::Skipped, None, vec![1, 2], "")
    );
    assert_eq!(place.systems().await, before);

    let (id, copied, echo, ids, line) = found(&client(" ")).await;
    assert_eq!(copied, Found::Copied { from: 1 });
    assert_eq!((echo, ids), (Some(String::new()), vec![1, 2, id]));
    assert_eq!(
        line,
        format!(
            r#"System with login \"SCC_a\" (ID {id}) authenticated and duplicated from ID 1 due to token mismatch"#
        )
    );
    // From now on it is found, with a blank token and with none.
    for credentials in [
        client(""),
        Credentials {
            token: TokenHeader::Present(None),
            ..old_client()
        },
    ] {
        let (again, with_token, ..) = found(&credentials).await;
        assert_eq!((again, with_token), (id, Found::WithToken));
    }

    // A stored token that is blank is a token nobody can send.
    place.system("system_token = ''").await;
    let (id, copied, ..) = found(&client("")).await;
    assert_ne!(id, 1);
    assert_eq!(copied, Found::Copied { from: 1 });
}

async fn copies_have_everything(server: &Server) {
    let place = Place::new(server, "copies").await;
    let registration = predictable(server, &place.name);
    place
        .system("system_token = 'one', scc_system_id = 77, instance_data = '<i/>', proxy_byos_mode = 2, pubcloud_reg_code = 'r'")
        .await;
    place
        .run(
            "INSERT INTO subscriptions SET id = 900, regcode = 'r', name = 'n', kind = 'k', status = 's', \
             system_limit = 1, systems_count = 1, created_at = NOW(), updated_at = NOW(); \
             INSERT INTO activations (system_id, service_id, subscription_id, created_at, updated_at) \
             VALUES (1, 2, 900, '2026-01-01', '2026-01-01'), (1, 1, NULL, '2026-01-01', '2026-01-01')",
        )
        .await;
    let copy = authenticate(&registration, &client("new")).await.unwrap();
    let columns = "login, password, hostname, registered_at, scc_system_id, system_information, \
                   instance_data, proxy_byos_mode, pubcloud_reg_code";
    assert_eq!(
        place
            .read(&format!(
                "SELECT COUNT(*), COUNT(DISTINCT CONCAT_WS('|', {columns})) FROM systems"
            ))
            .await,
        "2 1"
    );
    assert_eq!(
        place.systems().await,
        format!("one {TEXT} old old old old\nnew {TEXT} now now now NULL")
    );
    let id = copy.system.id;
    assert_eq!(
        place
            .read("SELECT system_id, service_id, subscription_id, created_at, updated_at FROM activations ORDER BY id")
            .await,
        format!(
            "1 2 900 2026-01-01 00:00:00 2026-01-01 00:00:00\n\
             1 1 NULL 2026-01-01 00:00:00 2026-01-01 00:00:00\n\
             {id} 2 900 2026-11-20 12:34:56 2026-11-20 12:34:56\n\
             {id} 1 NULL 2026-11-20 12:34:56 2026-11-20 12:34:56"
        )
    );
    // What is returned is what is stored.
    let read = authenticate(&registration, &client("new")).await.unwrap();
    assert_eq!(read.system, copy.system);

    // An authentication that asks for no report to SCC still copies activations, and they do.
    let zypper = Credentials {
        tokens_enabled: false,
        user_agent: Some("ZYpp 17".to_owned()),
        ..client("newer")
    };
    let copy = authenticate(&registration, &zypper).await.unwrap().system;
    assert_eq!(copy.scc_registered_at, None);
    let reported = "SELECT scc_registered_at FROM systems WHERE system_token = 'newer'";
    assert_eq!(place.read(reported).await, "NULL");
}

async fn an_authentication_writes_what_changed(server: &Server) {
    let place = Place::new(server, "writes").await;
    let registration = predictable(server, &place.name);
    let recently = "last_seen_at = '2026-11-20 12:31:57'";
    let long_ago = "last_seen_at = '2026-11-20 12:31:56'";
    let this_second = "last_seen_at = '2026-11-20 12:34:56'";
    let other = Credentials {
        user_agent: Some("<SUSEConnect>".to_owned()),
        ..old_client()
    };
    let nameless = Credentials {
        user_agent: None,
        ..old_client()
    };
    let disabled = Credentials {
        tokens_enabled: false,
        ..client("")
    };
    for (given, credentials, expected) in [
        // RMT saves for the user agent in any case, and that resets; it is no change to it though.
        (
            recently,
            old_client(),
            format!("- {TEXT} 2026-11-20 12:31:57 old old NULL"),
        ),
        (long_ago, old_client(), format!("- {TEXT} now now old NULL")),
        (
            "last_seen_at = NULL",
            old_client(),
            format!("- {TEXT} now now old NULL"),
        ),
        (
            recently,
            zypper(old_client()),
            format!("- {TEXT} 2026-11-20 12:31:57 old old old"),
        ),
        (
            long_ago,
            zypper(old_client()),
            format!("- {TEXT} now now old old"),
        ),
        (recently, client(""), format!("- {TEXT} now now old NULL")),
        (
            this_second,
            client(""),
            format!("- {TEXT} now old old NULL"),
        ),
        (
            recently,
            zypper(client("")),
            format!("- {TEXT} now now old NULL"),
        ),
        (
            recently,
            disabled.clone(),
            format!("- {TEXT} 2026-11-20 12:31:57 old old NULL"),
        ),
        (
            long_ago,
            zypper(disabled),
            format!("- {TEXT} now now old old"),
        ),
        (
            recently,
            other,
            r#"- {"user_agent":"\u003cSUSEConnect\u003e"} 2026-11-20 12:31:57 now old NULL"#
                .to_owned(),
        ),
        (
            recently,
            nameless,
            r#"- {"user_agent":null} 2026-11-20 12:31:57 now old NULL"#.to_owned(),
        ),
    ] {
        place.system(given).await;
        let authenticated = authenticate(&registration, &credentials).await.unwrap();
        assert_eq!(place.systems().await, expected, "{given}");
        // What is returned is what is stored.
        let nobody = Credentials {
            skip_on_duplicated: true,
            ..old_client()
        };
        place.another(2, "system_token = 'x'").await;
        let stored = authenticate(&registration, &nobody).await.unwrap();
        assert_eq!(stored.found, Found::Skipped);
        assert_eq!(stored.system, authenticated.system, "{given}");
    }
}

async fn broken_hardware_information_is_repaired(server: &Server) {
    let place = Place::new(server, "broken").await;
    place
        .run("ALTER TABLE systems MODIFY system_information longtext DEFAULT NULL")
        .await;
    let registration = predictable(server, &place.name);
    for (text, expected) in [
        ("NULL", TEXT),
        ("'null'", TEXT),
        ("'[1]'", TEXT),
        ("'7'", TEXT),
        ("'{'", TEXT),
        ("''", TEXT),
        (
            r#"'{ "b" : 1.0, "user_agent" : 1, "a" : {"x":[]} }'"#,
            r#"{"b":1.0,"user_agent":"SUSEConnect/1.21.0","a":{"x":[]}}"#,
        ),
    ] {
        place.system(&format!("system_information = {text}")).await;
        authenticate(&registration, &old_client()).await.unwrap();
        let stored = place.read("SELECT system_information FROM systems").await;
        assert_eq!(stored, expected);

        place.system(&format!("system_information = {text}")).await;
        let authenticated = authenticate(&registration, &zypper(old_client()))
            .await
            .unwrap();
        let params = json!({"hwinfo": {"user_agent": SUSECONNECT}});
        update(&registration, &authenticated, &params)
            .await
            .unwrap();
        let stored = place.read("SELECT system_information FROM systems").await;
        assert_eq!(stored, expected);
    }
}

async fn what_cannot_be_stored_is_refused(server: &Server) {
    let place = Place::new(server, "unstorable").await;
    let registration = predictable(server, &place.name);
    place.system("system_token = 'one'").await;
    let before = place.systems().await;
    let agent = |text: String| Credentials {
        user_agent: Some(text),
        ..old_client()
    };
    for (credentials, complaint) in [
        (client(&"x".repeat(256)), "System-Token is too long"),
        (
            agent("\u{1F600}".to_owned()),
            "hwinfo contains characters that cannot be stored",
        ),
        (
            agent("x".repeat(17 << 20)),
            "The request is too large to be stored",
        ),
    ] {
        let failure = authenticate(&registration, &credentials).await.unwrap_err();
        assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
        assert_eq!(failure.error.to_string(), complaint);
        assert_eq!(failure.written, Written::No);
        assert_eq!(place.systems().await, before);
    }
    let failure = authenticate(&registration, &client("\u{1F600}"))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::BadInput(_)), "{failure}");
    assert_eq!(place.systems().await, before);
}

async fn others_columns_are_left_alone(server: &Server) {
    let place = Place::new(server, "others").await;
    let registration = predictable(server, &place.name);
    place.system("").await;
    let authenticated = authenticate(&registration, &client("")).await.unwrap();
    // Meanwhile it is reported, and the cloud says something about it.
    place
        .run("UPDATE systems SET scc_system_id = 5, instance_data = 'i', hostname = 'renamed', pubcloud_reg_code = 'r'")
        .await;
    update(
        &registration,
        &authenticated,
        &json!({"hostname": "h", "hwinfo": {}}),
    )
    .await
    .unwrap();
    assert_eq!(
        place
            .read("SELECT scc_system_id, instance_data, hostname, pubcloud_reg_code FROM systems")
            .await,
        "5 i renamed r"
    );
}

async fn systems_may_vanish_meanwhile(server: &Arc<Server>) {
    let place = Place::new(server, "vanishing").await;
    let registration = registration(server, &place.name);
    let churn = {
        let (server, name) = (Arc::clone(server), place.name.clone());
        tokio::spawn(async move {
            let mut root = server.root(&name).await;
            for id in 1.. {
                let statements = format!(
                    "DELETE FROM activations; DELETE FROM systems; INSERT INTO systems SET id = {id}, login = 'SCC_a', \
                     password = 'p', system_token = IF({id} % 2, 'one', NULL), created_at = NOW(), updated_at = NOW()"
                );
                let _ = sqlx::raw_sql(AssertSqlSafe(statements))
                    .execute(&mut root)
                    .await;
            }
        })
    };
    let mut found = 0;
    for n in 0..300 {
        let credentials = if n % 2 == 0 {
            client("one")
        } else {
            client("")
        };
        match authenticate(&registration, &credentials).await {
            Ok(_) => found += 1,
            Err(failure) => {
                assert!(
                    matches!(failure.error, Error::Rmt { status: 401, .. }),
                    "{failure}"
                );
            }
        }
    }
    churn.abort();
    assert!(found > 0);
}

async fn one_token_makes_one_copy(server: &Server) {
    let place = Place::new(server, "copying").await;
    let mut settings = config(server, &place.name);
    settings.pool = 32;
    settings.statement_timeout_ms = 10_000;
    let registration = Registration::new(&settings).unwrap();
    for token in ["", "stale"] {
        place.system("system_token = 'one'").await;
        place
            .run("INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES (1, 1, '2026-01-01', '2026-01-01')")
            .await;
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let registration = registration.clone();
                tokio::spawn(async move { authenticate(&registration, &client(token)).await })
            })
            .collect();
        let mut ids = Vec::new();
        let mut copies = 0;
        for task in tasks {
            let authenticated = task.await.unwrap().unwrap();
            copies += u32::from(authenticated.found == Found::Copied { from: 1 });
            ids.push(authenticated.system.id);
        }
        ids.dedup();
        assert_eq!((ids.len(), copies), (1, 1));
        let counts = "SELECT (SELECT COUNT(*) FROM systems), (SELECT COUNT(*) FROM activations)";
        assert_eq!(place.read(counts).await, "2 2");
    }
}

async fn a_keepalive_stores_what_was_sent(server: &Server) {
    let place = Place::new(server, "keepalive").await;
    let registration = predictable(server, &place.name);
    let seen = "last_seen_at = '2026-11-20 12:34:56', system_information = '{\"cpus\":2}'";
    let row = "SELECT IFNULL(hostname, '-'), system_information, IF(updated_at > '2026-02-01', 'now', 'old'), \
               IFNULL(scc_registered_at, '-') FROM systems";
    for (params, expected) in [
        (
            json!({"hostname": "h", "hwinfo": {}}),
            r#"h {"cpus":2} old -"#,
        ),
        (json!({"hostname": "h"}), r#"h {"cpus":2} old -"#),
        (
            json!({"hostname": "h", "hwinfo": "x"}),
            r#"h {"cpus":2} old -"#,
        ),
        (
            json!({"hostname": "h", "hwinfo": [1]}),
            r#"h {"cpus":2} old -"#,
        ),
        (
            json!({"hostname": "h", "hwinfo": null, "online_at": 5}),
            r#"h {"cpus":2} old -"#,
        ),
        (
            json!({"hostname": "h", "online_at": "2026-01-01:1"}),
            r#"h {"cpus":2} old -"#,
        ),
        (
            json!({"hostname": "h", "system_profiles": 7}),
            r#"h {"cpus":2} old -"#,
        ),
        (
            json!({"hostname": "new", "hwinfo": {"cpus": 2}}),
            r#"new {"cpus":2} now -"#,
        ),
        (json!({"hostname": "H"}), r#"H {"cpus":2} now -"#),
        (json!({"hostname": 7}), r#"7 {"cpus":2} now -"#),
        (json!({}), r#"- {"cpus":2} now -"#),
        (
            json!({"hostname": "h", "hwinfo": {"z": null, "cpus": "8", "l": [1, [2]], "h": "<"}}),
            r#"h {"cpus":"8","z":null,"l":[1],"h":"\u003c"} now -"#,
        ),
    ] {
        place.system(seen).await;
        let authenticated = authenticate(&registration, &zypper(old_client()))
            .await
            .unwrap();
        let updated = update(&registration, &authenticated, &params)
            .await
            .unwrap();
        assert_eq!(place.read(row).await, expected, "{params}");
        assert_eq!(
            (updated.system_token, updated.clear_profile_cache),
            (None, false)
        );
        let host = updated.system.hostname.unwrap_or_default();
        let line = updated.log.last().unwrap();
        assert_eq!(line.level, Level::Info);
        assert_eq!(
            line.text,
            format!("Updated system information for host '{host}'")
        );
    }

    // Who sends a token gets a new one.
    place.system("system_token = 'one'").await;
    let authenticated = authenticate(&registration, &client("one")).await.unwrap();
    let updated = update(&registration, &authenticated, &json!({"hostname": "h"}))
        .await
        .unwrap();
    let token = updated.system_token.unwrap();
    assert_eq!((token.len(), &token[14..15]), (36, "4"));
    assert_eq!(
        place.systems().await,
        format!("{token} {TEXT} now now old NULL")
    );
    let again = authenticate(&registration, &client(&token)).await.unwrap();
    assert_eq!(again.system, updated.system);

    let failure = update(&registration, &again, &json!({"hostname": ["a"]}))
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Declined(_)), "{failure}");
    let failure = update(&registration, &again, &json!({"hostname": "x".repeat(256)}))
        .await
        .unwrap_err();
    assert_eq!(failure.error.to_string(), "hostname is too long");
    assert_eq!(
        place.systems().await,
        format!("{token} {TEXT} now now old NULL")
    );
}

async fn a_keepalive_replaces_profiles(server: &Server) {
    let place = Place::new(server, "links").await;
    let registration = predictable(server, &place.name);
    let two = "INSERT INTO profiles (id, profile_type, identifier, data, created_at, updated_at) VALUES \
               (1, 'pci', 'a', 'x', '2026-01-01', '2026-01-01'), (2, 'mod', 'b', 'y', '2026-01-01', '2026-01-01'); \
               INSERT INTO system_profiles (id, system_id, profile_id, created_at, updated_at) VALUES \
               (1, 1, 1, '2026-01-01', '2026-01-01'), (2, 1, 2, '2026-01-01', '2026-01-01')";
    let links = "SELECT GROUP_CONCAT(CONCAT_WS('/', profile_type, identifier, data, IF(system_profiles.id < 3, 'kept', 'new')) \
                 ORDER BY system_profiles.id) FROM system_profiles JOIN profiles ON profiles.id = profile_id";
    let both = "pci/a/x/kept,mod/b/y/kept";
    let complete = |identifier: &str, data: Value| json!({"identifier": identifier, "data": data});
    let known = json!({"identifier": "a"});
    for (sent, expected, clear_cache, profiles) in [
        (json!({"pci": known}), "pci/a/x/kept", false, 2),
        (
            json!({"pci": known, "mod": {"identifier": "b"}}),
            both,
            false,
            2,
        ),
        (
            json!({"new": complete("n", json!("d"))}),
            "new/n/d/new",
            false,
            3,
        ),
        (
            json!({"mod": {"identifier": "b"}, "new": complete("n", json!("d"))}),
            "mod/b/y/kept,new/n/d/new",
            false,
            3,
        ),
        // Its data is not looked at.
        (
            json!({"pci": complete("a", json!(null))}),
            "pci/a/x/kept",
            false,
            2,
        ),
        // Found, and yet not known.
        (json!({"PCI": {"identifier": "A"}}), "pci/a/x/kept", true, 2),
        // What is found is of the same type, and complete: the other one is not known for that.
        (
            json!({"pci": {"identifier": "z"}, "PCI": complete("A", json!("x"))}),
            "pci/a/x/kept",
            true,
            2,
        ),
        (
            json!({"pci": known, "q": {"identifier": "z"}, "r": {}}),
            "pci/a/x/kept",
            true,
            2,
        ),
        // RMT crashes: they are the same to the table.
        (
            json!({"PCI": complete("A ", json!("1")), "pci": complete("a", json!("1"))}),
            "pci/a/x/kept",
            false,
            2,
        ),
        // None that is usable: the links stay.
        (json!({"pci": {"identifier": "z"}}), both, true, 2),
        (json!({"pci": {"data": "z"}}), both, true, 2),
        (json!({"pci": "text"}), both, true, 2),
        (json!({}), both, false, 2),
        (json!(null), both, false, 2),
    ] {
        place.system("").await;
        place.run(two).await;
        let authenticated = authenticate(&registration, &old_client()).await.unwrap();
        let params = json!({"hostname": "h", "hwinfo": {}, "system_profiles": sent});
        let updated = update(&registration, &authenticated, &params)
            .await
            .unwrap();
        assert_eq!(updated.clear_profile_cache, clear_cache, "{sent}");
        assert_eq!(place.read(links).await, expected, "{sent}");
        // Those that nobody has any more stay, as with RMT.
        let count = place.read("SELECT COUNT(*) FROM profiles").await;
        assert_eq!(count, profiles.to_string(), "{sent}");
    }

    // Nothing is half-written.
    let authenticated = authenticate(&registration, &client("")).await.unwrap();
    let before = place.systems().await;
    let params = json!({"hostname": "other", "online_at": ["2026-01-01:1"], "system_profiles": {
        "new": complete("n", json!("d")), "blank": complete("m", json!(" "))}});
    let failure = update(&registration, &authenticated, &params)
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Invalid(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    assert_eq!(place.systems().await, before);
    assert_eq!(place.read(links).await, both);
    let rest = "SELECT COUNT(*), (SELECT COUNT(*) FROM system_uptimes) FROM profiles";
    assert_eq!(place.read(rest).await, "2 0");
}

async fn a_keepalive_knows_its_days(server: &Server) {
    let place = Place::new(server, "uptimes").await;
    let registration = predictable(server, &place.name);
    place.system("").await;
    place
        .run(
            "INSERT INTO system_uptimes (system_id, online_at_day, online_at_hours, created_at, updated_at) VALUES \
             (1, '2026-06-01', '1', '2026-01-01', '2026-01-01'), (1, '2026-06-02', '1', '2026-01-01', '2026-01-01')",
        )
        .await;
    let authenticated = authenticate(&registration, &old_client()).await.unwrap();
    let params = json!({"hostname": "h", "online_at": [
        "2026-06-01:1", "2026-06-02:011", "2026-06-03:1", "2026-06-03:0101:", null,
        "broken", "a:b:c", "", 5, {"a": "b"}, "2024-02-29:1",
    ]});
    let updated = update(&registration, &authenticated, &params)
        .await
        .unwrap();
    let rows = "SELECT online_at_day, REPLACE(online_at_hours, CHAR(0), ''), LENGTH(online_at_hours), \
                DATE(created_at), DATE(updated_at) FROM system_uptimes ORDER BY online_at_day";
    assert_eq!(
        place.read(rows).await,
        "2024-02-29 1 24 2026-11-20 2026-11-20\n\
         2026-06-01 1 24 2026-01-01 2026-01-01\n\
         2026-06-02 011 24 2026-01-01 2026-11-20\n\
         2026-06-03 0101 24 2026-11-20 2026-11-20"
    );
    let log: Vec<_> = (updated.log.iter())
        .filter(|line| line.level == Level::Error)
        .map(|line| line.text.as_str())
        .collect();
    assert_eq!(
        log,
        [
            "Uptime data is malformed 'broken'",
            "Uptime data is malformed 'a:b:c'",
            "Uptime data is malformed ''",
            "Uptime data is malformed '5'",
            "Uptime data is malformed '{\"a\":\"b\"}'",
        ]
    );

    let failure = update(
        &registration,
        &authenticated,
        &json!({"online_at": [format!("2026-06-09:{}", "1".repeat(25))]}),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.error.to_string(), "online_at is too long");
    assert_eq!(failure.written, Written::No);
    assert_eq!(place.read(rows).await.lines().count(), 4);
}

async fn a_keepalive_of_a_deleted_system_is_refused(server: &Server) {
    let place = Place::new(server, "deleted").await;
    let registration = predictable(server, &place.name);
    for (given, params) in [
        ("", json!({"hostname": "new"})),
        (
            "",
            json!({"hostname": "new", "online_at": ["2026-01-01:1"]}),
        ),
        (
            "scc_registered_at = NULL",
            json!({"hostname": "h", "online_at": ["2026-01-01:1"]}),
        ),
        (
            "scc_registered_at = NULL",
            json!({"hostname": "h", "system_profiles": {"pci": {"identifier": "a", "data": "x"}}}),
        ),
    ] {
        place.system(given).await;
        let authenticated = authenticate(&registration, &old_client()).await.unwrap();
        place.run("DELETE FROM systems").await;
        let failure = update(&registration, &authenticated, &params)
            .await
            .unwrap_err();
        assert!(
            matches!(failure.error, Error::Rmt { status: 401, .. }),
            "{failure}"
        );
        assert_eq!(failure.written, Written::No);
        assert_eq!(place.read("SELECT COUNT(*) FROM profiles").await, "0");
        // Somebody who has left may leave.
        deregister(&registration, &authenticated).await.unwrap();
    }
}

async fn a_deregistration_leaves_nothing(server: &Server) {
    let place = Place::new(server, "leaving").await;
    let registration = predictable(server, &place.name);
    place.system("scc_system_id = 42").await;
    place
        .another(2, "login = 'SCC_b', scc_system_id = 43")
        .await;
    place
        .run(
            "INSERT INTO profiles (id, profile_type, identifier, data, created_at, updated_at) VALUES \
             (1, 'pci', 'a', 'x', NOW(), NOW()), (2, 'mod', 'b', 'y', NOW(), NOW()); \
             INSERT INTO system_profiles (system_id, profile_id, created_at, updated_at) VALUES \
             (1, 1, NOW(), NOW()), (1, 2, NOW(), NOW()), (2, 2, NOW(), NOW()); \
             INSERT INTO system_uptimes (system_id, online_at_day, online_at_hours, created_at, updated_at) VALUES \
             (1, '2026-06-01', '1', NOW(), NOW()), (2, '2026-06-01', '1', NOW(), NOW()); \
             INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES \
             (1, 1, NOW(), NOW()), (1, 2, NOW(), NOW()), (2, 1, NOW(), NOW())",
        )
        .await;
    let all = "SELECT (SELECT GROUP_CONCAT(id) FROM systems), (SELECT GROUP_CONCAT(id) FROM profiles), \
               (SELECT GROUP_CONCAT(system_id) FROM system_profiles), (SELECT GROUP_CONCAT(system_id) FROM system_uptimes), \
               (SELECT GROUP_CONCAT(system_id) FROM activations), (SELECT GROUP_CONCAT(scc_system_id) FROM deregistered_systems)";
    let authenticated = authenticate(&registration, &old_client()).await.unwrap();
    deregister(&registration, &authenticated).await.unwrap();
    assert_eq!(place.read(all).await, "2 2 2 2 2 42");
    let times = "SELECT created_at, updated_at FROM deregistered_systems";
    assert_eq!(
        place.read(times).await,
        "2026-11-20 12:34:56 2026-11-20 12:34:56"
    );

    // An id that is remembered already stays as it is.
    place
        .run("INSERT INTO deregistered_systems (scc_system_id, created_at, updated_at) VALUES (43, '2026-01-01', '2026-01-01')")
        .await;
    let other = Credentials {
        login: "SCC_b".to_owned(),
        ..old_client()
    };
    let authenticated = authenticate(&registration, &other).await.unwrap();
    deregister(&registration, &authenticated).await.unwrap();
    assert_eq!(place.read(all).await, "NULL NULL NULL NULL NULL 42,43");
    let times = "SELECT updated_at FROM deregistered_systems WHERE scc_system_id = 43";
    assert_eq!(place.read(times).await, "2026-01-01 00:00:00");
}

async fn the_last_of_many_takes_the_profile_along(server: &Server) {
    let place = Place::new(server, "herd").await;
    let mut settings = config(server, &place.name);
    settings.pool = 16;
    settings.statement_timeout_ms = 10_000;
    let registration = Registration::new(&settings).unwrap();
    place.empty().await;
    let profile = |n| json!({"identifier": n, "data": "x"});
    let params = json!({"hostname": "h", "system_profiles": {"a": profile(1), "b": profile(2)}});
    let mut tasks = Vec::new();
    for _ in 0..32 {
        let system = registration
            .announce(params.to_string().as_bytes(), &Progress::default())
            .await
            .unwrap();
        let credentials = Credentials {
            login: system.login,
            password: system.password,
            ..old_client()
        };
        tasks.push(authenticate(&registration, &credentials).await.unwrap());
    }
    let tasks: Vec<_> = (tasks.into_iter())
        .map(|authenticated| {
            let registration = registration.clone();
            tokio::spawn(async move { deregister(&registration, &authenticated).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let counts = "SELECT (SELECT COUNT(*) FROM systems), (SELECT COUNT(*) FROM system_profiles), \
                  (SELECT COUNT(*) FROM profiles)";
    assert_eq!(place.read(counts).await, "0 0 0");
}

async fn announces_and_deregistrations_share_profiles(server: &Server) {
    let place = Place::new(server, "churn").await;
    let mut settings = config(server, &place.name);
    settings.pool = 8;
    settings.statement_timeout_ms = 10_000;
    let registration = Registration::new(&settings).unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let registration = registration.clone();
            tokio::spawn(async move {
                let profile = |id| json!({"identifier": id, "data": "x"});
                // Half of them in the other order, which makes for deadlocks.
                let params = match n % 2 {
                    0 => json!({"system_profiles": {"a": profile(1), "b": profile(2)}}),
                    _ => json!({"system_profiles": {"b": profile(2), "a": profile(1)}}),
                };
                for _ in 0..10 {
                    let system = registration
                        .announce(params.to_string().as_bytes(), &Progress::default())
                        .await?;
                    let credentials = Credentials {
                        login: system.login,
                        password: system.password,
                        ..client("")
                    };
                    let authenticated = authenticate(&registration, &credentials).await?;
                    let updated = update(
                        &registration,
                        &authenticated,
                        &json!({"online_at": ["2026-01-01:1"],
                        "system_profiles": {"b": profile(2), "c": profile(3)}}),
                    )
                    .await?;
                    assert!(updated.system_token.is_some());
                    deregister(&registration, &authenticated).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let counts = "SELECT (SELECT COUNT(*) FROM systems), (SELECT COUNT(*) FROM system_profiles), \
                  (SELECT COUNT(*) FROM system_uptimes), (SELECT COUNT(*) FROM profiles WHERE identifier > 1)";
    assert_eq!(place.read(counts).await, "0 0 0 0");
}

/// Somebody else, who holds locks.
struct Rival {
    wire: MySqlConnection,
}

impl Rival {
    async fn who_holds(place: &Place<'_>, rows: &str) -> Self {
        let mut rival = Self {
            wire: place.server.root(&place.name).await,
        };
        rival.run("SET innodb_lock_wait_timeout = 1").await.unwrap();
        rival.run("START TRANSACTION").await.unwrap();
        rival.run(rows).await.unwrap();
        rival
    }

    async fn run(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        self.wire.execute(statement).await.map(drop)
    }
}

async fn who_waits_holds_nothing_that_others_wait_for(server: &Server) {
    let place = Place::new(server, "waiting").await;
    let mut settings = config(server, &place.name);
    settings.statement_timeout_ms = 30_000;
    let registration = Registration::new(&settings).unwrap();
    place.system("scc_system_id = 42").await;
    place
        .run(
            "INSERT INTO profiles (id, profile_type, identifier, data, created_at, updated_at) VALUES \
             (1, 'pci', 'a', 'x', NOW(), NOW()), (2, 'mod', 'b', 'y', NOW(), NOW()); \
             INSERT INTO activations (id, system_id, service_id, created_at, updated_at) VALUES (7, 1, 1, NOW(), NOW())",
        )
        .await;

    // Whoever leaves takes the profiles in the order of their ids; so does who sends them in another one.
    let mut leaving =
        Rival::who_holds(&place, "SELECT * FROM profiles WHERE id = 1 FOR UPDATE").await;
    let profile = |id| json!({"identifier": id, "data": "x"});
    let params = json!({"system_profiles": {"mod": profile("b"), "pci": profile("a")}});
    let announcing = registration.clone();
    let announced = tokio::spawn(async move {
        announcing
            .announce(params.to_string().as_bytes(), &Progress::default())
            .await
    });
    server.until_somebody_waits("SELECT id FROM profiles").await;
    leaving
        .run("SELECT * FROM profiles WHERE id = 2 FOR UPDATE")
        .await
        .unwrap();
    leaving.run("COMMIT").await.unwrap();
    announced.await.unwrap().unwrap();

    // RMT's purge holds activations when it remembers the id of a system at SCC, which a copy of that may have, too.
    let mut purge = Rival::who_holds(
        &place,
        "UPDATE activations SET updated_at = NOW() WHERE id = 7",
    )
    .await;
    let authenticated = authenticate(&registration, &old_client()).await.unwrap();
    let left = tokio::spawn(async move { deregister(&registration, &authenticated).await });
    server.until_somebody_waits("DELETE activations").await;
    purge
        .run("INSERT INTO deregistered_systems (scc_system_id, created_at, updated_at) VALUES (42, NOW(), NOW())")
        .await
        .unwrap();
    purge.run("COMMIT").await.unwrap();
    left.await.unwrap().unwrap();
    assert_eq!(
        place
            .read("SELECT GROUP_CONCAT(scc_system_id) FROM deregistered_systems")
            .await,
        "42"
    );
}

/// In tables of so few rows the database likes to read them all.
async fn who_leaves_waits_for_no_rows_of_others(server: &Server) {
    let place = Place::new(server, "unmoved").await;
    let registration = registration(server, &place.name);
    place.system("system_token = NULL").await;
    let profiles =
        "INSERT INTO profiles (id, profile_type, identifier, data, created_at, updated_at) VALUES";
    let links =
        "INSERT INTO system_profiles (system_id, profile_id, created_at, updated_at) VALUES";
    let activations =
        "INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES";
    let uptimes = "INSERT INTO system_uptimes (system_id, online_at_day, online_at_hours, created_at, updated_at) VALUES";
    place
        .run(&format!(
            "{profiles} (1, 'pci', 'a', 'x', NOW(), NOW()), (2, 'mod', 'b', 'y', NOW(), NOW()); \
             {links} (1, 1, NOW(), NOW()), (1, 2, NOW(), NOW()); \
             {activations} (1, 1, NOW(), NOW()), (1, 2, NOW(), NOW()); \
             {uptimes} (1, '2026-01-01', '1', NOW(), NOW()), (1, '2026-01-02', '1', NOW(), NOW())"
        ))
        .await;
    let mut other = Rival::who_holds(
        &place,
        &format!(
            "INSERT INTO systems (id, login, password, created_at, updated_at) VALUES (2, 'b', 'c', NOW(), NOW()); \
             {profiles} (3, 'pci', 'c', 'z', NOW(), NOW()); {links} (2, 3, NOW(), NOW()); \
             {activations} (2, 1, NOW(), NOW()); {uptimes} (2, '2026-01-01', '1', NOW(), NOW())"
        ),
    )
    .await;
    let authenticated = authenticate(&registration, &old_client()).await.unwrap();
    deregister(&registration, &authenticated).await.unwrap();
    other.run("COMMIT").await.unwrap();
    let counts = "SELECT (SELECT GROUP_CONCAT(id) FROM systems), (SELECT GROUP_CONCAT(id) FROM profiles), \
                  (SELECT COUNT(*) FROM system_profiles), (SELECT COUNT(*) FROM activations), \
                  (SELECT COUNT(*) FROM system_uptimes)";
    assert_eq!(place.read(counts).await, "2 3 1 1 1");
}

async fn copies_do_not_wait_for_activations(server: &Server) {
    let place = Place::new(server, "unlocked").await;
    let registration = registration(server, &place.name);
    place.system("system_token = 'one'").await;
    place
        .run("INSERT INTO activations (id, system_id, service_id, created_at, updated_at) VALUES (7, 1, 1, NOW(), NOW())")
        .await;
    let mut other =
        Rival::who_holds(&place, "SELECT * FROM activations WHERE id = 7 FOR UPDATE").await;
    authenticate(&registration, &client("two")).await.unwrap();
    other.run("COMMIT").await.unwrap();
    assert_eq!(place.read("SELECT COUNT(*) FROM activations").await, "2");
}

async fn statements_are_few(server: &Server) {
    let place = Place::new(server, "statements").await;
    let registration = registration(server, &place.name);
    let old_times = "last_seen_at = '2026-01-01', updated_at = '2026-01-01'";
    // Prepares the statements.
    let mut rows = HashMap::new();
    for round in 0..4 {
        let mut least = |name: &'static str, counts: Vec<u64>| {
            if round > 0 {
                let least = rows.entry(name).or_insert(counts.clone());
                for (least, count) in least.iter_mut().zip(counts) {
                    *least = count.min(*least);
                }
            }
        };
        place
            .system("last_seen_at = UTC_TIMESTAMP(), scc_registered_at = NULL")
            .await;
        let before = server.counters().await;
        authenticate(&registration, &old_client()).await.unwrap();
        least("nothing new", server.since(&before).await);

        place.run(&format!("UPDATE systems SET {old_times}")).await;
        let before = server.counters().await;
        let authenticated = authenticate(&registration, &client("")).await.unwrap();
        least("authenticated", server.since(&before).await);

        let params = json!({"hostname": "h", "hwinfo": {"cpus": round}});
        let before = server.counters().await;
        update(&registration, &authenticated, &params)
            .await
            .unwrap();
        least("keepalive", server.since(&before).await);

        let params = json!({"hostname": "h", "hwinfo": {"cpus": round}, "online_at": ["2026-01-01:1", "2026-01-02:1"],
            "system_profiles": {"pci": {"identifier": "a", "data": "x"}}});
        update(&registration, &authenticated, &params)
            .await
            .unwrap();
        let known = json!({"hostname": "h", "hwinfo": {"cpus": round}, "online_at": ["2026-01-01:1", "2026-01-02:1"],
            "system_profiles": {"pci": {"identifier": "a"}}});
        let before = server.counters().await;
        update(&registration, &authenticated, &known).await.unwrap();
        least("keepalive with everything", server.since(&before).await);

        let before = server.counters().await;
        deregister(&registration, &authenticated).await.unwrap();
        least("deregistration", server.since(&before).await);
    }
    // Selects, inserts, updates, deletes, begun transactions, explicit commits, commits of the
    // storage engine that wrote.
    assert_eq!(rows["nothing new"], [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rows["authenticated"], [1, 0, 1, 0, 0, 0, 1]);
    assert_eq!(rows["keepalive"], [0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(rows["keepalive with everything"], [1, 1, 1, 0, 1, 1, 1]);
    assert_eq!(rows["deregistration"][4..], [1, 1, 1]);
}

async fn lost_answers_change_nothing(server: &Server) {
    let mut number = 0;
    for accident in [
        Accident::LoseAnswer,
        Accident::LoseRequest,
        Accident::CutRequest,
    ] {
        for text in [
            "START TRANSACTION",
            "COMMIT",
            "lost-token",
            "lost-host",
            "lost-hours",
        ] {
            number += 1;
            let place = Place::new(server, &format!("lost{number}")).await;
            place
                .system("system_token = 'one', scc_system_id = 7")
                .await;
            place
                .run("INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES (1, 1, NOW(), NOW())")
                .await;
            let (port, happened) = accident_on(server.port, text, accident).await;
            let mut settings = config(server, &place.name);
            settings.port = port;
            let registration = Registration::new(&settings).unwrap();
            let copy = authenticate(&registration, &client("lost-token"))
                .await
                .unwrap();
            assert_eq!(copy.found, Found::Copied { from: 1 }, "{text}");
            let params = json!({"hostname": "lost-host", "online_at": ["2026-01-01:lost-hours"]});
            let updated = update(&registration, &copy, &params).await.unwrap();
            assert!(happened.load(Ordering::SeqCst), "{text}");
            let rows = "SELECT COUNT(*), (SELECT COUNT(*) FROM activations), (SELECT COUNT(*) FROM system_uptimes), \
                        (SELECT system_token FROM systems WHERE hostname = 'lost-host') FROM systems";
            let token = updated.system_token.unwrap();
            assert_eq!(place.read(rows).await, format!("2 2 1 {token}"), "{text}");
        }
        for text in ["START TRANSACTION", "COMMIT"] {
            number += 1;
            let place = Place::new(server, &format!("lost{number}")).await;
            place.system("scc_system_id = 7").await;
            let (port, happened) = accident_on(server.port, text, accident).await;
            let mut settings = config(server, &place.name);
            settings.port = port;
            let registration = Registration::new(&settings).unwrap();
            let system = authenticate(&registration, &client("")).await.unwrap();
            deregister(&registration, &system).await.unwrap();
            assert!(happened.load(Ordering::SeqCst), "{text}");
            let rows = "SELECT COUNT(*), (SELECT COUNT(*) FROM deregistered_systems) FROM systems";
            assert_eq!(place.read(rows).await, "0 1");
        }
    }
}

async fn what_was_abandoned_is_not_written(server: &Server) {
    let place = Place::new(server, "abandoned").await;
    let registration = predictable(server, &place.name);
    place.system("system_token = 'one'").await;
    let before = place.systems().await;
    let progress = Progress::default();
    assert_eq!(progress.abandon(), Written::No);
    for credentials in [old_client(), client("two")] {
        let failure = registration
            .authenticate(&credentials, &progress)
            .await
            .unwrap_err();
        assert!(matches!(failure.error, Error::Abandoned), "{failure}");
    }
    assert_eq!(place.systems().await, before);

    let authenticated = authenticate(&registration, &client("one")).await.unwrap();
    let before = place.systems().await;
    let failure = registration
        .update(&actor(&authenticated), b"{}", &progress)
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Abandoned), "{failure}");
    let failure = registration
        .deregister(&authenticated.system, &progress)
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Abandoned), "{failure}");
    assert_eq!(place.systems().await, before);
}
