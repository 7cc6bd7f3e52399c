//! The database: configuration, connections, and every SQL statement there is.

mod activations;
mod catalog;
mod config;
mod credentials;
mod diagnosis;
mod fault;
mod passwords;
mod pool;
mod profiles;
mod removal;
mod session;
mod stage;
mod standing;
mod subscriptions;
mod system_row;
mod systems;
mod updates;
mod versions;

pub use activations::ActivationKey;
pub(crate) use activations::{Activated, NewActivation, Together};
pub(crate) use catalog::spellings;
pub use catalog::{Criteria, Wanted};
pub use config::{DatabaseConfig, Secret, Tls, TlsMode};
pub(crate) use credentials::{Candidate, Question, Told};
pub(crate) use passwords::{Replacement, StoredPassword};
pub use pool::Store;
pub use profiles::NewProfile;
pub use session::{Interruption, Mark, Recovery, Session};
pub use stage::Trail;
pub use standing::{ActivatedProduct, Standing};
pub use subscriptions::SubscriptionRow;
pub(crate) use system_row::SystemChanges;
pub use system_row::SystemRow;
pub use systems::NewSystem;
pub(crate) use updates::{SystemUpdate, UptimeDay};
