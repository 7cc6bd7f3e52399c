//! Doing again what the database has undone.

use std::future::Future;
use std::time::Duration;

use crate::store::{Interruption, Recovery, Session};
use crate::{Failure, Registration, Written};

/// How often something is tried.
const ATTEMPTS: u32 = 5;

/// Statements that are carried out as a whole, and may be again when the database has rolled them
/// back or the connection was lost.
pub(crate) trait Work: Sync {
    /// What comes of it.
    type Output: Send;

    /// All of the statements, from the first to the commit.
    fn run(
        &self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Self::Output, Interruption>> + Send;

    /// What an attempt has written whose connection was lost; nothing has to be found where doing
    /// it again does no harm.
    fn look(
        &self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Option<Self::Output>, Interruption>> + Send;
}

impl Registration {
    /// Carries `work` out until it succeeded or cannot. Nothing of a failed attempt remains when the
    /// next one starts.
    pub(crate) async fn carry_out<W: Work>(&self, work: &W) -> Result<W::Output, Failure> {
        self.carry_out_after(Written::No, work).await
    }

    /// As [`Registration::carry_out`], when it was tried already and may have been `written` then.
    pub(crate) async fn carry_out_after<W: Work>(
        &self,
        mut written: Written,
        work: &W,
    ) -> Result<W::Output, Failure> {
        let mut attempt = 1;
        loop {
            let session = self.store.session().await;
            let mut session = session.map_err(|failure| Failure { written, ..failure })?;
            if session.has_versions() {
                self.render_ahead_at_first();
            }
            if written == Written::Perhaps {
                match work.look(&mut session).await {
                    Ok(Some(output)) => return Ok(output),
                    Ok(None) => {}
                    Err(error) => return Err(Failure::perhaps_written(session.give_up(error))),
                }
            }
            let interruption = match work.run(&mut session).await {
                Ok(output) => return Ok(output),
                Err(interruption) => interruption,
            };
            let (recovery, failure) = session.recover(interruption).await;
            written = match recovery {
                Recovery::None => return Err(failure),
                Recovery::Again => Written::No,
                Recovery::LookFirst => Written::Perhaps,
            };
            if attempt == ATTEMPTS {
                return Err(Failure { written, ..failure });
            }
            tokio::time::sleep(self.backoff(attempt)).await;
            attempt += 1;
        }
    }

    /// Up to 5, 10, 20, 40 ms: those who met in a deadlock shall not meet again.
    fn backoff(&self, attempt: u32) -> Duration {
        let mut jitter = [0];
        if self.entropy.fill(&mut jitter).is_err() {
            jitter = [128];
        }
        Duration::from_micros(5_000 << (attempt - 1)).mul_f64(f64::from(jitter[0]) / 255.0)
    }
}
