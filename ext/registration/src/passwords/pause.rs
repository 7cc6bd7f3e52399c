//! Replacing what is stored is left alone for a while when it failed: it would fail at each authentication,
//! each time for the price of a hash, as long as nobody mends the database.

use time::{Duration, OffsetDateTime};

use crate::{Failure, LogLine};

/// How long.
const PAUSE: Duration = Duration::MINUTE;

#[derive(Default)]
pub(super) struct Pause {
    /// `None` unless the last attempt failed.
    until: Option<OffsetDateTime>,
    unsaid: Option<LogLine>,
}

impl Pause {
    /// Whether it is to be left alone.
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        // A clock that was set back must not make it longer.
        self.until
            .is_some_and(|until| now < until && until - now <= PAUSE)
    }

    /// Whether it may be tried now. After a pause one may, and the others wait for what comes of that, so
    /// whoever may has to say that it [failed](Self::failed) or [succeeded](Self::succeeded); if not, there
    /// is another pause.
    pub fn admits(&mut self, now: OffsetDateTime) -> bool {
        if self.holds(now) {
            return false;
        }
        self.until = self.until.map(|_| now + PAUSE);
        true
    }

    pub fn failed(&mut self, now: OffsetDateTime, failure: &Failure) {
        if self.until.is_none() {
            self.unsaid = Some(LogLine::error(format!(
                "rmt_rs: passwords stay stored as they are, which is looked at again each minute: {failure}"
            )));
        }
        self.until = Some(now + PAUSE);
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A line for the log, once for each time it began to fail.
    pub fn complaint(&mut self) -> Option<LogLine> {
        self.unsaid.take()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::Error;

    const NOON: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn failure() -> Failure {
        Failure::unwritten(Error::Unavailable("read-only".to_owned()))
    }

    #[test]
    fn nothing_is_left_alone_that_succeeds() {
        let mut pause = Pause::default();
        for _ in 0..3 {
            assert!(pause.admits(NOON) && !pause.holds(NOON));
            pause.succeeded();
        }
        assert_eq!(pause.complaint(), None);
    }

    #[test]
    fn what_fails_is_tried_by_one_each_minute_and_said_once() {
        let mut pause = Pause::default();
        // Two that began together.
        assert!(pause.admits(NOON) && pause.admits(NOON));
        pause.failed(NOON, &failure());
        pause.failed(NOON, &failure());
        assert!(pause.complaint().unwrap().text.ends_with("read-only"));
        for minute in 1..4 {
            let now = NOON + PAUSE * minute;
            assert!(pause.holds(now - Duration::SECOND));
            assert!(!pause.holds(now) && pause.admits(now) && !pause.admits(now));
            pause.failed(now, &failure());
            assert_eq!(pause.complaint(), None);
        }
        // Who says nothing of it has not succeeded.
        assert!(pause.admits(NOON + PAUSE * 4) && pause.holds(NOON + PAUSE * 4));
        assert!(pause.admits(NOON + PAUSE * 5));
        pause.succeeded();
        assert!(pause.admits(NOON + PAUSE * 5) && pause.admits(NOON + PAUSE * 5));
        pause.failed(NOON + PAUSE * 5, &failure());
        assert!(pause.complaint().is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_ends_it() {
        let mut pause = Pause::default();
        pause.failed(NOON, &failure());
        assert!(pause.holds(NOON) && !pause.holds(NOON - Duration::SECOND));
    }
}
