//! The database: configuration, connections, and every SQL statement there is.

mod catalog;
mod config;
mod fault;
mod pool;
mod profiles;
mod session;
mod systems;

pub use catalog::{Criteria, Relatives, Wanted};
pub use config::{DatabaseConfig, Secret, Tls, TlsMode};
pub use pool::Store;
pub use profiles::NewProfile;
pub use session::{Interruption, Recovery, Session};
pub use systems::NewSystem;
