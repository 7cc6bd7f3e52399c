//! The connection pool of a process.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult, TimeoutType};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, MySqlConnection, Row};

use super::config::{DatabaseConfig, Secret, TlsMode};
use super::session::Session;
use crate::error::{Error, Failure};

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
}

impl Store {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// [`Error::Internal`] when `config` makes no sense to the pool.
    pub fn new(config: &DatabaseConfig) -> Result<Self, Failure> {
        let internal = |what: String| Failure::unwritten(Error::Internal(what));
        let connector = Connector::new(config).map_err(|e| internal(e.to_string()))?;
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
        })
    }

    /// A connection for one operation.
    ///
    /// # Errors
    /// [`Error::Refused`] when none can be opened, [`Error::Unavailable`] when none was free or
    /// open in time.
    pub async fn session(&self) -> Result<Session, Failure> {
        match self.pool.get().await {
            Ok(connection) => Ok(Session::new(
                connection,
                self.pool.clone(),
                self.config.statement_timeout(),
            )),
            Err(error) => Err(Failure::unwritten(self.refusal(error))),
        }
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
            PoolError::Backend(error) => Error::Refused(error.to_string()),
            PoolError::Timeout(TimeoutType::Wait) => Error::Unavailable(format!(
                "all {} connections were busy for {} ms",
                self.config.pool, self.config.pool_timeout_ms
            )),
            PoolError::Timeout(_) => Error::Unavailable(format!(
                "no connection within {} ms",
                self.config.connect_timeout_ms
            )),
            other => Error::Refused(other.to_string()),
        }
    }
}

/// A connection and what the server said of itself when it was opened.
pub struct Connection {
    pub(super) wire: MySqlConnection,
    /// `max_allowed_packet`: the server hangs up on longer statements.
    pub(super) longest_packet: usize,
    /// Whether the catalog has versions.
    pub(super) versions: bool,
}

/// Opens connections whose session is the one Rails opens.
pub(super) struct Connector {
    options: MySqlConnectOptions,
    session: String,
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
        let questions = format!("SELECT @@max_allowed_packet, {complete}");
        let row = wire.fetch_one(AssertSqlSafe(questions)).await?;
        let longest: u64 = row.try_get_unchecked(0)?;
        let versions: i64 = row.try_get_unchecked(1)?;
        Ok(Connection {
            wire,
            longest_packet: usize::try_from(longest).unwrap_or(usize::MAX),
            versions: versions == 1,
        })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        connection.wire.ping().await.map_err(RecycleError::Backend)
    }
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
