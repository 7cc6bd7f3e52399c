//! What the tests against a database share: a private MariaDB, and a way to it that can fail.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod actions;
pub mod conversation;
pub mod place;
pub mod server;
pub mod tree;
pub mod way;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use registration::{Clock, DatabaseConfig, Entropy, Registration, Store};
use server::Server;
use time::OffsetDateTime;

/// 2026-11-20 12:34:56.789 UTC, always.
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(1_795_178_096_789_000_000).unwrap()
    }
}

/// Bytes that count up from one: `01010101…`, `02020202…`
#[derive(Default)]
pub struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(())
    }
}

/// How to reach `database` on `server`; times are short, so that tests are.
pub fn config(server: &Server, database: &str) -> DatabaseConfig {
    let mut config: DatabaseConfig = serde_json::from_value(serde_json::json!({
        "host": "127.0.0.1",
        "port": server.port,
        "username": "rmt",
        "password": "rmt",
        "database": database,
        "session": "@@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
    }))
    .unwrap();
    config.connect_timeout_ms = 1_000;
    config.pool_timeout_ms = 1_000;
    config.statement_timeout_ms = 2_000;
    config
}

/// The operations on `database`, with the machine's clock and randomness.
pub fn registration(server: &Server, database: &str) -> Registration {
    Registration::new(&config(server, database)).unwrap()
}

/// The operations on `database`, with time and randomness that are known beforehand.
pub fn predictable(server: &Server, database: &str) -> Registration {
    let store = Store::new(&config(server, database)).unwrap();
    Registration::with_sources(store, Arc::new(Noon), Arc::new(Counting::default()))
}
