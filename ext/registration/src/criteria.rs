//! Which products a request means by its parameters `identifier`, `version`, `arch` and
//! `release_type`.

use serde_json::{Map, Value};

use crate::Failure;
use crate::params::{Column, cast_text};
use crate::store::{Criteria, Wanted};

/// What `params.permit` lets through of [`Asked::PARAMETERS`]: arrays and objects are as good as
/// absent. Present and null is something else than absent.
pub(crate) struct Asked<'a>(&'a Map<String, Value>);

impl<'a> Asked<'a> {
    pub(crate) fn new(params: &'a Map<String, Value>) -> Self {
        Self(params)
    }

    fn scalar(&self, key: &str) -> Option<&'a Value> {
        let value = self.0.get(key);
        value.filter(|value| !value.is_array() && !value.is_object())
    }

    /// The version and its other spelling (RMT: `Product.clean_up_version`, which crashes on numbers).
    pub(crate) fn versions(&self) -> Wanted {
        match self.scalar("version") {
            None | Some(Value::Null | Value::Bool(false)) => Wanted::Null,
            Some(value) => Wanted::version(&to_s(value)),
        }
    }

    /// `column = value`, or NULL where null was sent.
    pub(crate) fn wanted(&self, key: &str) -> Result<Wanted, Failure> {
        let Some(value) = self.scalar(key) else {
            return Ok(Wanted::Any);
        };
        let text = cast_text(Some(value), Column::String)?;
        Ok(text.map_or(Wanted::Null, Wanted::text))
    }

    /// As Ruby prints it; nothing for null.
    pub(crate) fn text(&self, key: &str) -> String {
        self.scalar(key).map(to_s).unwrap_or_default()
    }
}

impl Criteria {
    /// How many bytes the statement has because of these.
    pub(crate) fn length(&self) -> usize {
        [
            &self.identifier,
            &self.version,
            &self.arch,
            &self.release_type,
        ]
        .into_iter()
        .map(|wanted| match wanted {
            Wanted::OneOf(texts) => texts.iter().map(String::len).sum(),
            Wanted::Any | Wanted::Null => 0,
        })
        .sum()
    }
}

fn to_s(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
