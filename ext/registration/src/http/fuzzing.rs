//! What holds for any request; see [`crate::fuzzing`].

#![allow(clippy::expect_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::base_url::base_url;
use super::parameters::{self, DEEPEST, MOST_PAIRS};
use super::request::{PARTS, Part, Request};
use super::serve::Understood;
use super::{Settings, credentials};
use crate::fuzzing::assert_is_written_safely;
use crate::json::{NUMBER_KEY, respell};

const OPERATIONS: &[(&str, &str)] = &[
    ("POST", "/connect/subscriptions/systems"),
    ("PUT", "/connect/systems"),
    ("DELETE", "/connect/systems"),
    ("GET", "/connect/systems/products"),
    ("POST", "/connect/systems/products"),
    ("PUT", "/connect/systems/products"),
    ("DELETE", "/connect/systems/products"),
    ("POST", "/connect/systems/products/synchronize"),
    ("GET", "/connect/systems/activations"),
    ("GET", "/connect/repositories/installer"),
    ("GET", "/connect/subscriptions/products"),
    ("GET", "/api/health/status"),
    ("GET", "/services/7"),
    ("GET", "/services/7/repo/repoindex.xml"),
];

fn request(parts: &[(Part, &[u8])], body: &[u8]) -> Request {
    let mut all = vec![None; PARTS.len()];
    let length = body.len().to_string();
    let usual: [(Part, &[u8]); 6] = [
        (Part::Method, b"POST"),
        (Part::Path, b"/connect/subscriptions/systems"),
        (Part::Host, b"rmt.example.com"),
        (Part::Scheme, b"http"),
        (Part::ContentType, b"application/json"),
        (Part::ContentLength, length.as_bytes()),
    ];
    for (part, value) in usual.iter().chain(parts) {
        all[*part as usize] = Some(value.to_vec());
    }
    Request::new(all, body.to_vec()).expect("all parts are there")
}

/// A JSON body.
pub(crate) fn body(input: &[u8]) {
    let request = request(&[], input);
    let read = parameters::of(&request);
    assert_eq!(read, parameters::of(&request));
    let Ok(parameters) = read else {
        return;
    };
    if input.is_empty() {
        return assert!(parameters.is_empty());
    }
    let text = std::str::from_utf8(input).expect("only UTF-8 is understood");
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok());
    assert!(!strings(text).any(|it| it == NUMBER_KEY));
    let value = Value::Object(parameters);
    assert_is_plain(&value, 0);
    assert_is_written_safely(&value);
    let mut again = value.clone();
    respell(&mut again);
    assert_eq!(again, value);
}

/// The texts in JSON, keys as well.
fn strings(json: &str) -> impl Iterator<Item = String> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let begin = rest.find('"')?;
        let mut escaped = false;
        let end = rest[begin + 1..].find(|it| {
            let ends = it == '"' && !escaped;
            escaped = it == '\\' && !escaped;
            ends
        })?;
        let (token, after) = rest[begin..].split_at(end + 2);
        rest = after;
        serde_json::from_str(token).ok()
    })
}

fn assert_is_plain(value: &Value, depth: usize) {
    assert!(depth <= DEEPEST);
    match value {
        Value::Array(elements) => {
            for element in elements {
                assert!(!element.is_null());
                assert_is_plain(element, depth + 1);
            }
        }
        Value::Object(object) => {
            for value in object.values() {
                assert_is_plain(value, depth + 1);
            }
        }
        _ => {}
    }
}

/// A query string, before a body that says otherwise.
pub(crate) fn query(input: &[u8]) {
    let asked = |query: &[u8], body: &[u8]| parameters::of(&request(&[(Part::Query, query)], body));
    let read = asked(input, b"");
    assert_eq!(read, asked(input, b""));
    let Ok(parameters) = read else {
        return;
    };
    assert!(parameters.len() <= MOST_PAIRS);
    assert!(input.is_ascii());
    assert_is_written_safely(&Value::Object(parameters.clone()));
    let name = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
    assert!(
        parameters
            .keys()
            .all(|key| !key.is_empty() && key.bytes().all(name))
    );
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(key, value)| written(key, value))
        .collect();
    assert_eq!(
        asked(pairs.join("&").as_bytes(), b"").as_ref(),
        Ok(&parameters)
    );
    // The query wins.
    let others: Map<_, _> = parameters
        .keys()
        .map(|key| (key.clone(), Value::Bool(true)))
        .collect();
    let others = Value::Object(others).to_string();
    let both = asked(input, others.as_bytes()).expect("nothing is strange about either");
    assert!(
        parameters
            .iter()
            .all(|(key, value)| both.get(key) == Some(value))
    );
}

fn written(key: &str, value: &Value) -> String {
    match value.as_str() {
        None => key.to_owned(),
        Some(text) => {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!("{key}={escaped}")
        }
    }
}

/// Lines of `KEY=value`, which end with CR and LF, and after an empty one the body.
pub(crate) fn headers(input: &[u8]) {
    let parts = parse(input);
    let parts: Vec<(Part, &[u8])> = parts.iter().map(|(part, value)| (*part, *value)).collect();
    let request = request(&parts, b"");
    if let Ok(base) = base_url(&request) {
        let shown = base.to_string();
        let (scheme, host) = shown.split_once("://").expect("a URL has a scheme");
        assert!(matches!(scheme, "http" | "https"));
        let harmless = |it: u8| it.is_ascii_alphanumeric() || b".-:".contains(&it);
        assert!(host.bytes().all(harmless), "{shown}");
        // Nobody's host but that which was sent.
        let sent = [Part::ForwardedHost, Part::Host];
        let sent = sent.into_iter().find_map(|part| request.bytes(part));
        let name = host.split(':').next().unwrap_or_default();
        assert!(!name.is_empty() && sent.is_some_and(|it| it.starts_with(name.as_bytes())));
        assert_eq!(base_url(&request), Ok(base));
    }
    let header = request.bytes(Part::Authorization).unwrap_or_default();
    if let Ok(Some((login, password))) = credentials::basic(&request) {
        assert!(!login.contains(':'));
        let encoded = STANDARD.encode(format!("{login}:{password}"));
        assert!(header.ends_with(encoded.as_bytes()));
    }
    if let Ok(Some(code)) = credentials::token(&request) {
        assert!(!code.is_empty() && code.bytes().all(|it| it.is_ascii_graphic()));
        assert!(header.windows(code.len()).any(|it| it == code.as_bytes()));
    }
    for (method, path) in OPERATIONS {
        understood(method, path, &parts);
    }
}

fn parse(input: &[u8]) -> Vec<(Part, &[u8])> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
        let (line, after) = rest.split_at(end);
        rest = &after[2..];
        let Some(equals) = line.iter().position(|it| *it == b'=') else {
            continue;
        };
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        if let Some(part) = Part::ALL
            .iter()
            .find(|it| PARTS[**it as usize].as_bytes() == key)
        {
            parts.push((*part, value));
        }
    }
    parts
}

/// An `Accept`, at each operation.
pub(crate) fn accept(input: &[u8]) {
    let accepts = |version: &str| {
        input
            .windows(version.len())
            .any(|it| it == version.as_bytes())
    };
    let version_3 = accepts("application/vnd.scc.suse.com.v3+json");
    let version_4 = accepts("application/vnd.scc.suse.com.v4+json");
    for (method, path) in OPERATIONS {
        let Some(understood) = understood(method, path, &[(Part::Accept, input)]) else {
            continue;
        };
        if path.starts_with("/connect/") {
            assert!(!(version_3 && version_4));
            assert_eq!(understood.controller().contains("::V3::"), version_3);
            assert_eq!(understood.format(), "JSON");
        } else {
            assert!(matches!(
                understood.format(),
                "XML" | "HTML" | "JSON" | "*/*"
            ));
        }
    }
}

/// A request is understood the same way each time.
fn understood(method: &str, path: &str, parts: &[(Part, &[u8])]) -> Option<Understood> {
    let usual = [
        (Part::Method, method.as_bytes()),
        (Part::Path, path.as_bytes()),
    ];
    let request = request(&[&usual, parts].concat(), b"");
    let understood = Understood::of(request.clone(), &Settings::all());
    let again = Understood::of(request, &Settings::all());
    match (understood, again) {
        (Ok(understood), Ok(again)) => {
            assert_eq!(understood.operation(), again.operation());
            assert_eq!(understood.controller(), again.controller());
            assert_eq!(understood.action(), again.action());
            assert_eq!(understood.format(), again.format());
            assert_eq!(understood.id(), again.id());
            Some(understood)
        }
        (Err(why), Err(again)) => {
            assert_eq!(why, again);
            None
        }
        _ => unreachable!("understood once, and once not"),
    }
}
