//! One operation's connection: how it fails and how it recovers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, MySqlConnection, Row};

use super::fault::{Fault, classify, describe};
use super::pool::{Lent, Pool, Pooled};
use crate::Progress;
use crate::error::{Error, Failure, Written};
use crate::source::{OperatingSystem, random_hex};
use crate::timings::Held;

/// A connection lent by the pool for one operation. Dropped, it goes back; after a failure
/// [`Session::recover`] or [`Session::give_up`] decide whether it may.
///
/// The futures of its methods must be driven to their end: half an exchange with the server would
/// be taken for the answer to the next one. Operations therefore run as tasks of their own, which
/// nobody cancels.
pub struct Session {
    connection: Lent,
    pool: Pool,
    statement_timeout: Duration,
    writing: bool,
    _held: Held,
}

/// A rollback that takes longer is left to the server, by closing the connection.
pub(super) const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a statement (or several) did not go through.
#[derive(Debug)]
pub enum Interruption {
    /// Decided here, not by the database.
    Stop(Failure),
    /// The database or the way to it.
    Database(sqlx::Error),
    /// No answer in time.
    Silence(Duration),
}

impl From<sqlx::Error> for Interruption {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Interruption {
    fn from(failure: Failure) -> Self {
        Self::Stop(failure)
    }
}

/// What may be done after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing: the failure is the result.
    None,
    /// The same again, in a new session: no write was begun.
    Again,
    /// The same again, once it is known what this attempt has written. The failure says what is known
    /// now. Of a lost session here is its mark, if it had one.
    LookFirst(Option<Mark>),
}

/// What tells a session from all others: the name of a lock that it holds from its beginning to its end.
/// The server gives the lock back when all that the session has begun is undone or committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(Arc<str>);

impl Mark {
    /// Marks the session; `None` where the server cannot, as in a Galera cluster.
    pub(super) async fn set(wire: &mut MySqlConnection) -> Result<Option<Self>, sqlx::Error> {
        let Ok(random) = random_hex::<16>(&OperatingSystem) else {
            return Ok(None);
        };
        let name = format!("rmt_rs-{random}");
        let query = AssertSqlSafe(format!("SELECT GET_LOCK('{name}', 0)"));
        match wire.fetch_one(query).await {
            Ok(row) => {
                let held: Option<i64> = row.try_get_unchecked(0)?;
                Ok((held == Some(1)).then(|| Self(name.into())))
            }
            // With an error that passes it is not opened: it would go on without a mark.
            Err(error) => match classify(&error) {
                Fault::Lost | Fault::Misread | Fault::Rollback | Fault::ReadOnly => Err(error),
                _ => Ok(None),
            },
        }
    }
}

impl Session {
    pub(super) fn new(connection: Lent, pool: Pool, statement_timeout: Duration) -> Self {
        Self {
            connection,
            pool,
            statement_timeout,
            writing: false,
            _held: Held::new(),
        }
    }

    pub(super) fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.connection.wire
    }

    /// Refuses a statement whose values have `length` bytes together when the server would not only
    /// refuse it but hang up. What the server reads was asked when the connection was opened and may be
    /// more by now, so a connection that has refused is not used again.
    ///
    /// # Errors
    /// [`Error::BadInput`].
    pub(crate) fn check_length(&mut self, length: usize) -> Result<(), Failure> {
        if length <= self.longest_values() {
            return Ok(());
        }
        self.connection.outdated = true;
        Err(Failure::unwritten(too_long()))
    }

    /// Bytes that the values of a statement may have together.
    pub(crate) fn longest_values(&self) -> usize {
        // What a statement has besides its values.
        const REST: usize = 4096;
        self.connection.longest_packet.saturating_sub(REST)
    }

    /// Whether the server answers `INSERT … RETURNING`.
    pub(crate) fn returns_rows(&self) -> bool {
        self.connection.returns_rows
    }

    /// To be called before the first statement that writes.
    pub(crate) fn begin_write(&mut self, progress: &Progress) -> Result<(), Failure> {
        progress.begin_write()?;
        self.writing = true;
        Ok(())
    }

    /// Bounds the time of `statements`, all those of one attempt.
    pub(crate) async fn bounded<T>(
        limit: Duration,
        statements: impl Future<Output = Result<T, Interruption>>,
    ) -> Result<T, Interruption> {
        tokio::time::timeout(limit, statements)
            .await
            .unwrap_or(Err(Interruption::Silence(limit)))
    }

    /// Whether the catalog had versions when the connection was opened.
    pub(crate) fn has_versions(&self) -> bool {
        self.connection.versions
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    /// Ends the session of that `mark`, which was lost here but perhaps not there: behind a proxy it can
    /// live on, with a statement that is yet to arrive. When this returns nothing more comes of it.
    ///
    /// # Errors
    /// That it does not end, and what the database says.
    pub(crate) async fn end(&mut self, mark: &Mark) -> Result<(), Interruption> {
        let limit = self.statement_timeout();
        let Mark(name) = mark;
        let kill = AssertSqlSafe(format!("KILL CONNECTION IS_USED_LOCK('{name}')"));
        let wait = limit.as_secs_f64() / 2.0;
        let wait = AssertSqlSafe(format!(
            "SELECT GET_LOCK('{name}', {wait}) AND RELEASE_LOCK('{name}')"
        ));
        Self::bounded(limit, async {
            match self.connection().execute(kill).await {
                Ok(_) => {}
                // Mostly there is no such session any more.
                Err(error) if error.as_database_error().is_some() => {}
                Err(error) => return Err(error.into()),
            }
            let row = self.connection().fetch_one(wait).await?;
            let ended: Option<i64> = row.try_get_unchecked(0)?;
            if ended == Some(1) {
                return Ok(());
            }
            let what = "a lost session has not ended".to_owned();
            Err(Failure::perhaps_written(Error::Unavailable(what)).into())
        })
        .await
    }

    pub(super) fn transaction_is_open(&mut self, open: bool) {
        self.connection.in_transaction = open;
    }

    /// Opens a transaction; [`Session::commit`] ends it, [`Session::recover`] undoes it.
    pub(crate) async fn begin(&mut self) -> Result<(), Interruption> {
        if self.is_rehearsing() {
            return Ok(());
        }
        self.transaction_is_open(true);
        self.connection.wire.execute("START TRANSACTION").await?;
        Ok(())
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Interruption> {
        if self.is_rehearsing() {
            return Ok(());
        }
        self.connection.wire.execute("COMMIT").await?;
        self.transaction_is_open(false);
        Ok(())
    }

    /// Ends the session after `interruption`: undoes what is open, keeps or discards the connection,
    /// and says what may be done next and what to report if nothing is.
    pub async fn recover(self, interruption: Interruption) -> (Recovery, Failure) {
        if self.is_rehearsing() {
            return (
                Recovery::None,
                Failure::unwritten(self.stumble(interruption)),
            );
        }
        let error = match interruption {
            Interruption::Database(error) => error,
            Interruption::Stop(failure) => {
                self.roll_back().await;
                return (Recovery::None, failure);
            }
            Interruption::Silence(_) => {
                let written = self.written();
                let error = self.give_up(interruption);
                return (Recovery::None, Failure { error, written });
            }
        };
        let text = describe(&error);
        let (recovery, error) = match classify(&error) {
            Fault::Lost => {
                let written = self.written();
                let recovery = self.again(self.connection.mark.clone());
                let error = self.give_up(Interruption::Database(error));
                return (recovery, Failure { error, written });
            }
            Fault::ReadOnly | Fault::NoVersions => {
                // Behind a proxy the next connection may lead to a server that takes writes; and the
                // next one knows that the catalog has no versions any more.
                let recovery = self.again(None);
                let error = self.give_up(Interruption::Database(error));
                return (recovery, Failure::unwritten(error));
            }
            Fault::Misread => {
                let written = self.written();
                self.discard();
                let error = Error::Internal(text);
                return (Recovery::None, Failure { error, written });
            }
            Fault::TooLong => {
                self.discard();
                return (Recovery::None, Failure::unwritten(too_long()));
            }
            Fault::Value(complaint) => (Recovery::None, Error::BadInput(complaint)),
            Fault::Rollback | Fault::Race => (self.again(None), Error::Unavailable(text)),
            Fault::Server => (Recovery::None, Error::Unavailable(text)),
            Fault::Schema => (Recovery::None, Error::Internal(text)),
        };
        // The server has undone the statement; here goes the rest of the transaction.
        self.roll_back().await;
        (recovery, Failure::unwritten(error))
    }

    /// Ends the session and its connection. What is idle in the pool was opened earlier and has
    /// most likely met the same fate.
    pub fn give_up(self, interruption: Interruption) -> Error {
        if self.is_rehearsing() {
            return self.stumble(interruption);
        }
        drop(self.pool.retain(|_, _| false));
        self.discard();
        match interruption {
            Interruption::Stop(failure) => Error::Unavailable(failure.to_string()),
            Interruption::Database(error) => Error::Unavailable(describe(&error)),
            Interruption::Silence(limit) => Error::Silent(silence(limit)),
        }
    }

    /// An error of the server says that nothing was written. To look all the same costs little, and
    /// keeps the promise where a proxy has made the error up.
    fn again(&self, lost: Option<Mark>) -> Recovery {
        match self.writing {
            true => Recovery::LookFirst(lost),
            false => Recovery::Again,
        }
    }

    fn written(&self) -> Written {
        if self.writing {
            Written::Perhaps
        } else {
            Written::No
        }
    }

    async fn roll_back(mut self) {
        if !self.connection.in_transaction {
            return;
        }
        let undone =
            tokio::time::timeout(ROLLBACK_TIMEOUT, self.connection.wire.execute("ROLLBACK"));
        if !matches!(undone.await, Ok(Ok(_))) {
            self.discard();
        }
    }

    fn discard(self) {
        if let Lent::Pool(connection) = self.connection {
            drop(Pooled::take(connection));
        }
    }

    /// Whether nothing of it is to last: its transaction was opened before, and is not this session's to end.
    pub(super) fn is_rehearsing(&self) -> bool {
        matches!(self.connection, Lent::Stage(..))
    }

    /// What comes of a failure in a rehearsal. What would be told the client is told; after anything else, which
    /// might be tried again or might have ended the transaction, the rehearsal is over.
    fn stumble(self, interruption: Interruption) -> Error {
        let error = match interruption {
            Interruption::Stop(failure) => return failure.error,
            Interruption::Database(error) => match classify(&error) {
                Fault::Value(complaint) => return Error::BadInput(complaint),
                _ => Error::Unavailable(describe(&error)),
            },
            Interruption::Silence(limit) => Error::Unavailable(silence(limit)),
        };
        if let Lent::Stage(_, stage) = &self.connection {
            stage.end();
        }
        error
    }
}

fn silence(limit: Duration) -> String {
    format!("no answer within {} ms", limit.as_millis())
}

fn too_long() -> Error {
    Error::BadInput("The request is too large to be stored".to_owned())
}
