//! `GET /connect/repositories/installer`: where a product's installer finds updates of itself
//! (contract, "Who calls", 8; RMT: `Api::Connect::V4::Repositories::InstallerController#index`).

use serde_json::{Map, Value};

use crate::catalog::{Rendering, Repository};
use crate::criteria::Asked;
use crate::params::{self, blank};
use crate::store::{Criteria, Interruption, Session, Wanted};
use crate::work::Work;
use crate::{Failure, Registration, timings};

impl Registration {
    /// The installer's repositories of a product, as far as they are mirrored, as a JSON array. Two
    /// statements; none when a parameter is missing, as in the probes that clients send after an
    /// error.
    ///
    /// `params` are the request's parameters, a JSON object.
    ///
    /// # Errors
    /// [`Error::Rmt`](crate::Error::Rmt) for parameters that are missing and for products that are not there,
    /// [`Error::BadInput`](crate::Error::BadInput), [`Error::Declined`](crate::Error::Declined),
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn installer(&self, params: &[u8], rendering: &Rendering) -> Result<String, Failure> {
        let params = params::parse(params)?;
        params::require(&params, &["identifier", "version", "arch"])?;
        let look = Look {
            criteria: criteria(&params)?,
        };
        let Some(repositories) = self.carry_out(&look).await? else {
            let message = format!(
                "No product found on RMT for: {}",
                name(&params, &look.criteria)
            );
            return Err(Failure::rmt(422, message));
        };
        let shown = repositories
            .iter()
            .filter(|it| it.installer_updates && it.mirroring_enabled);
        Ok(timings::rendering(|| rendering.repositories(shown)))
    }
}

pub(crate) fn criteria(params: &Map<String, Value>) -> Result<Criteria, Failure> {
    let asked = Asked::new(params);
    let release_type = match asked.wanted("release_type")? {
        Wanted::Any => Wanted::Null,
        _ if blank(params.get("release_type")) => Wanted::Null,
        wanted => wanted,
    };
    Ok(Criteria {
        identifier: asked.wanted("identifier")?,
        version: asked.versions(),
        arch: asked.wanted("arch")?,
        release_type,
    })
}

/// What was asked for, as RMT says it to the client: both spellings of the version, and all white
/// space as single spaces.
pub(crate) fn name(params: &Map<String, Value>, criteria: &Criteria) -> String {
    let asked = Asked::new(params);
    let mut parts = vec![asked.text("identifier")];
    if let Wanted::OneOf(versions) = &criteria.version {
        parts.extend(versions.iter().cloned());
    }
    parts.push(asked.text("arch"));
    if let Wanted::OneOf(_) = criteria.release_type {
        parts.push(asked.text("release_type"));
    }
    squish(&parts.join(" "))
}

/// ActiveSupport's `squish`. Ruby's `strip`, in it, also takes NULs away.
fn squish(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_matches(['\0', ' ']).to_owned()
}

struct Look {
    criteria: Criteria,
}

impl Work for Look {
    /// Nothing when there is no such product.
    type Output = Option<Vec<Repository>>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let Some(product) = session.find_product(&self.criteria).await? else {
            return Ok(None);
        };
        match product.service_id {
            Some(service_id) => session.repositories(service_id).await.map(Some),
            None => Ok(Some(Vec::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(params: Value) -> String {
        let params = params::parse(params.to_string().as_bytes()).unwrap();
        name(&params, &criteria(&params).unwrap())
    }

    // What RMT answered, but for the last, where it crashed.
    #[test]
    fn what_is_not_found_is_named_as_rmt_names_it() {
        for (params, expected) in [
            (
                json!({"identifier": "SLES", "version": "15.6", "arch": "x86_64"}),
                "SLES 15.6 x86_64",
            ),
            (
                json!({"identifier": "SLES", "version": "15.0", "arch": "x"}),
                "SLES 15.0 15 x",
            ),
            (
                json!({"version": "12-5", "arch": "x", "identifier": "S"}),
                "S 12-5 12.5 x",
            ),
            (
                json!({"identifier": "S", "version": "1", "arch": "x", "release_type": "R"}),
                "S 1 x R",
            ),
            (
                json!({"identifier": "S", "version": "1", "arch": "x", "release_type": " "}),
                "S 1 x",
            ),
            (
                json!({"identifier": null, "version": false, "arch": null}),
                "",
            ),
            (
                json!({"identifier": [1], "version": ["1"], "arch": {"a": 1}}),
                "",
            ),
            (
                json!({"identifier": true, "version": "", "arch": 15, "release_type": true}),
                "true 15 true",
            ),
            (
                json!({"identifier": "\u{0}S\t\u{a0}\u{3000} T", "version": "\n", "arch": "\u{0}"}),
                "S T",
            ),
            (
                json!({"identifier": "S\u{0}T\u{180e}", "version": "1", "arch": "x"}),
                "S\u{0}T\u{180e} 1 x",
            ),
            (
                json!({"identifier": "S", "version": 15.0, "arch": "x"}),
                "S 15.0 15 x",
            ),
        ] {
            assert_eq!(named(params), expected);
        }
    }

    #[test]
    fn absent_null_and_blank_are_three_things() {
        let criteria = |params: Value| {
            let params = params::parse(params.to_string().as_bytes()).unwrap();
            criteria(&params).unwrap()
        };
        let nothing = criteria(json!({"identifier": [], "version": {}, "arch": ["x"]}));
        let expected = Criteria {
            version: Wanted::Null,
            release_type: Wanted::Null,
            ..Criteria::default()
        };
        assert_eq!(nothing, expected);
        let null = criteria(
            json!({"identifier": null, "version": null, "arch": "", "release_type": false}),
        );
        let expected = Criteria {
            identifier: Wanted::Null,
            arch: Wanted::text(""),
            ..expected
        };
        assert_eq!(null, expected);
        let scalars =
            criteria(json!({"identifier": false, "version": "", "arch": 5, "release_type": 0}));
        let expected = Criteria {
            identifier: Wanted::text("0"),
            version: Wanted::text(""),
            arch: Wanted::text("5"),
            release_type: Wanted::text("0"),
        };
        assert_eq!(scalars, expected);
    }
}
