//! Doing again what the database has undone, or may have.

use std::future::{Future, ready};
use std::time::Duration;

use crate::store::{Interruption, Mark, Recovery, Session};
use crate::timings::{self, Timings};
use crate::{Failure, Registration, Written};

/// How often something is tried: of 64 who meet on one row some lose five times in a row.
const ATTEMPTS: u32 = 8;

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

    /// What an earlier attempt has written whose end nobody has heard of. That attempt has ended, where
    /// the server could be asked to end it. Who does not look says that doing it again does no harm.
    fn look(
        &self,
        _: &mut Session,
    ) -> impl Future<Output = Result<Traces<Self::Output>, Interruption>> + Send {
        ready(Ok(Traces::Harmless))
    }
}

/// What an earlier attempt has left.
pub(crate) enum Traces<T> {
    /// All of it is there.
    Done(T),
    /// Nothing.
    None,
    /// What is done again writes the same once more, or finds it.
    Harmless,
}

/// What the attempts so far have written.
#[derive(Debug, Clone)]
pub(crate) enum Earlier {
    /// Nothing.
    Nothing,
    /// Nobody knows until it is looked for. Of a session that was lost here is its mark, if it had one.
    Perhaps(Option<Mark>),
}

impl Earlier {
    /// And one more, that failed. What an earlier one may have written is not undone by that.
    pub fn and(self, recovery: &Recovery) -> Self {
        match recovery {
            Recovery::LookFirst(lost) => Self::Perhaps(lost.clone()),
            Recovery::Again | Recovery::None => self,
        }
    }

    fn written(&self) -> Written {
        match self {
            Self::Nothing => Written::No,
            Self::Perhaps(_) => Written::Perhaps,
        }
    }
}

impl Registration {
    /// Carries `work` out until it succeeded or cannot. Nothing of a failed attempt remains when the
    /// next one starts.
    pub(crate) async fn carry_out<W: Work>(&self, work: &W) -> Result<W::Output, Failure> {
        self.carry_out_after(Earlier::Nothing, work).await
    }

    /// As [`Registration::carry_out`], when it was tried already.
    pub(crate) async fn carry_out_after<W: Work>(
        &self,
        mut earlier: Earlier,
        work: &W,
    ) -> Result<W::Output, Failure> {
        let mut attempt = 1;
        loop {
            let session = self.store.session().await;
            let mut session = session.map_err(|failure| failure.after(earlier.written()))?;
            if session.has_versions() {
                self.render_ahead_at_first();
            }
            let interruption = match attempt_once(work, &mut earlier, &mut session).await {
                Ok(output) => return Ok(output),
                Err(interruption) => interruption,
            };
            let (recovery, failure) = session.recover(interruption).await;
            if recovery == Recovery::None || attempt == ATTEMPTS {
                return Err(failure.after(earlier.written()));
            }
            earlier = earlier.and(&recovery);
            tokio::time::sleep(self.backoff(attempt)).await;
            attempt += 1;
            timings::add(Timings {
                retries: 1,
                ..Timings::default()
            });
        }
    }

    /// Up to 5, 10, 20 … 320 ms: those who met in a deadlock shall not meet again.
    fn backoff(&self, attempt: u32) -> Duration {
        let mut jitter = [0];
        if self.entropy.fill(&mut jitter).is_err() {
            jitter = [128];
        }
        Duration::from_micros(5_000 << (attempt - 1)).mul_f64(f64::from(jitter[0]) / 255.0)
    }
}

async fn attempt_once<W: Work>(
    work: &W,
    earlier: &mut Earlier,
    session: &mut Session,
) -> Result<W::Output, Interruption> {
    if let Earlier::Perhaps(lost) = earlier {
        if let Some(mark) = lost {
            session.end(mark).await?;
        }
        match work.look(session).await? {
            Traces::Done(output) => return Ok(output),
            Traces::None => *earlier = Earlier::Nothing,
            Traces::Harmless => {}
        }
    }
    work.run(session).await
}
