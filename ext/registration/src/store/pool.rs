//! The connection pool of a process.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult, TimeoutType};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, MySqlConnection, Row};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::config::{DatabaseConfig, Secret, TlsMode};
use super::fault::{denies_us, describe};
use super::session::{Mark, Session};
use super::stage::Stage;
use crate::error::{Error, Failure};
use crate::timings::{self, Timings};

/// A connection that was used this recently is taken for alive.
const FRESH: Duration = Duration::from_secs(30);

/// A ping that takes longer means the connection is dead.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) type Pool = managed::Pool<Connector>;
pub(super) type Pooled = managed::Object<Connector>;

/// The database of this process: a pool that opens connections as they are needed. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    config: Arc<DatabaseConfig>,
    returns_rows: Arc<AtomicBool>,
    reached: Arc<AtomicBool>,
    /// Where everything is only rehearsed.
    stage: Option<Arc<Stage>>,
}

impl Store {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// [`Error::Internal`] when `config` makes no sense to the pool.
    pub fn new(config: &DatabaseConfig) -> Result<Self, Failure> {
        let internal = |what: String| Failure::unwritten(Error::Internal(what));
        let connector = Connector::new(config).map_err(|e| internal(e.to_string()))?;
        let returns_rows = Arc::clone(&connector.returns_rows);
        let reached = Arc::clone(&connector.reached);
        let pool = Pool::builder(connector)
            .max_size(config.pool)
            .wait_timeout(Some(config.pool_timeout()))
            .create_timeout(Some(config.connect_timeout()))
            .recycle_timeout(Some(PING_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| internal(e.to_string()))?;
        Ok(Self {
            pool,
            config: Arc::new(config.clone()),
            returns_rows,
            reached,
            stage: None,
        })
    }

    pub(super) fn on(&self, stage: Arc<Stage>) -> Self {
        Self {
            stage: Some(stage),
            ..self.clone()
        }
    }

    pub(super) fn stage(&self) -> Option<&Arc<Stage>> {
        self.stage.as_ref()
    }

    pub(crate) fn is_rehearsing(&self) -> bool {
        self.stage.is_some()
    }

    /// Whether the server that was last connected to answers `INSERT … RETURNING`; before the first
    /// connection that is assumed. Who rehearses has nobody to share a statement with.
    pub(crate) fn returns_rows(&self) -> bool {
        self.stage.is_none() && self.returns_rows.load(Ordering::Relaxed)
    }

    /// A connection for one operation.
    ///
    /// # Errors
    /// [`Error::Refused`] when none can be opened though Ruby may have one, [`Error::Unavailable`] when
    /// Ruby would fare no better, [`Error::Silent`] when none was free or open in time.
    pub async fn session(&self) -> Result<Session, Failure> {
        let connection = match &self.stage {
            Some(stage) => Lent::Stage(stage.enter().await?, Arc::clone(stage)),
            None => Lent::Pool(self.pooled().await?),
        };
        let timeout = self.config.statement_timeout();
        Ok(Session::new(connection, self.pool.clone(), timeout))
    }

    pub(super) async fn pooled(&self) -> Result<Pooled, Failure> {
        let begun = Instant::now();
        let connection = self.pool.get().await;
        timings::add(Timings {
            queue: begun.elapsed(),
            ..Timings::default()
        });
        connection.map_err(|error| Failure::unwritten(self.refusal(error)))
    }

    /// Connections at most, those that are open, those that are lent, and who waits for one.
    pub(crate) fn gauges(&self) -> (usize, usize, usize, usize) {
        let status = self.pool.status();
        let busy = status.size.saturating_sub(status.available);
        (status.max_size, status.size, busy, status.waiting)
    }

    /// Says goodbye to the server on every idle connection and lets nobody in any more.
    pub async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for Connection { wire, .. } in idle {
            // The server notices a closed socket as well, it only complains in its log.
            let _ = tokio::time::timeout(PING_TIMEOUT, wire.close()).await;
        }
    }

    fn refusal(&self, error: PoolError<sqlx::Error>) -> Error {
        match error {
            // Settings that have led to the server before are right: it is the server that fails, Ruby, too.
            PoolError::Backend(error)
                if !denies_us(&error, self.reached.load(Ordering::Relaxed)) =>
            {
                Error::Unavailable(format!("no connection: {}", describe(&error)))
            }
            PoolError::Backend(error) => Error::Refused(error.to_string()),
            PoolError::Timeout(TimeoutType::Wait) => Error::Silent(format!(
                "all {} connections were busy for {} ms",
                self.config.pool, self.config.pool_timeout_ms
            )),
            PoolError::Timeout(_) => Error::Silent(format!(
                "no connection within {} ms",
                self.config.connect_timeout_ms
            )),
            other => Error::Refused(other.to_string()),
        }
    }
}

/// Where a session's connection goes back to.
pub(super) enum Lent {
    Pool(Pooled),
    Stage(OwnedMutexGuard<Connection>, Arc<Stage>),
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Pool(pooled) => pooled,
            Self::Stage(connection, _) => connection,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Pool(pooled) => pooled,
            Self::Stage(connection, _) => connection,
        }
    }
}

/// A connection and what the server said of itself when it was opened.
pub struct Connection {
    pub(super) wire: MySqlConnection,
    /// `max_allowed_packet`: the server hangs up on longer statements.
    pub(super) longest_packet: usize,
    /// Whether it answers `INSERT … RETURNING`.
    pub(super) returns_rows: bool,
    /// Whether the catalog has versions.
    pub(super) versions: bool,
    /// Whether the server may say otherwise by now: the next operation shall have another connection.
    pub(super) outdated: bool,
    /// By which the server finds the session; `None` where it cannot.
    pub(super) mark: Option<Mark>,
    /// Whether a transaction may be open. Nobody gets the connection then: what he writes would be
    /// part of it.
    pub(super) in_transaction: bool,
}

/// Opens connections whose session is the one Rails opens.
pub(super) struct Connector {
    options: MySqlConnectOptions,
    session: String,
    /// What the server said last.
    returns_rows: Arc<AtomicBool>,
    /// Whether a connection was ever opened.
    reached: Arc<AtomicBool>,
}

impl Connector {
    fn new(config: &DatabaseConfig) -> Result<Self, sqlx::Error> {
        let mut options = MySqlConnectOptions::new()
            .username(&config.username)
            .database(&config.database)
            // Everything about the session is said in one statement of our own, below.
            .set_names(false)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // A statement's text could hold what nobody may read in a log.
            .disable_statement_logging();
        options = match &config.socket {
            Some(path) => options.socket(path),
            None => options.host(&config.host).port(config.port),
        };
        if let Some(password) = config.password.as_ref().map(Secret::reveal) {
            options = options.password(password);
        }
        options = options.ssl_mode(match config.tls.mode {
            TlsMode::Disabled => MySqlSslMode::Disabled,
            TlsMode::Preferred => MySqlSslMode::Preferred,
            TlsMode::Required => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyIdentity => MySqlSslMode::VerifyIdentity,
        });
        if let Some(ca) = &config.tls.ca {
            options = options.ssl_ca(ca);
        }
        if let Some(cert) = &config.tls.cert {
            options = options.ssl_client_cert(cert);
        }
        if let Some(key) = &config.tls.key {
            options = options.ssl_client_key(key);
        }
        Ok(Self {
            options,
            session: session_statement(config)?,
            returns_rows: Arc::new(AtomicBool::new(true)),
            reached: Arc::new(AtomicBool::new(false)),
        })
    }
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Connection, sqlx::Error> {
        let mut wire = self.options.connect().await?;
        wire.execute(AssertSqlSafe(self.session.clone())).await?;
        let complete = super::versions::complete();
        let questions = format!("SELECT @@max_allowed_packet, VERSION(), {complete}");
        let row = wire.fetch_one(AssertSqlSafe(questions)).await?;
        let longest: u64 = row.try_get_unchecked(0)?;
        let version: String = row.try_get_unchecked(1)?;
        let versions: i64 = row.try_get_unchecked(2)?;
        let returns_rows = returns_rows(&version);
        self.returns_rows.store(returns_rows, Ordering::Relaxed);
        let mark = Mark::set(&mut wire).await?;
        self.reached.store(true, Ordering::Relaxed);
        Ok(Connection {
            wire,
            longest_packet: usize::try_from(longest).unwrap_or(usize::MAX),
            returns_rows,
            versions: versions == 1,
            outdated: false,
            mark,
            in_transaction: false,
        })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if connection.outdated {
            return Err(RecycleError::message("the server is to be asked anew"));
        }
        if connection.in_transaction {
            // Whoever had it panicked.
            return Err(RecycleError::message("a transaction was left open"));
        }
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        connection.wire.ping().await.map_err(RecycleError::Backend)
    }
}

/// Whether a server of this version answers `INSERT … RETURNING`: MariaDB does since 10.5, MySQL does not.
fn returns_rows(version: &str) -> bool {
    let Some((numbers, _)) = version.split_once("-MariaDB") else {
        return false;
    };
    // What MariaDB puts before its own version where a client could take 10 for less than 5.
    let numbers = numbers.strip_prefix("5.5.5-").unwrap_or(numbers);
    let mut numbers = numbers
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(10), Some(5))
}

/// `SET NAMES … [COLLATE …], …`, what Rails' `configure_connection` sends.
fn session_statement(config: &DatabaseConfig) -> Result<String, sqlx::Error> {
    let mut statement = format!("SET NAMES {}", Name::from_str(&config.encoding)?.0);
    if let Some(collation) = &config.collation {
        statement.push_str(" COLLATE ");
        statement.push_str(&Name::from_str(collation)?.0);
    }
    if !config.session.is_empty() {
        statement.push_str(", ");
        statement.push_str(&config.session);
    }
    Ok(statement)
}

/// The name of a character set or collation: it cannot be bound, so it has to be harmless.
struct Name(String);

impl FromStr for Name {
    type Err = sqlx::Error;

    fn from_str(text: &str) -> Result<Self, sqlx::Error> {
        let harmless = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || !text.chars().all(harmless) {
            let what = format!("no character set or collation: {text:?}");
            return Err(sqlx::Error::Configuration(what.into()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_returns_rows_since_10_5() {
        for version in [
            "10.5.0-MariaDB",
            "10.11.6-MariaDB-log",
            "5.5.5-10.6.4-MariaDB-1:10.6.4+maria~focal",
            "11.0.2-MariaDB",
        ] {
            assert!(returns_rows(version), "{version}");
        }
        for version in [
            "10.4.99-MariaDB",
            "5.5.5-10.4.1-MariaDB",
            "5.5.68-MariaDB",
            "8.0.36",
            "10.6",
            "",
        ] {
            assert!(!returns_rows(version), "{version}");
        }
    }
}
