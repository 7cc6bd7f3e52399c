//! The agreement between who waits for an operation and who carries it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Failure, Written};

const PENDING: u8 = 0;
const WRITING: u8 = 1;
const ABANDONED: u8 = 2;

/// How far an operation got. Exactly one of two things happens: the operation passes
/// [`Progress::begin_write`] and then finishes what it writes whoever waits, or the one who waits
/// [abandons](Progress::abandon) it before and it never writes. So a request that was given up can
/// be served by other means without ever being served twice.
///
/// A clone is another hold on the same agreement.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Called by the operation before the first write of every attempt.
    ///
    /// # Errors
    /// [`Error::Abandoned`] when nobody waits any more: what an earlier attempt wrote, if anything,
    /// was undone, and is not written again for nobody.
    pub fn begin_write(&self) -> Result<(), Failure> {
        match self
            .0
            .compare_exchange(PENDING, WRITING, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(WRITING) => Ok(()),
            Err(_) => Err(Failure::unwritten(Error::Abandoned)),
        }
    }

    /// Called by the one who waits no longer. What it returns says whether the operation may
    /// already have written.
    pub fn abandon(&self) -> Written {
        match self.0.swap(ABANDONED, Ordering::AcqRel) {
            WRITING => Written::Perhaps,
            _ => Written::No,
        }
    }
}

#[cfg(test)]
mod tests {
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
}
