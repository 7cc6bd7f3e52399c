//! Requests for an operation, as a web server hands them over, and answers to them, byte for byte
//! RMT's (Rails 6.1 on Rack 2.2).
//!
//! What is not understood with certainty is not answered: [`Reply::Pass`], and Rails, which comes
//! next, makes of it what it ever did.

mod answer;
mod base_url;
mod credentials;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod parameters;
mod request;
mod routes;
mod serve;

use std::collections::HashSet;

use serde::Deserialize;

use crate::catalog::Appearance;

pub use answer::Answer;
pub use request::{PARTS, Request};
pub use serve::Understood;

/// What does not change while the process runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The operations that are answered here, by the names that `RmtRs::Operations` has for them, with
    /// all that belongs to them. A request for another one is passed on.
    pub operations: HashSet<String>,
    /// How answers about the catalog look.
    pub appearance: Appearance,
    /// See [`Credentials`](crate::Credentials).
    pub tokens_enabled: bool,
    /// What Rails says that answers vary by.
    #[serde(default)]
    pub vary: Vary,
}

/// The header `Vary` of an answer whose format the client may choose; empty for none. Rails' security
/// updates have changed it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vary {
    /// When the request says what it accepts.
    pub accepting: String,
    /// When it does not.
    pub by_default: String,
}

impl Default for Vary {
    fn default() -> Self {
        Self {
            accepting: "Accept".to_owned(),
            by_default: String::new(),
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    /// Rails has to answer, and may do all of it from the start: nothing was written but what it will
    /// find (a copied system) or do once more (that the system was seen). Why, in a few words that do
    /// not depend on what the client sent.
    Pass(&'static str),
    /// It was carried out, or refused.
    Answer(Box<Answer>),
}

/// Why a request is not understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pass(&'static str);

#[cfg(any(test, feature = "fuzzing"))]
impl Settings {
    /// Everything is Rust's.
    fn all() -> Self {
        let operations = [
            "announce",
            "update",
            "deregister",
            "activate",
            "show",
            "upgrade",
            "destroy",
            "synchronize",
            "activations",
            "service",
            "installer",
            "subscription_products",
            "health",
        ];
        Self {
            operations: operations.map(str::to_owned).into(),
            appearance: Appearance::default(),
            tokens_enabled: true,
            vary: Vary::default(),
        }
    }
}
