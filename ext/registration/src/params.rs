//! Rails' rules for request parameters, on parameters that Rails (or something that does as Rails
//! does) has parsed.

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::error::{Error, Failure};
use crate::json::has_number_key;

/// Parses the parameters a door hands over: a JSON object.
///
/// # Errors
/// [`Error::Declined`] when the text is no JSON object, or has a key that serde_json keeps for itself.
pub fn parse(text: &[u8]) -> Result<Map<String, Value>, Failure> {
    let declined = |what| Err(Failure::unwritten(Error::Declined(what)));
    if std::str::from_utf8(text).is_ok_and(has_number_key) {
        return declined("a key that looks like a number");
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(params)) => Ok(params),
        _ => declined("parameters are no JSON object"),
    }
}

/// Refuses a request in which one of `keys` is absent; what they stand for does not matter. Of a
/// JSON object that is sent as the text `payload`, which is used for nothing else, its keys count
/// (RMT: `require_params`).
///
/// # Errors
/// [`Error::Rmt`] naming the keys that are absent; [`Error::BadInput`] for a payload that is no JSON
/// object, where RMT crashes.
pub fn require(params: &Map<String, Value>, keys: &[&str]) -> Result<(), Failure> {
    let payload = match params.get("payload") {
        Some(Value::String(text)) => payload(text)?,
        _ => None,
    };
    let absent: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|key| match &payload {
            Some(payload) => !payload.contains_key(*key),
            None => !params.contains_key(*key),
        })
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    let absent = absent.join(", ");
    let message = format!("Required parameters are missing or empty: {absent}");
    Err(Failure::rmt(422, message))
}

/// The keys of a JSON object; null and false are as good as no payload.
fn payload(text: &str) -> Result<Option<HashMap<String, IgnoredAny>>, Failure> {
    match serde_json::from_str(text) {
        Ok(payload) => Ok(payload),
        Err(_) if text.trim() == "false" => Ok(None),
        Err(_) => {
            let message = "payload is no JSON object".to_owned();
            Err(Failure::unwritten(Error::BadInput(message)))
        }
    }
}

/// Refuses lists of more elements than any client sends. Ruby takes its time with those, so it is given some, but
/// not all the time that there is.
///
/// # Errors
/// [`Error::Declined`] for more than `most` of `what`, [`Error::BadInput`] for more than ten times as many.
pub(crate) fn limit(what: &'static str, count: usize, most: usize) -> Result<(), Failure> {
    let error = match count {
        _ if count <= most => return Ok(()),
        _ if count <= 10 * most => Error::Declined(what),
        _ => Error::BadInput(what.to_owned()),
    };
    Err(Failure::unwritten(error))
}

/// The kinds of MySQL columns that ActiveRecord casts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// `varchar`: booleans become `1` and `0`.
    String,
    /// `text` and larger: booleans become `t` and `f`.
    Text,
}

/// A scalar as ActiveRecord casts it for a `column` of text: numbers as their digits, null and
/// absent as NULL (`ActiveModel::Type::ImmutableString`).
///
/// # Errors
/// [`Error::Declined`] for arrays and objects, which Ruby would store as its `inspect` prints them.
pub fn cast_text(value: Option<&Value>, column: Column) -> Result<Option<String>, Failure> {
    let text = match (value, column) {
        (None | Some(Value::Null), _) => return Ok(None),
        (Some(Value::String(text)), _) => text.clone(),
        (Some(Value::Number(number)), _) => number.to_string(),
        (Some(Value::Bool(true)), Column::String) => "1".to_owned(),
        (Some(Value::Bool(false)), Column::String) => "0".to_owned(),
        (Some(Value::Bool(true)), Column::Text) => "t".to_owned(),
        (Some(Value::Bool(false)), Column::Text) => "f".to_owned(),
        (Some(Value::Array(_) | Value::Object(_)), _) => {
            let what = "an array or object where text is expected";
            return Err(Failure::unwritten(Error::Declined(what)));
        }
    };
    Ok(Some(text))
}

/// `params.permit(key => {})[key]`: the object under `key` with everything in it, except arrays that
/// stand directly in arrays. Anything but an object counts as absent
/// (`ActionController::Parameters#permit`). The value is taken out of `params`.
///
/// ```
/// let text = br#"{"hwinfo":{"a":[1,[2],{"b":[[3]]}]}}"#;
/// let mut params = registration::params::parse(text).unwrap();
/// let hwinfo = registration::params::take_permitted(&mut params, "hwinfo").unwrap();
/// assert_eq!(serde_json::Value::Object(hwinfo).to_string(), r#"{"a":[1,{"b":[]}]}"#);
/// ```
pub fn take_permitted(params: &mut Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    match params.get_mut(key).map(Value::take) {
        Some(Value::Object(mut object)) => {
            object.values_mut().for_each(drop_nested_arrays);
            Some(object)
        }
        _ => None,
    }
}

fn drop_nested_arrays(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.retain(|element| !element.is_array());
            elements.iter_mut().for_each(drop_nested_arrays);
        }
        Value::Object(object) => object.values_mut().for_each(drop_nested_arrays),
        _ => {}
    }
}

/// `value.blank?`: absent, null, false, empty, or text of nothing but white space.
pub fn blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::String(text)) => blank_text(text),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        Some(Value::Bool(true) | Value::Number(_)) => false,
    }
}

/// `text.blank?`; Ruby's `[[:space:]]` is Unicode's White_Space, as Rust's.
pub fn blank_text(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn permitted(value: Value) -> Option<Value> {
        let mut params = parse(json!({"hwinfo": value}).to_string().as_bytes()).unwrap();
        take_permitted(&mut params, "hwinfo").map(Value::Object)
    }

    #[test]
    fn arrays_inside_arrays_go_and_everything_else_stays() {
        let given = json!({"a": [1, "x", null, [2], {"b": [[3], {"c": [[]]}]}], "d": {}, "e": []});
        let kept = json!({"a": [1, "x", null, {"b": [{"c": []}]}], "d": {}, "e": []});
        assert_eq!(permitted(given), Some(kept));
    }

    #[test]
    fn anything_but_an_object_is_absent() {
        for value in [json!(null), json!(false), json!("x"), json!(1), json!([{}])] {
            assert_eq!(permitted(value), None);
        }
        assert_eq!(permitted(json!({})), Some(json!({})));
    }

    #[test]
    fn scalars_become_text_as_active_record_casts_them() {
        let cases = [
            (json!("web01"), Some("web01")),
            (json!(42), Some("42")),
            (json!(1.5), Some("1.5")),
            (json!(true), Some("1")),
            (json!(false), Some("0")),
            (json!(""), Some("")),
            (json!(null), None),
        ];
        for (value, text) in cases {
            let cast = cast_text(Some(&value), Column::String).unwrap();
            assert_eq!(cast.as_deref(), text);
        }
        for (value, text) in [(json!(true), "t"), (json!(false), "f"), (json!(7), "7")] {
            let cast = cast_text(Some(&value), Column::Text).unwrap();
            assert_eq!(cast.as_deref(), Some(text));
        }
        assert_eq!(cast_text(None, Column::String).unwrap(), None);
        for value in [json!([]), json!({"a": 1})] {
            let failure = cast_text(Some(&value), Column::String).unwrap_err();
            assert!(matches!(failure.error, Error::Declined(_)));
        }
    }

    #[test]
    fn keys_have_to_be_there_and_nothing_else() {
        let absent = |params: Value| {
            let params = parse(params.to_string().as_bytes()).unwrap();
            let failure = require(&params, &["identifier", "version"]).err()?;
            Some(failure.error.to_string())
        };
        let missing = |keys| Some(format!("Required parameters are missing or empty: {keys}"));
        for (params, complaint) in [
            (json!({}), missing("identifier, version")),
            (json!({"version": ""}), missing("identifier")),
            (json!({"version": null, "identifier": []}), None),
            (
                json!({"payload": {"version": 1}}),
                missing("identifier, version"),
            ),
            (
                json!({"payload": r#"{"version":[[]]}"#, "version": 1}),
                missing("identifier"),
            ),
            (
                json!({"payload": r#" {"version":"\ud800","identifier":0} "#}),
                None,
            ),
            (
                json!({"payload": "null", "version": 1}),
                missing("identifier"),
            ),
            (
                json!({"payload": "false\n", "version": 1}),
                missing("identifier"),
            ),
        ] {
            assert_eq!(absent(params.clone()), complaint, "{params}");
        }
        for text in ["", "{", "[]", "1", "true", r#""x""#] {
            let complaint = absent(json!({"payload": text, "identifier": 1, "version": 1}));
            assert_eq!(
                complaint.as_deref(),
                Some("payload is no JSON object"),
                "{text}"
            );
        }
    }

    #[test]
    fn blank_is_what_rails_calls_blank() {
        for value in [
            json!(null),
            json!(false),
            json!(""),
            json!(" \t\u{3000}"),
            json!([]),
            json!({}),
        ] {
            assert!(blank(Some(&value)), "{value}");
        }
        assert!(blank(None));
        for value in [
            json!(0),
            json!(true),
            json!("x"),
            json!([null]),
            json!({"a": null}),
        ] {
            assert!(!blank(Some(&value)), "{value}");
        }
    }

    #[test]
    fn parameters_that_are_no_object_are_declined() {
        for text in ["[]", "null", "1", "{", ""] {
            let failure = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(failure.error, Error::Declined(_)));
        }
    }
}
