//! Where a request is rehearsed: one connection whose transaction never ends but by being rolled back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{AssertSqlSafe, Executor, Row};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::fault::describe;
use super::pool::{Connection, Pooled, Store};
use super::session::{Interruption, ROLLBACK_TIMEOUT, Session};
use crate::error::{Error, Failure};

/// Without `autocommit` even what would be its own transaction waits for a COMMIT that never comes; and nobody
/// is to wait for a rehearsal that waits.
const OPEN: &str = "SET autocommit = 0, innodb_lock_wait_timeout = 1";

/// The connection of a rehearsal, which is the pool's no more, and whether it is over. Dropped, it is closed, and the
/// server undoes what was not undone.
pub(super) struct Stage {
    connection: Arc<Mutex<Connection>>,
    over: AtomicBool,
}

impl Stage {
    /// The connection, for one session after the other.
    ///
    /// # Errors
    /// [`Error::Unavailable`] once the rehearsal is over.
    pub async fn enter(self: &Arc<Self>) -> Result<OwnedMutexGuard<Connection>, Failure> {
        let guard = Arc::clone(&self.connection).lock_owned().await;
        if self.over.load(Ordering::Acquire) {
            let why = "the rehearsal is over".to_owned();
            return Err(Failure::unwritten(Error::Unavailable(why)));
        }
        Ok(guard)
    }

    /// After a failure nothing more is tried: the server may have rolled back, and a new transaction would
    /// show what nobody would see.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Whose rows a request may change: all systems with a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// `systems.login`.
    pub login: String,
    /// `systems.scc_system_id` of those that there were before; a deregistration leaves them behind.
    pub scc_system_ids: Vec<i64>,
}

impl Trail {
    /// Of a system that is new.
    pub fn of(login: String) -> Self {
        Self {
            login,
            scc_system_ids: Vec::new(),
        }
    }
}

impl Store {
    /// A store all of whose sessions are one after the other in the same transaction; see [`Store::end_rehearsal`].
    pub(crate) async fn rehearsing(&self) -> Result<Self, Failure> {
        let mut connection = Pooled::take(self.pooled().await?);
        let opened = connection.wire.execute(OPEN).await;
        opened.map_err(|error| Failure::unwritten(Error::Unavailable(describe(&error))))?;
        Ok(self.on(Arc::new(Stage {
            connection: Arc::new(Mutex::new(connection)),
            over: AtomicBool::new(false),
        })))
    }

    /// Undoes everything, and closes the connection.
    pub(crate) async fn end_rehearsal(&self) {
        let Some(stage) = self.stage() else { return };
        let mut connection = stage.connection.lock().await;
        stage.end();
        // Who waits for its locks need not wait until the server notices that the connection is closed.
        let undone = connection.wire.execute("ROLLBACK");
        drop(tokio::time::timeout(ROLLBACK_TIMEOUT, undone).await);
    }

    /// Whose rows a request of `login` may change.
    pub(crate) async fn traces_of(&self, login: &str) -> Result<Trail, Failure> {
        let mut session = self.session().await?;
        match session.traces(login).await {
            Ok(traces) => Ok(traces),
            Err(error) => Err(session.recover(error).await.1),
        }
    }

    /// The rows of `traces` as JSON: of each table an array, whose elements are in an order that does not depend on
    /// ids. For a test of what a request has changed, not for those who register.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows_of(&self, traces: &Trail) -> Result<String, Failure> {
        let mut session = self.session().await?;
        match session.rows(traces).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(session.recover(error).await.1),
        }
    }
}

/// Of each table its columns that a request may change, and where its rows are found, by login.
const TABLES: [(&str, &[&str], &str); 4] = [
    (
        "systems",
        &[
            "s.login",
            "s.password",
            "s.hostname",
            "s.system_token",
            "s.system_information",
            "s.registered_at",
            "s.last_seen_at",
            "s.created_at",
            "s.updated_at",
            "s.scc_registered_at",
            "s.scc_system_id",
            "s.instance_data",
            "s.proxy_byos_mode",
            "s.pubcloud_reg_code",
        ],
        "systems s WHERE s.login = ? ORDER BY s.id",
    ),
    (
        "activations",
        &[
            "t.service_id",
            "t.subscription_id",
            "t.created_at",
            "t.updated_at",
        ],
        "systems s JOIN activations t ON t.system_id = s.id WHERE s.login = ? ORDER BY s.id, t.service_id",
    ),
    (
        "system_uptimes",
        &["t.online_at_day", "t.online_at_hours"],
        "systems s JOIN system_uptimes t ON t.system_id = s.id WHERE s.login = ? ORDER BY s.id, t.online_at_day",
    ),
    (
        "profiles",
        &["p.profile_type", "p.identifier", "p.data"],
        "systems s JOIN system_profiles t ON t.system_id = s.id JOIN profiles p ON p.id = t.profile_id \
         WHERE s.login = ? ORDER BY s.id, p.profile_type, p.identifier",
    ),
];

/// Bytes, which need not be a text: RMT stores there what a client sends.
const BYTES: &str = "t.online_at_hours";

/// A row as a JSON object whose values are texts, which all servers write the same.
fn as_object(columns: &[&str]) -> String {
    let pairs: Vec<_> = columns
        .iter()
        .map(|column| {
            let text = match *column {
                BYTES => format!("HEX({column})"),
                _ => format!("CAST({column} AS CHAR)"),
            };
            format!("'{}', {text}", column.split_at(2).1)
        })
        .collect();
    format!("JSON_OBJECT({})", pairs.join(", "))
}

impl Session {
    async fn traces(&mut self, login: &str) -> Result<Trail, Interruption> {
        let statement = "SELECT scc_system_id FROM systems WHERE login = ? AND scc_system_id IS NOT NULL ORDER BY id";
        let rows = sqlx::query(statement)
            .bind(login)
            .fetch_all(self.connection())
            .await?;
        let ids = rows.iter().map(|row| row.try_get_unchecked(0));
        Ok(Trail {
            login: login.to_owned(),
            scc_system_ids: ids.collect::<Result<_, sqlx::Error>>()?,
        })
    }

    async fn rows(&mut self, traces: &Trail) -> Result<String, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let mut tables = Vec::with_capacity(TABLES.len() + 1);
            for (table, columns, place) in TABLES {
                let statement = format!("SELECT {} FROM {place}", as_object(columns));
                let rows = self.objects(statement, Some(&traces.login)).await?;
                tables.push(format!("\"{table}\":[{rows}]"));
            }
            let ids: Vec<_> = traces.scc_system_ids.iter().map(i64::to_string).collect();
            let rows = match ids.is_empty() {
                true => String::new(),
                false => {
                    let statement = format!(
                        "SELECT {} FROM deregistered_systems d WHERE d.scc_system_id IN ({}) ORDER BY d.scc_system_id",
                        as_object(&["d.scc_system_id"]),
                        ids.join(", ")
                    );
                    self.objects(statement, None).await?
                }
            };
            tables.push(format!("\"deregistered_systems\":[{rows}]"));
            Ok(format!("{{{}}}", tables.join(",")))
        })
        .await
    }

    async fn objects(
        &mut self,
        statement: String,
        login: Option<&str>,
    ) -> Result<String, Interruption> {
        let query = sqlx::query(AssertSqlSafe(statement));
        let query = match login {
            Some(login) => query.bind(login),
            None => query,
        };
        let rows = query.fetch_all(self.connection()).await?;
        let objects = rows.iter().map(|row| row.try_get_unchecked(0));
        let objects: Vec<String> = objects.collect::<Result<_, sqlx::Error>>()?;
        Ok(objects.join(","))
    }
}
