//! The registration routine of an RMT server: pure Rust, no Ruby, no HTTP server.
//!
//! [`Registration`] owns what a request needs (connection pool, clock, randomness) and has one
//! method per operation, each in a file of its own. Doors (the Ruby binding, later a middleware)
//! hand it parameters and turn what it returns into an HTTP answer.
//!
//! ```no_run
//! # async fn example() -> Result<(), registration::Failure> {
//! use registration::{DatabaseConfig, Progress, Registration};
//!
//! let config: DatabaseConfig =
//!     serde_json::from_str(r#"{"host":"127.0.0.1","username":"rmt","database":"rmt"}"#).unwrap();
//! let registration = Registration::new(&config)?;
//! let system = registration
//!     .announce(br#"{"hostname":"web01","hwinfo":{"cpus":2}}"#, &Progress::default())
//!     .await?;
//! println!("{}", system.body());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod activate;
mod activations;
mod actor;
mod ahead;
mod announce;
mod authenticate;
pub mod catalog;
mod check;
mod combining;
mod criteria;
mod deregister;
mod destroy;
mod diagnosis;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gauges;
mod health;
pub mod http;
mod installer;
pub mod json;
mod legacy_service;
mod log;
pub mod params;
mod passwords;
mod profiles;
mod progress;
mod rehearsal;
mod service;
mod show;
mod source;
pub mod store;
mod subscription_products;
mod synchronize;
mod timings;
mod update;
mod upgrade;
mod work;

use std::sync::Arc;

use catalog::Memory;

pub use activate::Acted;
pub use actor::Actor;
pub use announce::Announced;
pub use authenticate::{Authenticated, Credentials, Found, Note, TokenHeader};
pub use check::{Action, Caller, Checked, KnownSystem, Step};
use combining::Combining;
pub use error::{Error, Failure, Written};
pub use gauges::Gauges;
pub use health::health;
pub use log::{Level, LogLine};
use passwords::Passwords;
pub use passwords::{Census, Compared, Converted, Cost, Keeping, Kind};
pub use progress::Progress;
pub use rehearsal::Rehearsal;
pub use source::{Clock, Entropy, OperatingSystem, SystemClock};
pub use store::{ActivationKey, DatabaseConfig, Store, SubscriptionRow, SystemRow, Trail};
pub use timings::{Timings, measured, measured_now};
pub use update::Updated;

/// The operations and what they share. Cheap to clone.
#[derive(Clone)]
pub struct Registration {
    store: Store,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    combining: Combining,
    passwords: Option<Arc<Passwords>>,
}

impl Registration {
    /// Opens nothing yet: connections are made when the first operation needs one.
    ///
    /// # Errors
    /// [`Error::Internal`] when the pool cannot be built from `config`.
    pub fn new(config: &DatabaseConfig) -> Result<Self, Failure> {
        Ok(Self::with_sources(
            Store::new(config)?,
            Arc::new(SystemClock),
            Arc::new(OperatingSystem),
        ))
    }

    /// As [`Registration::new`], with time and randomness of the caller's choice.
    pub fn with_sources(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            memory: Arc::default(),
            clock,
            entropy,
            combining: Combining::default(),
            passwords: None,
        }
    }

    /// The database side, for health checks and an orderly end.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
