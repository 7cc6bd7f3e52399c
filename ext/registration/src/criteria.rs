//! Which products a request means by its parameters `identifier`, `version`, `arch` and
//! `release_type`.

use serde_json::{Map, Value};

use crate::error::{Error, Failure};
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
///
/// # Errors
/// [`Error::BadInput`] for long arrays.
pub(crate) fn described(params: &Map<String, Value>) -> Result<Criteria, Failure> {
    let wanted = |key| match params.get(key) {
        None | Some(Value::Null) => Ok(Wanted::Null),
        Some(_) => texts(params, key).map(Wanted::OneOf),
    };
    let version = match wanted("version")? {
        Wanted::OneOf(versions) => {
            Wanted::OneOf(versions.iter().flat_map(|it| spellings(it)).collect())
        }
        other => other,
    };
    Ok(Criteria {
        identifier: wanted("identifier")?,
        version,
        arch: wanted("arch")?,
        release_type: Wanted::Any,
    })
}

/// The parameter `key`, or what is in it, as text; nothing for what is in no column.
///
/// # Errors
/// [`Error::BadInput`] for long arrays: no client sends any.
pub(crate) fn texts(params: &Map<String, Value>, key: &str) -> Result<Vec<String>, Failure> {
    let text = |value| cast_text(Some(value), Column::String).ok().flatten();
    match params.get(key) {
        Some(Value::Array(elements)) if elements.len() > Criteria::MOST_VALUES => {
            let message = format!("{key} has too many values");
            Err(Failure::unwritten(Error::BadInput(message)))
        }
        Some(Value::Array(elements)) => Ok(elements.iter().filter_map(text).collect()),
        value => Ok(value.and_then(text).into_iter().collect()),
    }
}

fn to_s(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
