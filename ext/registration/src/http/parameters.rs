//! A request's parameters, as Rails reads them from query string and body, and hands them to an
//! action: those of the query win.

use serde_json::{Map, Value};

use super::Pass;
use super::request::{Part, Request};
use crate::json::{has_number_key, respell};

/// Ruby's JSON reads no deeper.
pub(super) const DEEPEST: usize = 100;

/// Ruby reads the digits of a float into a buffer of this order; beyond it rounds otherwise.
const LONGEST_FLOAT: usize = 40;

/// No client sends a tenth of it.
pub(super) const MOST_PAIRS: usize = 100;

/// The parameters of query string and body.
pub(super) fn of(request: &Request) -> Result<Map<String, Value>, Pass> {
    let mut parameters = body(request)?;
    let query = request.plain(Part::Query)?.unwrap_or_default();
    for (key, value) in pairs(query)? {
        parameters.insert(key, value);
    }
    Ok(parameters)
}

/// Those of `parameters` that have one of these `names`, as an operation reads them. They are taken out.
pub(super) fn selected(parameters: &mut Map<String, Value>, names: &[&str]) -> Vec<u8> {
    taken(parameters, names, |value| value)
}

/// The same, but for lists of products: what can be text is text, and what cannot is an empty array.
/// That it is there is all that matters of it.
pub(super) fn scalars(parameters: &mut Map<String, Value>, names: &[&str]) -> Vec<u8> {
    taken(parameters, names, |value| match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(_) | Value::Object(_) => Value::Array(Vec::new()),
        scalar => scalar,
    })
}

fn taken(
    parameters: &mut Map<String, Value>,
    names: &[&str],
    read: impl Fn(Value) -> Value,
) -> Vec<u8> {
    let mut pair = |name: &str| {
        let (key, value) = parameters.swap_remove_entry(name)?;
        Some((key, read(value)))
    };
    let chosen: Map<_, _> = names.iter().filter_map(|name| pair(name)).collect();
    Value::Object(chosen).to_string().into_bytes()
}

/// What is no object has no names by which an action could ask for it.
fn body(request: &Request) -> Result<Map<String, Value>, Pass> {
    let body = request.body();
    if request.has(Part::TransferEncoding) {
        return Err(Pass("a body in an encoding of its own"));
    }
    match request.plain(Part::ContentLength)? {
        None | Some("0") if body.is_empty() => {}
        Some(length) if length == body.len().to_string() => {}
        _ => return Err(Pass("a body of another length")),
    }
    let json = match request.plain(Part::ContentType)? {
        Some(content_type) if is_json(content_type) => true,
        // An empty form: some clients send the type with everything.
        Some("application/x-www-form-urlencoded") if body.is_empty() => false,
        // Without a type, what is posted is a form to Rack, and else nothing.
        None if body.is_empty() || request.bytes(Part::Method) != Some(b"POST") => false,
        _ => return Err(Pass("another content type")),
    };
    if !json || body.is_empty() {
        return Ok(Map::new());
    }
    let not_plain = || Pass("a body that is not plain JSON");
    let text = std::str::from_utf8(body).map_err(|_| not_plain())?;
    if has_number_key(text) {
        return Err(Pass("a key that looks like a number"));
    }
    let mut value = serde_json::from_str(text).map_err(|_| not_plain())?;
    normalize(&mut value, 0)?;
    match value {
        Value::Object(parameters) => Ok(parameters),
        _ => Ok(Map::new()),
    }
}

/// As clients write it. Rails knows more names.
fn is_json(content_type: &str) -> bool {
    let (kind, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = rest.trim_start_matches(' ');
    kind.eq_ignore_ascii_case("application/json")
        && (rest.is_empty() || charset.eq_ignore_ascii_case("charset=utf-8"))
}

/// What Ruby makes of parsed JSON: numbers as it spells them, and no null in arrays.
fn normalize(value: &mut Value, depth: usize) -> Result<(), Pass> {
    if depth >= DEEPEST && (value.is_array() || value.is_object()) {
        return Err(Pass("a body that is nested too deep"));
    }
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let whole = !text.contains(['.', 'e', 'E']);
            let float = || text.len() <= LONGEST_FLOAT && text.parse().is_ok_and(is_unmistakable);
            if !whole && !float() {
                return Err(Pass("a number that Ruby rounds"));
            }
            respell(value);
        }
        Value::Array(elements) => {
            elements.retain(|it| !it.is_null());
            for element in elements {
                normalize(element, depth + 1)?;
            }
        }
        Value::Object(object) => {
            for value in object.values_mut() {
                normalize(value, depth + 1)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

/// Whether there is but one way to write `float` with the fewest digits. With more than fifteen there may be
/// two, and Ruby takes another one than Rust.
fn is_unmistakable(float: f64) -> bool {
    const DIGITS: usize = f64::DIGITS as usize;
    let scientific = format!("{float:e}");
    let mantissa = scientific.split('e').next().unwrap_or_default();
    float.is_finite() && mantissa.bytes().filter(u8::is_ascii_digit).count() <= DIGITS
}

/// The pairs of a query string without anything that Rack makes arrays or objects of.
fn pairs(query: &str) -> Result<Vec<(String, Value)>, Pass> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let strange = || Pass("a strange query");
    let pairs: Vec<_> = query.split('&').take(MOST_PAIRS + 1).collect();
    if pairs.len() > MOST_PAIRS {
        return Err(strange());
    }
    let pair = |pair: &str| {
        let (key, value) = match pair.split_once('=') {
            Some((key, value)) => (key, Value::String(unescape(value)?)),
            None => (pair, Value::Null),
        };
        let name = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
        (!key.is_empty() && key.bytes().all(name)).then(|| (key.to_owned(), value))
    };
    let pairs: Option<Vec<_>> = pairs.into_iter().map(pair).collect();
    pairs.ok_or_else(strange)
}

/// `URI.decode_www_form_component`, where it succeeds. Rack also takes `;` for an end.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b';' | b' ' => return None,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const JSON: (Part, &str) = (Part::ContentType, "application/json");

    fn sent(parts: &[(Part, &str)], body: &[u8]) -> Option<Value> {
        let post = [(Part::Method, "POST")];
        let parts = [&post, parts].concat();
        of(&Request::with(&parts, body)).ok().map(Value::Object)
    }

    fn read(body: &str) -> Option<String> {
        sent(&[JSON], body.as_bytes()).map(|it| it.to_string())
    }

    fn asked(query: &str) -> Option<Value> {
        sent(&[(Part::Query, query)], b"")
    }

    #[derive(serde::Deserialize)]
    struct Case {
        why: String,
        query: Option<String>,
        content_type: Option<String>,
        body: Option<String>,
        parameters: Option<Value>,
    }

    /// Held against Rails too, by the examples of the door.
    #[test]
    fn the_cases_that_rails_is_held_against() {
        let cases = include_str!("../../../../spec/rmt_rs/http_cases.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        for case in cases {
            let mut parts = Vec::new();
            if let Some(query) = &case.query {
                parts.push((Part::Query, query.as_str()));
            }
            if let Some(content_type) = &case.content_type {
                parts.push((Part::ContentType, content_type));
            }
            let body = case.body.unwrap_or_default();
            let read = sent(&parts, body.as_bytes()).map(|it| it.to_string());
            let expected = case.parameters.map(|it| it.to_string());
            assert_eq!(read, expected, "{}", case.why);
        }
    }

    #[test]
    fn content_types_are_known_exactly() {
        let read = |content_type| sent(&[(Part::ContentType, content_type)], br#"{"a":1}"#);
        for known in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
        ] {
            assert_eq!(read(known), Some(json!({"a": 1})), "{known}");
        }
        for strange in [
            "",
            "application/json ",
            "application/json; charset=latin1",
            "application/json, text/html",
            "text/x-json",
            "application/vnd.api+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }

    #[test]
    fn without_a_type_only_what_is_no_post_is_certain() {
        let of = |method, body: &[u8]| of(&Request::with(&[(Part::Method, method)], body)).ok();
        assert_eq!(of("POST", b""), Some(Map::new()));
        assert_eq!(of("POST", br#"{"a":1}"#), None);
        assert_eq!(of("PUT", br#"{"a":1}"#), Some(Map::new()));
        assert_eq!(of("GET", b"{"), Some(Map::new()));
    }

    #[test]
    fn lengths_have_to_agree() {
        let length = |length, body: &[u8]| {
            let parts = [JSON, (Part::ContentLength, length)];
            of(&Request::claiming(&parts, body)).is_ok()
        };
        assert!(length("2", b"{}"));
        assert!(length("0", b""));
        for (claimed, body) in [
            ("1", b"{}".as_slice()),
            ("3", b"{}"),
            ("02", b"{}"),
            ("", b"{}"),
            ("2", b""),
        ] {
            assert!(!length(claimed, body), "{claimed}");
        }
        assert!(of(&Request::claiming(&[JSON], b"{}")).is_err());
        let chunked = Request::with(&[JSON, (Part::TransferEncoding, "chunked")], b"{}");
        assert!(of(&chunked).is_err());
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let filled = |depth| nested(depth).replace(":}", ":1}");
        assert!(read(&filled(100)).is_some());
        assert!(read(&filled(101)).is_none());
        let array = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(read(&array(99)).is_some());
        assert!(read(&array(100)).is_none());
    }

    #[test]
    fn only_what_is_not_utf8_or_no_json_is_passed_on() {
        assert_eq!(sent(&[JSON], b"{\"a\":\"\xff\"}"), None);
        assert_eq!(sent(&[JSON], b"{\"\xff\":1}"), None);
        assert_eq!(read("\u{feff}{}"), None);
        assert_eq!(
            read(r#"{"a":"é\u0000"}"#).as_deref(),
            Some(r#"{"a":"é\u0000"}"#)
        );
    }

    #[test]
    fn an_operation_gets_what_it_asks_for() {
        let sent = json!({"b": {"x": [1]}, "a": 1.0, "c": null, "d": true, "e": [2], "f": "x"});
        let parameters = || sent.as_object().unwrap().clone();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(selected(&mut parameters(), &["a", "b", "z"])),
            r#"{"a":1.0,"b":{"x":[1]}}"#
        );
        assert_eq!(
            text(scalars(&mut parameters(), &["a", "b", "c", "d", "e", "f"])),
            r#"{"a":"1.0","b":[],"c":null,"d":true,"e":[],"f":"x"}"#
        );
    }

    #[test]
    fn queries_are_plain_or_passed_on() {
        assert_eq!(asked(""), Some(json!({})));
        assert_eq!(
            asked("a=1&b=x+y%20z&c&d=&a=%c3%A9"),
            Some(json!({"a": "é", "b": "x y z", "c": null, "d": ""}))
        );
        assert_eq!(asked("a=b=c"), Some(json!({"a": "b=c"})));
        for strange in [
            "a[]=1",
            "a[b]=1",
            "a%5B%5D=1",
            "=1",
            "&",
            "a=1&",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%ff",
            "a=1;b=2",
            "a=é",
            "a =1",
            "a=1 ",
            "a.b=1",
        ] {
            assert_eq!(asked(strange), None, "{strange}");
        }
        let many = vec!["a=1"; 101].join("&");
        assert_eq!(asked(&many), None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|it| json!(it)),
            any::<f64>()
                .prop_filter("finite", |it| it.is_finite())
                .prop_map(|it| json!(it)),
            ".*".prop_map(Value::String),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((".*", inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn has_null_in_array(value: &Value) -> bool {
        match value {
            Value::Array(elements) => elements
                .iter()
                .any(|it| it.is_null() || has_null_in_array(it)),
            Value::Object(object) => object.values().any(has_null_in_array),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parameters_or_passed_on(body: Vec<u8>, query in "[ -~]*") {
            let parts = [JSON, (Part::Query, query.as_str())];
            if let Some(parameters) = sent(&parts, &body) {
                let again = parameters.to_string();
                let parsed: Value = serde_json::from_str(&again).unwrap();
                prop_assert_eq!(parsed, parameters);
            }
        }

        #[test]
        fn json_keeps_its_keys_and_loses_nulls_in_arrays(body in any_json()) {
            let text = body.to_string();
            if let Some(read) = sent(&[JSON], text.as_bytes()) {
                prop_assert!(!has_null_in_array(&read));
                let keys = |value: &Value| {
                    let object = value.as_object();
                    object.map(|it| it.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
                };
                prop_assert_eq!(keys(&read), keys(&body));
            }
        }

        #[test]
        fn what_is_escaped_is_read_back(value in "\\PC*") {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(asked(&format!("a={escaped}")), Some(json!({"a": value})));
        }
    }
}
