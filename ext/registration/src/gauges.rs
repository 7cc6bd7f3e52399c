//! How full what a process holds is, and what it has counted since it began.

use serde::Serialize;

use crate::Registration;

/// As of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gauges {
    /// Connections that may be open at most.
    pub pool_size: usize,
    /// Connections that are open.
    pub pool_open: usize,
    /// Of these, connections that operations have.
    pub pool_busy: usize,
    /// Operations that wait for a connection.
    pub pool_waiting: usize,
    /// Announces that wait to share a statement.
    pub announces_waiting: usize,
    /// Statements that were shared by announces that had waited.
    pub shared_statements: u64,
    /// Systems that were stored by those.
    pub shared_systems: u64,
    /// Bytes of products and answers that are remembered.
    pub catalog_bytes: usize,
    /// Products that were remembered when they were asked for.
    pub catalog_hits: u64,
    /// Products that had to be read.
    pub catalog_misses: u64,
}

impl Registration {
    /// How full everything is. Waits for nobody.
    pub fn gauges(&self) -> Gauges {
        let (pool_size, pool_open, pool_busy, pool_waiting) = self.store.gauges();
        let (announces_waiting, shared_statements, shared_systems) = self.combining.gauges();
        let (catalog_bytes, catalog_hits, catalog_misses) = self.memory.gauges();
        Gauges {
            pool_size,
            pool_open,
            pool_busy,
            pool_waiting,
            announces_waiting,
            shared_statements,
            shared_systems,
            catalog_bytes,
            catalog_hits,
            catalog_misses,
        }
    }
}
