//! Where time and randomness come from: injected, so that tests decide both.

use time::{OffsetDateTime, PrimitiveDateTime};

/// What the time is.
pub trait Clock: Send + Sync {
    /// The time in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// `time` for a `datetime` column, which keeps whole seconds. Cut here and not by the database:
/// MariaDB would cut too, MySQL would round.
pub(crate) fn whole_seconds(time: OffsetDateTime) -> PrimitiveDateTime {
    let time = time.replace_nanosecond(0).unwrap_or(time);
    PrimitiveDateTime::new(time.date(), time.time())
}

/// `time` for a `datetime(6)` column, as the younger of RMT's tables have them.
pub(crate) fn microseconds(time: OffsetDateTime) -> PrimitiveDateTime {
    let time = time
        .replace_nanosecond(time.microsecond() * 1_000)
        .unwrap_or(time);
    PrimitiveDateTime::new(time.date(), time.time())
}

/// Unpredictable bytes, for logins and passwords.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`, or says why it can't.
    ///
    /// # Errors
    /// The source's own words.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String>;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The kernel's generator, asked anew each time: a generator kept in the process would repeat
/// itself in every worker that is forked from it.
pub struct OperatingSystem;

impl Entropy for OperatingSystem {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
        getrandom::fill(bytes).map_err(|e| e.to_string())
    }
}
