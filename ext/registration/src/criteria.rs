//! Which products a request means by its parameters `identifier`, `version`, `arch` and
//! `release_type`.

use serde_json::{Map, Value};

use crate::Failure;
use crate::params::{Column, cast_text};
use crate::store::{Criteria, Wanted, spellings};

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

/// What `find_by` makes of identifier, version and arch: an array stands for any of its elements, what is
/// absent for NULL. RMT crashes on versions that are no text, and on objects, which nothing fits here.
pub(crate) fn described(params: &Map<String, Value>) -> Criteria {
    let wanted = |key| match params.get(key) {
        None | Some(Value::Null) => Wanted::Null,
        value => Wanted::OneOf(texts(value)),
    };
    let version = match wanted("version") {
        Wanted::OneOf(versions) => {
            Wanted::OneOf(versions.iter().flat_map(|it| spellings(it)).collect())
        }
        other => other,
    };
    Criteria {
        identifier: wanted("identifier"),
        version,
        arch: wanted("arch"),
        release_type: Wanted::Any,
    }
}

/// `value`, or what is in it, as text; nothing for what is in no column.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    let text = |value| cast_text(Some(value), Column::String).ok().flatten();
    match value {
        Some(Value::Array(elements)) => elements.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn to_s(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
