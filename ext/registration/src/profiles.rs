//! Profiles as clients send them (contract, "announce"; RMT: `Profile.filter_profiles`).

use serde_json::{Map, Value};

use crate::error::Failure;
use crate::params::{Column, blank, blank_text, cast_text, limit};
use crate::store::NewProfile;

/// RMT's clients send one or two; so many more are no client of RMT.
pub(crate) const MOST_PROFILES: usize = 64;

/// What of the sent profiles is to be stored, looked for, or neither.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SentProfiles {
    /// Those with an identifier and a `data` key.
    pub complete: Vec<NewProfile>,
    /// Those with an identifier only: the client thinks they are known here.
    pub incomplete: Vec<NewProfile>,
    /// Some had no identifier (or an array or object for one), or were no profile at all.
    pub invalid: bool,
}

impl SentProfiles {
    /// Sorts `sent`, which is `{type: {identifier, data}}`.
    pub fn among(sent: Option<Map<String, Value>>) -> Result<Self, Failure> {
        let mut profiles = Self::default();
        for (profile_type, profile) in sent.unwrap_or_default() {
            let identifier = profile.get("identifier").filter(|value| !value.is_object());
            if blank(identifier) {
                profiles.invalid = true;
                continue;
            }
            let text = cast_text(identifier, Column::String);
            let Some(data) = profile.get("data") else {
                match text {
                    Ok(text) => profiles.incomplete.push(NewProfile {
                        profile_type,
                        identifier: text.unwrap_or_default(),
                        data: None,
                    }),
                    Err(_) => profiles.invalid = true,
                }
                continue;
            };
            profiles.complete.push(NewProfile {
                profile_type,
                identifier: text?.unwrap_or_default(),
                data: cast_text(Some(data), Column::Text)?.filter(|text| !blank_text(text)),
            });
        }
        let count = profiles.complete.len() + profiles.incomplete.len();
        limit("too many profiles", count, MOST_PROFILES)?;
        Ok(profiles)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Error;

    fn among(value: Value) -> Result<SentProfiles, Failure> {
        SentProfiles::among(value.as_object().cloned())
    }

    fn profile(profile_type: &str, identifier: &str, data: Option<&str>) -> NewProfile {
        NewProfile {
            profile_type: profile_type.into(),
            identifier: identifier.into(),
            data: data.map(str::to_owned),
        }
    }

    #[test]
    fn complete_profiles_are_stored_in_the_order_they_came() {
        let profiles = among(json!({
            "pci_data": {"identifier": "aaaa", "data": "Slot 00"},
            "mod_list": {"identifier": 7, "data": true},
        }))
        .unwrap();
        assert!(!profiles.invalid && profiles.incomplete.is_empty());
        assert_eq!(
            profiles.complete,
            [
                profile("pci_data", "aaaa", Some("Slot 00")),
                profile("mod_list", "7", Some("t"))
            ]
        );
    }

    #[test]
    fn what_has_no_identifier_is_invalid() {
        for broken in [
            json!({"data": "x"}),
            json!({"identifier": " ", "data": "x"}),
            json!({"identifier": false, "data": "x"}),
            json!({"identifier": {"a": 1}, "data": "x"}),
            json!({"identifier": ["a"]}),
            json!({}),
            json!("text"),
            json!(7),
            json!(null),
            json!([]),
        ] {
            let sent = json!({"pci_data": broken, "mod_list": {"identifier": "b", "data": "x"}});
            let profiles = among(sent).unwrap();
            assert!(profiles.invalid, "{broken}");
            assert_eq!(profiles.complete, [profile("mod_list", "b", Some("x"))]);
            assert_eq!(profiles.incomplete, []);
        }
    }

    #[test]
    fn what_has_no_data_is_incomplete() {
        let profiles = among(json!({"pci_data": {"identifier": 7}})).unwrap();
        assert_eq!(profiles.incomplete, [profile("pci_data", "7", None)]);
        assert!(!profiles.invalid && profiles.complete.is_empty());
    }

    #[test]
    fn blank_data_can_only_be_linked_never_stored() {
        for data in [json!(null), json!(""), json!(" \n")] {
            let profiles = among(json!({"pci_data": {"identifier": "a", "data": data}})).unwrap();
            assert_eq!(profiles.complete, [profile("pci_data", "a", None)]);
        }
    }

    #[test]
    fn what_ruby_would_print_with_inspect_is_declined() {
        for broken in [
            json!({"identifier": ["a"], "data": "x"}),
            json!({"identifier": "a", "data": {"b": 1}}),
        ] {
            let failure = among(json!({"pci_data": broken})).unwrap_err();
            assert!(matches!(failure.error, Error::Declined(_)));
        }
    }

    #[test]
    fn no_profiles_is_nothing_to_do() {
        for sent in [json!({}), json!(null), json!("x")] {
            assert_eq!(among(sent).unwrap(), SentProfiles::default());
        }
    }
}
