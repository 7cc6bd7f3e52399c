//! A request's parameters as RMT's log shows them: printed by Ruby, secrets left out, and what belongs
//! to the controller's model once more (Rails' `ParamsWrapper`).

use std::collections::HashMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::parameters::Parameters;
use super::routes::{Operation, Route};

/// What Rails calls a body that is no object.
const NAMELESS: &str = "_json";
/// Keys of Rails' own.
const INTERNAL: &[&str] = &["controller", "action", "format", "_method", "only_path"];
/// What a wrapper without names leaves out.
const NEVER_WRAPPED: &[&str] = &["authenticity_token", "_method", "utf8"];

/// How parameters are logged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterLog {
    /// Parts of the keys whose values nobody shall read, in lower case: Rails' `filter_parameters`, if all of
    /// them are words.
    pub secrets: Vec<String>,
    /// Of each controller, by its name; those that are not here wrap nothing.
    pub wrappers: HashMap<String, Wrapper>,
    /// What stands between a key and its value: `=>`, and since Ruby 3.4 ` => `.
    pub arrow: String,
}

/// A controller's `_wrapper_options`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrapper {
    /// The key of the wrapped parameters.
    pub name: String,
    /// Which parameters are wrapped; all when absent.
    pub include: Option<Vec<String>>,
}

/// Keys and values, in their order.
type Pairs<'a> = Vec<(&'a str, &'a Value)>;

impl ParameterLog {
    /// What follows `Parameters: `, empty when there are none. Nothing when Ruby has to find out: what it
    /// prints of letters beyond ASCII depends on its environment.
    pub(super) fn text(&self, sent: &Parameters, route: &Route) -> Option<String> {
        let id;
        let mut all: Pairs = Vec::with_capacity(sent.all.len() + 2);
        // Rails has a name for a body that is no object.
        all.extend(sent.nameless.iter().map(|it| (NAMELESS, it)));
        for (key, value) in &sent.all {
            set(&mut all, key, value);
        }
        if let Operation::Service(number) = route.operation {
            id = Value::String(number.to_string());
            set(&mut all, "id", &id);
        }
        let wrapper = self.wrappers.get(route.controller);
        let wrapper = wrapper.filter(|it| sent.json && get(&all, &it.name).is_none());
        let wrapped = match wrapper {
            Some(wrapper) => Some((wrapper.name.as_str(), wrapped(wrapper, sent, &all)?)),
            None => None,
        };
        all.retain(|(key, _)| !INTERNAL.contains(key));
        let mut text = String::new();
        if all.is_empty() && wrapped.is_none() {
            return Some(text);
        }
        text.push('{');
        self.print_pairs(&mut text, all)?;
        if let Some((name, pairs)) = wrapped {
            text.push_str(if text.len() > 1 { ", " } else { "" });
            quote(&mut text, name)?;
            text.push_str(&self.arrow);
            text.push('{');
            self.print_pairs(&mut text, pairs)?;
            text.push('}');
        }
        text.push('}');
        Some(text)
    }

    fn print_pairs<'a>(
        &self,
        text: &mut String,
        pairs: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Option<()> {
        for (at, (key, value)) in pairs.into_iter().enumerate() {
            text.push_str(if at > 0 { ", " } else { "" });
            quote(text, key)?;
            text.push_str(&self.arrow);
            match self.is_secret(key) {
                true => text.push_str("\"[FILTERED]\""),
                false => self.print(text, value)?,
            }
        }
        Some(())
    }

    fn print(&self, text: &mut String, value: &Value) -> Option<()> {
        match value {
            Value::Null => text.push_str("nil"),
            Value::Bool(value) => write!(text, "{value}").ok()?,
            Value::Number(number) => write!(text, "{number}").ok()?,
            Value::String(value) => quote(text, value)?,
            Value::Array(elements) => {
                text.push('[');
                for (at, element) in elements.iter().enumerate() {
                    text.push_str(if at > 0 { ", " } else { "" });
                    self.print(text, element)?;
                }
                text.push(']');
            }
            Value::Object(object) => {
                text.push('{');
                self.print_pairs(text, object.iter().map(|(key, it)| (key.as_str(), it)))?;
                text.push('}');
            }
        }
        Some(())
    }

    fn is_secret(&self, key: &str) -> bool {
        let secret = |secret: &String| {
            let mut places = key.as_bytes().windows(secret.len().max(1));
            places.any(|it| it.eq_ignore_ascii_case(secret.as_bytes()))
        };
        self.secrets.iter().any(secret)
    }
}

fn get<'a>(pairs: &Pairs<'a>, key: &str) -> Option<&'a Value> {
    let pair = pairs.iter().find(|(known, _)| *known == key);
    pair.map(|(_, value)| *value)
}

fn set<'a>(pairs: &mut Pairs<'a>, key: &'a str, value: &'a Value) {
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        Some(pair) => pair.1 = value,
        None => pairs.push((key, value)),
    }
}

/// What of the body belongs to the controller's model, with the values that won.
fn wrapped<'a>(wrapper: &'a Wrapper, sent: &Parameters, all: &Pairs<'a>) -> Option<Pairs<'a>> {
    let in_body = |key: &str| {
        sent.body_keys.iter().any(|it| it == key) || (sent.nameless.is_some() && key == NAMELESS)
    };
    let Some(names) = &wrapper.include else {
        // Some of those have values that routes gave them.
        if INTERNAL.iter().any(|key| in_body(key)) {
            return None;
        }
        let pairs = all.iter().filter(|(key, _)| in_body(key));
        let pairs = pairs.filter(|(key, _)| !NEVER_WRAPPED.contains(key));
        return Some(pairs.copied().collect());
    };
    let names = names.iter().filter(|it| in_body(it));
    Some(
        names
            .filter_map(|it| Some((it.as_str(), get(all, it)?)))
            .collect(),
    )
}

/// `String#inspect`, of ASCII.
fn quote(text: &mut String, value: &str) -> Option<()> {
    text.push('"');
    let mut rest = value.chars().peekable();
    while let Some(next) = rest.next() {
        let escape = match next {
            '"' => "\\\"",
            '\\' => "\\\\",
            '#' if matches!(rest.peek(), Some('{' | '$' | '@')) => "\\#",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{c}' => "\\f",
            '\u{b}' => "\\v",
            '\u{8}' => "\\b",
            '\u{7}' => "\\a",
            '\u{1b}' => "\\e",
            ' '..='~' => {
                text.push(next);
                continue;
            }
            '\0'..='\u{7f}' => {
                write!(text, "\\u{:04X}", u32::from(next)).ok()?;
                continue;
            }
            _ => return None,
        };
        text.push_str(escape);
    }
    text.push('"');
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Settings;
    use super::super::parameters;
    use super::super::request::{Part, Request};
    use super::*;

    fn log() -> ParameterLog {
        serde_json::from_value(json!({
            "secrets": ["password"],
            "wrappers": {
                "Api::Connect::V4::Subscriptions::SystemsController": {
                    "name": "system",
                    "include": ["id", "password", "hostname", "registered_at"],
                },
                "Api::Connect::V4::Systems::ActivationsController": {
                    "name": "activation",
                    "include": ["id"],
                },
                "Api::Connect::V4::Repositories::InstallerController": { "name": "installer" },
                "Api::HealthController": { "name": "health" },
                "ServicesController": { "name": "service", "include": ["id", "product_id"] },
            },
            "arrow": "=>",
        }))
        .unwrap()
    }

    fn logged(method: &str, path: &str, query: &str, body: Option<&str>) -> Option<String> {
        let mut parts = vec![
            (Part::Method, method),
            (Part::Path, path),
            (Part::Query, query),
        ];
        if body.is_some() {
            parts.push((Part::ContentType, "application/json"));
        }
        let request = Request::with(&parts, body.unwrap_or_default().as_bytes());
        let route = Route::of(&request, &Settings::all()).unwrap();
        log().text(&parameters::of(&request).unwrap(), &route)
    }

    /// As a real RMT has logged them.
    #[test]
    fn parameters_are_printed_as_ruby_does() {
        let announce = |query, body| {
            logged("POST", "/connect/subscriptions/systems", query, Some(body)).unwrap()
        };
        let body = concat!(
            r##"{"hwinfo":{"a":"q\"\\#{x} #$ #@ # \n\t\u0007\u001b\u0000\u007f\u0001\u000b\f\b","##,
            r##""password":{"x":1},"list":[1,{"Passwords":2},[null]],"f":1e20},"hostname":"a","##,
            r##""password":["x","y"],"controller":"c","format":"xml","only_path":1}"##
        );
        let expected = concat!(
            r##"{"hwinfo"=>{"a"=>"q\"\\\#{x} \#$ \#@ # \n\t\a\e\u0000\u007F\u0001\v\f\b", "##,
            r##""password"=>"[FILTERED]", "list"=>[1, {"Passwords"=>"[FILTERED]"}, []], "f"=>1.0e+20}, "##,
            r##""hostname"=>"a", "password"=>"[FILTERED]", "##,
            r##""system"=>{"password"=>"[FILTERED]", "hostname"=>"a"}}"##
        );
        assert_eq!(announce("", body), expected);
        assert_eq!(
            announce(
                "hostname=q&x",
                r#"{"registered_at":1,"hostname":"a","id":7}"#
            ),
            r#"{"registered_at"=>1, "hostname"=>"q", "id"=>7, "x"=>nil, "system"=>{"id"=>7, "hostname"=>"q", "registered_at"=>1}}"#
        );
        assert_eq!(announce("", "[1]"), r#"{"_json"=>[1], "system"=>{}}"#);
    }

    #[test]
    fn what_is_wrapped_depends_on_the_controller() {
        let activations = |body| logged("GET", "/connect/systems/activations", "", body).unwrap();
        assert_eq!(activations(None), "");
        assert_eq!(activations(Some("")), r#"{"activation"=>{}}"#);
        assert_eq!(
            activations(Some(r#"{"activation":1,"id":2}"#)),
            r#"{"activation"=>1, "id"=>2}"#
        );
        let path = "/connect/repositories/installer";
        assert_eq!(
            logged(
                "GET",
                path,
                "identifier=x",
                Some(r#"{"identifier":1,"id":2}"#)
            )
            .unwrap(),
            r#"{"identifier"=>"x", "id"=>2, "installer"=>{"identifier"=>"x", "id"=>2}}"#
        );
        let path = "/connect/systems/products";
        assert_eq!(
            logged("GET", path, "identifier=x", None).unwrap(),
            r#"{"identifier"=>"x"}"#
        );
        assert_eq!(logged("GET", path, "format=x", None).unwrap(), "");
        let service = logged(
            "GET",
            "/services/1",
            "id=9&a=1",
            Some(r#"{"id":4,"product_id":3}"#),
        );
        assert_eq!(
            service.unwrap(),
            r#"{"id"=>"1", "product_id"=>3, "a"=>"1", "service"=>{"id"=>"1", "product_id"=>3}}"#
        );
        let health = logged(
            "GET",
            "/api/health/status",
            "b=1",
            Some(r#"{"a":4,"utf8":3}"#),
        );
        assert_eq!(
            health.unwrap(),
            r#"{"a"=>4, "utf8"=>3, "b"=>"1", "health"=>{"a"=>4}}"#
        );
    }

    #[test]
    fn letters_beyond_ascii_are_for_ruby_to_print() {
        for body in [r#"{"é":1}"#, r#"{"a":["é"]}"#, r#"{"a":"\u00a0"}"#] {
            let path = "/connect/subscriptions/systems";
            assert_eq!(logged("POST", path, "", Some(body)), None);
        }
    }
}
