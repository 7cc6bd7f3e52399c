//! Recorded conversations, and the names they have for what a server makes up (`spec/conformance/`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// As a file holds it.
pub struct Conversation {
    pub name: String,
    pub given: Vec<String>,
    pub steps: Vec<Value>,
    pub answers: Vec<Value>,
    pub tables: Map<String, Value>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/conformance")
}

/// Fills the tables of the catalog.
pub fn catalog() -> String {
    std::fs::read_to_string(directory().join("catalog.sql")).unwrap()
}

/// All of RMT without engines.
pub fn conversations() -> Vec<Conversation> {
    let files = ["cases", "own"].map(|it| std::fs::read_dir(directory().join(it)).unwrap());
    let files = files.into_iter().flatten().map(|it| it.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    files.iter().map(|file| Conversation::read(file)).collect()
}

impl Conversation {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let given = list(&value["given"]);
        Self {
            name: value["name"].as_str().unwrap().to_owned(),
            given: (given.iter().map(|it| it.as_str().unwrap().to_owned())).collect(),
            steps: list(&value["steps"]),
            answers: list(&value["expect"]["steps"]),
            tables: value["expect"]["tables"].as_object().unwrap().clone(),
        }
    }

    /// Names for what appears in its answers.
    pub fn naming(&self, base: &str) -> Naming {
        let given = format!("{:?} {}", self.given, Value::Array(self.steps.clone()));
        Naming {
            given: given.to_lowercase(),
            base: base.to_owned(),
            names: HashMap::new(),
        }
    }
}

/// `<login:1>` is the first login that was generated in a conversation, wherever it appears again.
pub struct Naming {
    given: String,
    base: String,
    names: HashMap<&'static str, Vec<String>>,
}

impl Naming {
    pub fn body(&mut self, body: &str) -> String {
        let body = self.ids(body, "activation", |before, after| {
            before.ends_with("\"id\":") && after.starts_with(",\"system_id\":")
        });
        let body = self.ids(&body, "system", |before, after| {
            before.ends_with("\"system_id\":")
                || (before.ends_with("\"id\":") && after.starts_with(",\"login\":"))
        });
        let body = replace(&body, |before, rest| {
            let length = hex(rest, &[16])?;
            let whole = before.ends_with("\"password\":\"") && rest[length..].starts_with('"');
            whole.then(|| (length, self.generated("password", &rest[..length])))
        });
        let body = replace(&body, |before, rest| {
            let end = rest.find('"')?;
            let named = before.ends_with('"').then(|| named_time(&rest[..end]))??;
            Some((end, named.to_owned()))
        });
        self.text(&body)
    }

    pub fn text(&mut self, text: &str) -> String {
        let alone = |before: &str| !before.ends_with(|it: char| it.is_alphanumeric() || it == '_');
        let text = replace(text, |before, rest| {
            let length = hex(rest, &[8, 4, 4, 4, 12]).filter(|_| alone(before))?;
            Some((length, self.generated("uuid", &rest[..length])))
        });
        let text = replace(&text, |before, rest| {
            let digits = rest.strip_prefix("SCC_").filter(|_| alone(before))?;
            let length = 4 + hex(digits, &[32])?;
            Some((length, self.generated("login", &rest[..length])))
        });
        let host = self.base.trim_start_matches("http://");
        text.replace(&self.base, "<base>").replace(host, "<host>")
    }

    /// A value of a column, as the database writes it.
    pub fn column(&mut self, table: &str, column: &str, value: Option<String>) -> Option<String> {
        let value = value?;
        Some(match (table, column) {
            ("systems", "id") | (_, "system_id") => self.name("system", &value),
            ("profiles", "id") | (_, "profile_id") => self.name("profile", &value),
            (_, "password") => self.generated("password", &value),
            _ => match named_time(&value) {
                Some(now) => now.to_owned(),
                None if value.len() == 26 && parsed(&value).is_some() => value[..19].to_owned(),
                None => self.text(&value),
            },
        })
    }

    fn ids(&mut self, text: &str, kind: &'static str, at: impl Fn(&str, &str) -> bool) -> String {
        replace(text, |before, rest| {
            let length = rest.find(|it: char| !it.is_ascii_digit())?;
            let here = length > 0 && at(before, &rest[length..]);
            here.then(|| (length, format!("\"{}\"", self.name(kind, &rest[..length]))))
        })
    }

    fn generated(&mut self, kind: &'static str, value: &str) -> String {
        match self.given.contains(&value.to_lowercase()) {
            true => value.to_owned(),
            false => self.name(kind, value),
        }
    }

    fn name(&mut self, kind: &'static str, value: &str) -> String {
        let names = self.names.entry(kind).or_default();
        let at = names.iter().position(|it| it == value);
        let at = at.unwrap_or_else(|| {
            names.push(value.to_owned());
            names.len() - 1
        });
        format!("<{kind}:{}>", at + 1)
    }
}

/// `text` with something else at every place where `found` says what is there, and how long it is.
fn replace(text: &str, mut found: impl FnMut(&str, &str) -> Option<(usize, String)>) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match found(&text[..at], &text[at..]) {
            Some((length, value)) => {
                out.push_str(&value);
                at += length;
            }
            None => {
                out.push(next);
                at += next.len_utf8();
            }
        }
    }
    out
}

/// How long the hexadecimal digits at the beginning are, in `groups` with dashes between, and nothing
/// that could belong to them after.
fn hex(text: &str, groups: &[usize]) -> Option<usize> {
    let mut bytes = text.bytes();
    for (at, count) in groups.iter().enumerate() {
        if at > 0 && bytes.next()? != b'-' {
            return None;
        }
        for _ in 0..*count {
            bytes.next().filter(u8::is_ascii_hexdigit)?;
        }
    }
    let after = bytes.next();
    let ended = !after.is_some_and(|it| it.is_ascii_alphanumeric() || it == b'_');
    ended.then_some(groups.iter().sum::<usize>() + groups.len() - 1)
}

fn named_time(text: &str) -> Option<&'static str> {
    let apart = (OffsetDateTime::now_utc() - parsed(text)?.assume_utc()).whole_seconds();
    (apart.abs() <= 600).then_some("<now>")
}

/// As the database or an answer writes it.
fn parsed(text: &str) -> Option<PrimitiveDateTime> {
    let seconds = text.get(..19)?.replace('T', " ");
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(&seconds, &format).ok()
}
