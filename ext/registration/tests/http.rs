//! Requests and their answers, against a real MariaDB: the recorded conversations with RMT, and what
//! they do not show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::conversation::{Conversation, Naming, catalog, conversations};
use common::place::Place;
use common::registration;
use common::server::Server;
use registration::http::{Answer, PARTS, Reply, Request, Settings};
use registration::{Progress, Registration};
use serde_json::{Value, json};

const BASE: &str = "http://127.0.0.1:4224";

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_against_a_database() {
    let server = Arc::new(Server::start("http").await);

    recorded_conversations(&server).await;
}

fn settings() -> Settings {
    serde_json::from_value(json!({
        "operations": [
            "announce", "authenticate", "update", "deregister", "require_product",
            "check_product_service_and_repositories", "load_subscription",
            "check_base_product_dependencies", "activate", "show", "upgrade", "destroy", "synchronize",
            "activations", "service", "installer", "subscription_products", "health",
        ],
        "free_as_stored": false,
        "plugin_urls": false,
        "credentials_in_repoindex": false,
        "redirect_hosts": [],
        "tokens_enabled": true,
    }))
    .unwrap()
}

/// Rack's environment for a request, as Puma makes it.
fn request(method: &str, path: &str, headers: &[(String, String)], body: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut env = HashMap::from([
        ("REQUEST_METHOD".to_owned(), method.to_owned()),
        ("SCRIPT_NAME".to_owned(), String::new()),
        ("PATH_INFO".to_owned(), path.to_owned()),
        ("QUERY_STRING".to_owned(), query.to_owned()),
        ("rack.url_scheme".to_owned(), "http".to_owned()),
        ("HTTP_HOST".to_owned(), BASE[7..].to_owned()),
    ]);
    if !body.is_empty() {
        env.insert("CONTENT_LENGTH".to_owned(), body.len().to_string());
    }
    for (name, value) in headers {
        let name = name.to_uppercase().replace('-', "_");
        let name = if name == "CONTENT_TYPE" {
            name
        } else {
            format!("HTTP_{name}")
        };
        env.insert(name, value.clone());
    }
    let parts = PARTS
        .iter()
        .map(|it| env.get(*it).map(|it| it.clone().into_bytes()));
    Request::new(parts.collect(), body.as_bytes().to_vec()).unwrap()
}

/// A step of a conversation.
fn described(step: &Value) -> Request {
    let step = &step["request"];
    // Ruby's library, which made the recordings, adds these.
    let mut headers = vec![("Accept", Some("*/*")), ("User-Agent", Some("Ruby"))];
    let basic;
    if let Some(credentials) = step["basic"].as_str() {
        basic = format!("Basic {}", base64(credentials.as_bytes()));
        headers.push(("Authorization", Some(basic.as_str())));
    }
    let body = match (step.get("json"), step["raw"].as_str()) {
        (Some(json), _) => {
            headers.push(("Content-Type", Some("application/json")));
            json.to_string()
        }
        (None, raw) => raw.unwrap_or_default().to_owned(),
    };
    for (name, value) in step["headers"].as_object().unwrap() {
        headers.retain(|(known, _)| known != name);
        headers.push((name, value.as_str()));
    }
    let headers: Vec<_> = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let text = |key: &str| step[key].as_str().unwrap();
    request(text("method"), text("path"), &headers, &body)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let byte = |at| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |at: usize| match at <= chunk.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let header = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
    header.map(|(_, value)| value.as_str())
}

async fn serve(registration: &Registration, request: &Request) -> Reply {
    let progress = Progress::default();
    registration
        .serve(request, &settings(), &progress)
        .await
        .unwrap()
}

/// What is passed on in the recordings, by conversation: everything else is answered here.
const PASSED_ON: &[&str] = &[
    "announce-form-encoded: another content type",
    "announce-malformed-json: a body that is not plain JSON",
    "service-xml-unknown: no such service",
    "activate-malformed-json: a body that is not plain JSON",
    "activate-parameters: another content type",
    "announce-empty-body: another content type",
    "announce-profiles-blank-identifier: a record that would be invalid",
    "authenticate-basic-malformed: strange credentials",
    "authenticate-refused-v3: another route",
    "authenticate-token-case: a record that would be invalid",
    "destroy-v3: another route",
    "installer-v3: another route",
    "service-head: another route",
    "service-id-spellings: another route",
    "service-zypper-unknown: no such service",
    "show-forwarded: a strange host",
    "show-spellings: another content type",
    "subscription-products-no-token: strange credentials",
    "subscription-products-token-spellings: strange credentials",
    "subscription-products-v3: another route",
    "synchronize-host-of-strange-characters: a strange host",
    "synchronize-no-list: no products",
    "synchronize-v3: another route",
    "update-form-encoded: another content type",
    "update-uptime-no-day: a record that would be invalid",
];

/// Answers and rows are what RMT's were. A conversation ends where Rails would go on with it.
async fn recorded_conversations(server: &Server) {
    let place = Place::new(server, "conversations").await;
    let registration = registration(server, &place.name);
    let catalog = catalog();
    let mut passed_on = Vec::new();
    let mut wrong = Vec::new();
    for conversation in conversations() {
        place.empty().await;
        for statement in &conversation.given {
            place.run(statement).await;
        }
        let given = conversation.given.concat();
        match converse(&registration, &place, &conversation).await {
            Ok(None) => {}
            Ok(Some(why)) => passed_on.push(format!("{}: {why}", conversation.name)),
            Err(differences) => wrong.push(format!("{}: {differences}", conversation.name)),
        }
        // What it adds to the catalog is taken back; a word too many costs a reload, no more.
        if [
            "products",
            "repositories",
            "services",
            "subscription",
            "product_",
        ]
        .iter()
        .any(|it| given.contains(it))
        {
            place.run(&catalog).await;
        }
    }
    assert_eq!(wrong.join("\n"), "");
    assert_eq!(passed_on, PASSED_ON);
}

/// Why it was passed on, if it was; what was wrong.
async fn converse(
    registration: &Registration,
    place: &Place<'_>,
    conversation: &Conversation,
) -> Result<Option<&'static str>, String> {
    let mut naming = conversation.naming(BASE);
    let mut variables = HashMap::new();
    for (step, expected) in conversation.steps.iter().zip(&conversation.answers) {
        let step = substituted(step, &variables);
        let answer = match serve(registration, &described(&step)).await {
            Reply::Pass(why) => return Ok(Some(why)),
            Reply::Answer(answer) => *answer,
        };
        save(&step, &answer, &mut variables);
        compare(&answer, expected, &mut naming)?;
    }
    // After a crash of RMT's the rows are what it left.
    if conversation.answers.iter().all(|it| it["status"] != 500) {
        compare_tables(place, conversation, &mut naming).await?;
    }
    Ok(None)
}

fn compare(answer: &Answer, expected: &Value, naming: &mut Naming) -> Result<(), String> {
    if expected["status"] == 500 {
        let crashed = answer.status >= 500;
        return if crashed {
            Err(format!("{answer:?}"))
        } else {
            Ok(())
        };
    }
    let mut headers = serde_json::Map::new();
    for name in [
        "content-type",
        "system-token",
        "x-system-profiles-action",
        "www-authenticate",
        "location",
        "cache-control",
    ] {
        if let Some(value) = header(answer, name) {
            headers.insert(name.to_owned(), naming.text(value).into());
        }
    }
    headers.insert("etag".to_owned(), header(answer, "etag").is_some().into());
    let got = json!({
        "status": answer.status,
        "headers": headers,
        "body": naming.body(&answer.body),
    });
    if got == *expected {
        return Ok(());
    }
    Err(format!(
        "\n  expected {expected}\n  answered {got}\n  log {:?}",
        answer.log
    ))
}

async fn compare_tables(
    place: &Place<'_>,
    conversation: &Conversation,
    naming: &mut Naming,
) -> Result<(), String> {
    const TABLES: &[(&str, &str)] = &[
        (
            "systems",
            "id login password hostname registered_at last_seen_at created_at updated_at \
             scc_registered_at scc_system_id system_token system_information instance_data \
             proxy_byos_mode pubcloud_reg_code",
        ),
        (
            "activations",
            "system_id service_id subscription_id created_at updated_at",
        ),
        ("profiles", "id profile_type identifier data last_synced_at"),
        ("system_profiles", "system_id profile_id"),
        ("system_uptimes", "system_id online_at_day online_at_hours"),
        ("deregistered_systems", "scc_system_id"),
    ];
    for (table, columns) in TABLES {
        let columns: Vec<_> = columns.split_whitespace().collect();
        let query = format!("SELECT {} FROM {table} ORDER BY id", columns.join(", "));
        let mut got = Vec::new();
        for row in place.rows(&query).await {
            let row = columns.iter().zip(row);
            let row = row.map(|(column, value)| naming.column(table, column, value));
            got.push(row.collect::<Vec<_>>());
        }
        let expected = conversation.tables[*table]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let value = |column: &&str| match &row[*column] {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                };
                columns.iter().map(value).collect::<Vec<_>>()
            });
        let expected: Vec<_> = expected.collect();
        if got != expected {
            return Err(format!(
                "{table}\n  expected {expected:?}\n  stored   {got:?}"
            ));
        }
    }
    Ok(())
}

fn substituted(value: &Value, variables: &HashMap<String, String>) -> Value {
    match value {
        Value::Object(object) => {
            let inner = object
                .iter()
                .map(|(key, it)| (key.clone(), substituted(it, variables)));
            Value::Object(inner.collect())
        }
        Value::Array(elements) => elements
            .iter()
            .map(|it| substituted(it, variables))
            .collect(),
        Value::String(text) => {
            let mut text = text.clone();
            for (name, value) in variables {
                text = text.replace(&format!("{{{{{name}}}}}"), value);
            }
            text.into()
        }
        other => other.clone(),
    }
}

fn save(step: &Value, answer: &Answer, variables: &mut HashMap<String, String>) {
    for (variable, source) in step["save"].as_object().into_iter().flatten() {
        let (place, key) = source.as_str().unwrap().split_once('.').unwrap();
        let value = if place == "header" {
            header(answer, key).unwrap_or_default().to_owned()
        } else {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            match &body[key] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }
        };
        variables.insert(variable.clone(), value);
    }
}
