//! The agreement between who waits for an operation and who carries it out.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Failure, Written};

/// How far an operation got. Exactly one of two things happens: the operation passes
/// [`Progress::begin_write`] and then finishes what it writes whoever waits, or the one who waits
/// [abandons](Progress::abandon) it before and it never writes. So a request that was given up can
/// be served by other means without ever being served twice.
///
/// A clone is another hold on the same agreement.
#[derive(Clone, Default)]
pub struct Progress(Arc<Agreement>);

#[derive(Default)]
struct Agreement {
    state: Mutex<State>,
    /// Whether the client is gone.
    left: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Pending,
    Writing,
    Abandoned,
}

impl Progress {
    /// Of an operation for a client that may leave: `left` is asked right before each write whether
    /// it has. It is asked no more once [`Progress::abandon`] has returned, must not wait, and must be
    /// sure: what it says is gone is not served.
    ///
    /// ```
    /// use registration::Progress;
    ///
    /// assert!(Progress::for_client(|| false).begin_write().is_ok());
    /// assert!(Progress::for_client(|| true).begin_write().is_err());
    /// ```
    pub fn for_client(left: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Agreement {
            state: Mutex::default(),
            left: Some(Box::new(left)),
        }))
    }

    /// Called by the operation before the first write of every attempt.
    ///
    /// # Errors
    /// [`Error::Abandoned`] when nobody waits any more: what an earlier attempt wrote, if anything,
    /// was undone, and is not written again for nobody.
    pub fn begin_write(&self) -> Result<(), Failure> {
        // Held while the client is looked for, so that who abandons waits for the end of that.
        let mut state = self.lock();
        let left = || self.0.left.as_ref().is_some_and(|left| left());
        if matches!(*state, State::Abandoned) || left() {
            *state = State::Abandoned;
            return Err(Failure::unwritten(Error::Abandoned));
        }
        *state = State::Writing;
        Ok(())
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(*self.lock(), State::Abandoned)
    }

    /// Called by the one who waits no longer. What it returns says whether the operation may
    /// already have written.
    pub fn abandon(&self) -> Written {
        match std::mem::replace(&mut *self.lock(), State::Abandoned) {
            State::Writing => Written::Perhaps,
            State::Pending | State::Abandoned => Written::No,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A state is always whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&*self.lock()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_write_that_began_cannot_be_called_off_but_is_not_repeated() {
        let progress = Progress::default();
        progress.begin_write().unwrap();
        progress.begin_write().unwrap();
        assert_eq!(progress.abandon(), Written::Perhaps);
        assert!(progress.begin_write().is_err());
    }

    #[test]
    fn what_was_abandoned_never_writes() {
        let progress = Progress::default();
        assert_eq!(progress.abandon(), Written::No);
        let failure = progress.begin_write().unwrap_err();
        assert!(matches!(failure.error, Error::Abandoned));
        assert_eq!(failure.written, Written::No);
        assert_eq!(progress.abandon(), Written::No);
    }

    #[test]
    fn nothing_is_written_nor_written_again_for_a_client_that_left() {
        let left = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&left);
        let progress = Progress::for_client(move || gone.load(Ordering::Relaxed));
        progress.begin_write().unwrap();
        left.store(true, Ordering::Relaxed);
        let failure = progress.begin_write().unwrap_err();
        assert!(matches!(failure.error, Error::Abandoned));
        // It is not asked for again: the agreement holds.
        left.store(false, Ordering::Relaxed);
        assert!(progress.begin_write().is_err());
    }

    #[test]
    fn nobody_looks_for_a_client_that_is_no_longer_waited_for() {
        let looks = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&looks);
        let progress = Progress::for_client(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        });
        progress.begin_write().unwrap();
        progress.abandon();
        assert!(progress.begin_write().is_err());
        assert_eq!(looks.load(Ordering::Relaxed), 1);
    }
}
