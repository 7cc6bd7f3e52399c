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
use common::place::{Place, SUSECONNECT};
use common::server::Server;
use common::{config, registration};
use registration::http::{Answer, PARTS, Reply, Request, Settings, Understood};
use registration::{Error, Failure, Progress, Registration, Written};
use serde_json::{Value, json};

const BASE: &str = "http://127.0.0.1:4224";

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_against_a_database() {
    let server = Arc::new(Server::start("http").await);

    recorded_conversations(&server).await;
    a_registration_from_beginning_to_end(&server).await;
    who_has_the_answer_is_told_so(&server).await;
    a_refused_request_is_noted_and_logged(&server).await;
    what_is_passed_on_can_be_done_again(&server).await;
    tokens_can_be_disabled(&server).await;
    without_a_database_to_write_to(&server).await;
    what_was_abandoned_is_not_written(&server).await;
}

fn settings() -> Settings {
    serde_json::from_value(json!({
        "operations": [
            "announce", "update", "deregister", "activate", "show", "upgrade", "destroy", "synchronize",
            "activations", "service", "installer", "subscription_products", "health",
        ],
        "appearance": {
            "free_as_stored": false,
            "plugin_urls": false,
            "credentials_in_repoindex": false,
            "redirect_hosts": [],
        },
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

const LOGIN: &str = "U0NDX2E6cA==";

/// A request of a client of today, with the credentials of the system in [`Place::system`].
struct Asking<'a> {
    registration: &'a Registration,
    headers: Vec<(String, String)>,
    settings: Settings,
}

impl<'a> Asking<'a> {
    fn new(registration: &'a Registration) -> Self {
        let asking = Self {
            registration,
            headers: Vec::new(),
            settings: settings(),
        };
        asking
            .with(
                "Accept",
                "application/json,application/vnd.scc.suse.com.v4+json",
            )
            .with("User-Agent", SUSECONNECT)
            .with("Content-Type", "application/json")
            .with("Authorization", &format!("Basic {LOGIN}"))
            .with("System-Token", "")
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    async fn reply(&self, method: &str, path: &str, body: Value) -> Result<Reply, Failure> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request(method, path, &self.headers, &body);
        carry_out(
            self.registration,
            request,
            &self.settings,
            &Progress::default(),
        )
        .await
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        match self.reply(method, path, body).await.unwrap() {
            Reply::Answer(answer) => *answer,
            Reply::Pass(why) => panic!("{why}"),
        }
    }

    async fn passed_on(&self, method: &str, path: &str, body: Value) -> &'static str {
        match self.reply(method, path, body).await.unwrap() {
            Reply::Answer(answer) => panic!("{answer:?}"),
            Reply::Pass(why) => why,
        }
    }
}

fn lines(answer: &Answer) -> Vec<&str> {
    answer.log.iter().map(|it| it.text.as_str()).collect()
}

fn sles() -> Value {
    json!({"identifier": "SLES", "version": "15.6", "arch": "x86_64"})
}

const PRODUCTS: &str = "/connect/systems/products";

#[test]
fn rails_names_what_is_asked_for() {
    let asked = |method, path: &str, accept: &str| {
        let headers = [("Accept".to_owned(), accept.to_owned())];
        let understood = Understood::of(request(method, path, &headers, ""), &settings()).unwrap();
        let place = format!("{}#{}", understood.controller(), understood.action());
        (
            understood.operation(),
            place,
            understood.format(),
            understood.id(),
        )
    };
    let v4 = asked("POST", "/connect/subscriptions/systems", "*/*");
    let place = "Api::Connect::V4::Subscriptions::SystemsController#announce_system".to_owned();
    assert_eq!(v4, ("announce", place, "JSON", None));
    let v3 = asked(
        "PUT",
        "/connect/systems",
        "application/vnd.scc.suse.com.v3+json",
    );
    let place = "Api::Connect::V3::Systems::SystemsController#update".to_owned();
    assert_eq!(v3, ("update", place, "JSON", None));
    let service = asked("GET", "/services/7", "*/*");
    let place = "ServicesController#show".to_owned();
    assert_eq!(service, ("service", place, "*/*", Some(7)));
}

/// What the log and the counters are told, too.
async fn a_registration_from_beginning_to_end(server: &Server) {
    let place = Place::new(server, "registration").await;
    let registration = registration(server, &place.name);
    let asking = Asking::new(&registration);

    let body = json!({"hostname": "web01", "hwinfo": {"cpus": 2}});
    let announced = asking
        .ask("POST", "/connect/subscriptions/systems", body)
        .await;
    assert_eq!(announced.status, 201);
    assert_eq!(lines(&announced), ["System 'web01' announced"]);
    assert_eq!(announced.counts, [("announce", "rust")]);
    assert_eq!(header(&announced, "System-Token"), None);
    let system: Value = serde_json::from_str(&announced.body).unwrap();
    let text = |key: &str| system[key].as_str().unwrap();
    let login = text("login");
    let basic = base64(format!("{login}:{}", text("password")).as_bytes());
    let asking = asking.with("Authorization", &format!("bASIC {basic}"));

    let activated = asking.ask("POST", PRODUCTS, sles()).await;
    assert_eq!(activated.status, 201);
    assert_eq!(
        activated.counts,
        [("authenticate", "rust"), ("activate", "rust")]
    );
    let line = format!(r#"System with login \"{login}\" authenticated with token \"\""#);
    assert_eq!(lines(&activated), [line.as_str()]);
    let token = header(&activated, "System-Token").unwrap();
    assert_eq!(place.read("SELECT system_token FROM systems").await, token);
    let asking = asking.with("System-Token", token);

    let shown = asking.ask("GET", PRODUCTS, sles()).await;
    assert_eq!(header(&shown, "System-Token"), Some(token));
    assert!(
        shown
            .body
            .starts_with(r#"{"id":1,"name":"SUSE Linux Enterprise Server""#)
    );
    let query = format!("{PRODUCTS}?identifier=SLES&version=15.6&arch=x86_64");
    assert_eq!(
        asking.ask("GET", &query, Value::Null).await.body,
        shown.body
    );

    let kept = asking
        .ask("PUT", "/connect/systems", json!({"hostname": "web02"}))
        .await;
    assert_eq!((kept.status, kept.body.as_str()), (204, ""));
    assert_eq!(header(&kept, "Content-Type"), None);
    assert_ne!(header(&kept, "System-Token"), Some(token));
    assert_eq!(
        lines(&kept)[1],
        "Updated system information for host 'web02'"
    );

    let zypper = Asking::new(&registration)
        .with("User-Agent", "ZYpp 17")
        .with("Accept", "*/*");
    let zypper = Asking {
        headers: (zypper.headers.into_iter())
            .filter(|(name, _)| name != "System-Token" && name != "Authorization")
            .collect(),
        ..zypper
    };
    let service = "/services/1/repo/repoindex.xml?credentials=SLES";
    let denied = zypper.ask("GET", service, Value::Null).await;
    assert_eq!(
        (denied.status, denied.body.as_str()),
        (401, "HTTP Basic: Access denied.\n")
    );
    assert_eq!(
        header(&denied, "WWW-Authenticate"),
        Some("Basic realm=\"RMT API\"")
    );
    assert_eq!(header(&denied, "Vary"), None);
    assert_eq!((denied.halted, denied.counts.len()), (Some("block"), 0));
    let zypper = zypper.with("Authorization", &format!("Basic {basic}"));
    let listed = zypper.ask("GET", service, Value::Null).await;
    assert_eq!(listed.status, 200);
    assert_eq!(header(&listed, "Vary"), Some("Accept"));
    let line = format!(r#"System with login \"{login}\" authenticated without token header"#);
    assert_eq!(lines(&listed), [line.as_str()]);

    let asking = asking.with("System-Token", header(&kept, "System-Token").unwrap());
    let left = asking.ask("DELETE", "/connect/systems", Value::Null).await;
    assert_eq!(left.status, 204);
    assert_eq!(place.read("SELECT COUNT(*) FROM systems").await, "0");
}

async fn who_has_the_answer_is_told_so(server: &Server) {
    let place = Place::new(server, "conditional").await;
    let registration = registration(server, &place.name);
    place.system("").await;
    let asking = Asking::new(&registration);
    let all = "/connect/systems/activations";
    let first = asking.ask("GET", all, Value::Null).await;
    assert_eq!((first.status, first.body.as_str()), (200, "[]"));
    let tag = header(&first, "ETag").unwrap();
    let asking = asking.with("If-None-Match", tag);
    let second = asking.ask("GET", all, Value::Null).await;
    assert_eq!(
        (second.status, second.logged_status, second.body.as_str()),
        (304, 200, "")
    );
    assert_eq!(header(&second, "ETag"), Some(tag));
    assert_eq!(header(&second, "Content-Type"), None);
    assert_eq!(header(&second, "System-Token"), Some(""));
}

/// The system was seen, whatever becomes of what it asks for.
async fn a_refused_request_is_noted_and_logged(server: &Server) {
    let place = Place::new(server, "refused").await;
    let registration = registration(server, &place.name);
    let unseen = "SELECT COUNT(*) FROM systems WHERE last_seen_at = '2026-01-01'";
    for (method, path, body, message) in [
        (
            "DELETE",
            PRODUCTS,
            sles(),
            "The product \"SUSE Linux Enterprise Server\" is a base product and cannot be deactivated",
        ),
        (
            "POST",
            PRODUCTS,
            json!({"identifier": "SLES"}),
            "Required parameters are missing or empty: version, arch",
        ),
        (
            "POST",
            "/connect/systems/products/synchronize",
            json!({"products": ["x"]}),
            "products must be an array of products",
        ),
        (
            "GET",
            PRODUCTS,
            sles(),
            "The requested product 'SUSE Linux Enterprise Server 15 SP6 x86_64' is not activated on \
             this system.",
        ),
        (
            "PUT",
            "/connect/systems",
            json!({"hostname": "a".repeat(256)}),
            "hostname is too long",
        ),
    ] {
        place.system("system_token = 't'").await;
        let asking = Asking::new(&registration).with("System-Token", "t");
        let refused = asking.ask(method, path, body).await;
        assert_eq!(refused.status, 422, "{message}");
        let body: Value = serde_json::from_str(&refused.body).unwrap();
        let expected = json!({"type": "error", "error": message, "localized_error": message});
        assert_eq!(body, expected);
        assert_eq!(header(&refused, "System-Token"), Some("t"));
        assert_eq!(header(&refused, "Cache-Control"), Some("no-cache"));
        let operation = refused.counts[1].0;
        assert_eq!(
            refused.counts,
            [("authenticate", "rust"), (operation, "refused")]
        );
        let line = format!("rmt_rs: {operation} refused: {message}");
        assert_eq!(lines(&refused)[1..], [line]);
        assert_eq!(place.read(unseen).await, "0", "{message}");
        assert_eq!(place.read("SELECT system_token FROM systems").await, "t");
    }
    place.system("").await;
    let stranger = Asking::new(&registration).with("Authorization", "Basic YTpi");
    let refused = stranger.ask("GET", PRODUCTS, sles()).await;
    assert_eq!((refused.status, refused.halted), (401, None));
    let line = "rmt_rs: authenticate refused: Invalid system credentials";
    assert_eq!(lines(&refused), [line]);
    assert_eq!(refused.counts, [("authenticate", "refused")]);
}

/// Rails begins anew: it finds the copy of the system, and nothing else was written.
async fn what_is_passed_on_can_be_done_again(server: &Server) {
    let place = Place::new(server, "passed").await;
    let registration = registration(server, &place.name);
    place.system("system_token = 't'").await;
    let before = place.systems().await;
    let asking = Asking::new(&registration).with("System-Token", "t");
    let strange = json!({"hostname": ["a"]});
    let why = asking
        .passed_on("PUT", "/connect/systems", strange.clone())
        .await;
    assert_eq!(why, "parameters that only Rails understands");
    assert_eq!(place.systems().await, before);

    let asking = asking.with("System-Token", "u");
    for _ in 0..2 {
        asking
            .passed_on("PUT", "/connect/systems", strange.clone())
            .await;
        assert_eq!(place.read("SELECT system_token FROM systems").await, "t\nu");
    }
    asking
        .passed_on("POST", "/connect/subscriptions/systems", strange)
        .await;
    assert_eq!(place.read("SELECT COUNT(*) FROM systems").await, "2");

    let mut nothing = Asking::new(&registration);
    nothing.settings.operations.remove("show");
    let why = nothing.passed_on("GET", PRODUCTS, sles()).await;
    assert_eq!(why, "an operation that is left to Ruby");
    let foreign = Asking::new(&registration).with("Host", "a_b");
    assert_eq!(
        foreign.passed_on("POST", PRODUCTS, sles()).await,
        "a strange host"
    );
    assert_eq!(place.read("SELECT COUNT(*) FROM activations").await, "0");
}

async fn tokens_can_be_disabled(server: &Server) {
    let place = Place::new(server, "disabled").await;
    let registration = registration(server, &place.name);
    place.system("system_token = 't'").await;
    let mut asking = Asking::new(&registration).with("System-Token", "t");
    asking.settings.tokens_enabled = false;
    let activated = asking.ask("POST", PRODUCTS, sles()).await;
    assert_eq!(activated.status, 201);
    assert_eq!(header(&activated, "System-Token"), None);
    assert_eq!(place.read("SELECT system_token FROM systems").await, "t");
}

/// What Ruby could not do either is answered; where it might have more luck it is to try.
async fn without_a_database_to_write_to(server: &Server) {
    let place = Place::new(server, "unavailable").await;
    let registration = registration(server, &place.name);
    place.system("system_token = 't'").await;
    place.run("SET GLOBAL read_only = 1").await;
    let asking = Asking::new(&registration).with("System-Token", "t");
    let announce = asking
        .ask(
            "POST",
            "/connect/subscriptions/systems",
            json!({"hostname": "a"}),
        )
        .await;
    let activate = asking.ask("POST", PRODUCTS, sles()).await;
    place.run("SET GLOBAL read_only = 0").await;
    let message = "The database is not available at the moment. Please try again later.";
    for (answer, operation) in [(announce, "announce"), (activate, "activate")] {
        assert_eq!(answer.status, 503);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            body,
            json!({"type": "error", "error": message, "localized_error": message})
        );
        assert_eq!(answer.counts.last(), Some(&(operation, "unavailable")));
        let line = lines(&answer).pop().unwrap().to_owned();
        assert!(
            line.starts_with(&format!("rmt_rs: {operation} failed: ")),
            "{line}"
        );
    }

    let mut config = config(server, &place.name);
    config.database = "rmt_nowhere".to_owned();
    let nowhere = Registration::new(&config).unwrap();
    let asking = Asking::new(&nowhere);
    let failure = asking.reply("GET", PRODUCTS, sles()).await.unwrap_err();
    assert!(matches!(failure.error, Error::Refused(_)), "{failure}");
    assert_eq!(failure.written, Written::No);
    // These need no database.
    assert_eq!(
        asking
            .ask("GET", "/api/health/status", Value::Null)
            .await
            .status,
        200
    );
    let probe = asking
        .ask("GET", "/connect/repositories/installer", Value::Null)
        .await;
    assert_eq!(probe.status, 422);
}

async fn what_was_abandoned_is_not_written(server: &Server) {
    let place = Place::new(server, "abandoned").await;
    let registration = registration(server, &place.name);
    let asking = Asking::new(&registration);
    let path = "/connect/subscriptions/systems";
    let request = request("POST", path, &asking.headers, r#"{"hostname":"a"}"#);
    let progress = Progress::default();
    progress.abandon();
    let served = carry_out(&registration, request, &asking.settings, &progress).await;
    assert!(matches!(served.unwrap_err().error, Error::Abandoned));
    assert_eq!(place.read("SELECT COUNT(*) FROM systems").await, "0");
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let header = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
    header.map(|(_, value)| value.as_str())
}

async fn carry_out(
    registration: &Registration,
    request: Request,
    settings: &Settings,
    progress: &Progress,
) -> Result<Reply, Failure> {
    match Understood::of(request, settings) {
        Ok(understood) => registration.serve(understood, settings, progress).await,
        Err(why) => Ok(Reply::Pass(why)),
    }
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

/// The tables of the catalog.
const CATALOG: &[&str] = &[
    "subscription_product_classes",
    "subscriptions",
    "repositories_services",
    "repositories",
    "product_predecessors",
    "products_extensions",
    "services",
    "products",
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
        let mut words = given.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        if words.any(|it| CATALOG.contains(&it)) {
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
        let progress = Progress::default();
        let reply = carry_out(registration, described(&step), &settings(), &progress).await;
        let answer = match reply.map_err(|it| it.to_string())? {
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
