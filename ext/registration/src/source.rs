//! Where time and randomness come from: injected, so that tests decide both.

use time::{OffsetDateTime, PrimitiveDateTime};

use crate::error::{Error, Failure};

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

/// A random UUID (version 4), as RMT's tokens are (`SecureRandom.uuid`).
pub(crate) fn uuid(entropy: &dyn Entropy) -> Result<String, Failure> {
    let mut bytes = [0; 16];
    fill(entropy, &mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}

/// `2 * BYTES` random hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>(entropy: &dyn Entropy) -> Result<String, Failure> {
    let mut bytes = [0; BYTES];
    fill(entropy, &mut bytes)?;
    Ok(hex(&bytes))
}

pub(crate) fn fill(entropy: &dyn Entropy, bytes: &mut [u8]) -> Result<(), Failure> {
    entropy
        .fill(bytes)
        .map_err(|e| Failure::unwritten(Error::Internal(format!("no randomness: {e}"))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let uuid = |byte| uuid(&Constant(byte)).unwrap();
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(255), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
