//! Which passwords were found to fit which hash a short while ago, so that a client's next request need
//! not prove it again.

use std::collections::{HashMap, VecDeque};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// How long a proof holds. A registration takes seconds, and zypper follows within minutes.
pub(super) const LIFETIME: Duration = Duration::minutes(10);

/// So many are remembered; about 1 MiB.
const MOST: usize = 8_192;

type Code = [u8; 32];

/// Which secret something is about: a code of login, password and stored value under a key that only this
/// process has. Nothing of the three can be had from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark(Code);

/// The key of a process, of a block of SHA-256: as long as HMAC takes it without hashing it first.
pub(super) struct Key(Zeroizing<[u8; KEY]>);

/// Bytes of a key.
pub(super) const KEY: usize = 64;

impl Key {
    pub fn new(bytes: Zeroizing<[u8; KEY]>) -> Self {
        Self(bytes)
    }

    /// The parts are told from each other by their lengths.
    pub fn mark(&self, parts: [&str; 3]) -> Mark {
        let mut code = Hmac::<Sha256>::new(&(*self.0).into());
        for part in parts {
            code.update(&(part.len() as u64).to_le_bytes());
            code.update(part.as_bytes());
        }
        Mark(code.finalize().into_bytes().into())
    }
}

/// The marks of what was verified. Nobody who lacks the key can choose one, so how long it takes to
/// look one up tells nothing.
pub(super) struct Verified {
    until: HashMap<Mark, OffsetDateTime>,
    /// Since all live equally long, the first is the first to go.
    order: VecDeque<Mark>,
    most: usize,
}

impl Default for Verified {
    fn default() -> Self {
        Self::bounded(MOST)
    }
}

impl Verified {
    fn bounded(most: usize) -> Self {
        Self {
            until: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    pub fn holds(&self, mark: &Mark, now: OffsetDateTime) -> bool {
        // A clock that was set back must not make it hold longer.
        self.until
            .get(mark)
            .is_some_and(|until| now < *until && *until - now <= LIFETIME)
    }

    pub fn remember(&mut self, mark: Mark, now: OffsetDateTime) {
        while let Some(first) = self.order.front()
            && (self.order.len() >= self.most || !self.holds(first, now))
        {
            let first = *first;
            self.order.pop_front();
            self.until.remove(&first);
        }
        if self.until.insert(mark, now + LIFETIME).is_some() {
            self.order.retain(|other| *other != mark);
        }
        self.order.push_back(mark);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn key(byte: u8) -> Key {
        Key::new(Zeroizing::new([byte; KEY]))
    }

    fn mark(text: &str) -> Mark {
        key(1).mark(["login", text, "hash"])
    }

    #[test]
    fn a_mark_is_of_all_three_and_of_the_key() {
        let this = key(1).mark(["a", "b", "c"]);
        assert!(this == key(1).mark(["a", "b", "c"]));
        for other in [
            key(2).mark(["a", "b", "c"]),
            key(1).mark(["x", "b", "c"]),
            key(1).mark(["a", "x", "c"]),
            key(1).mark(["a", "b", "x"]),
            key(1).mark(["ab", "", "c"]),
            key(1).mark(["", "ab", "c"]),
        ] {
            assert!(this != other);
        }
    }

    #[test]
    fn it_holds_for_its_time() {
        let mut verified = Verified::default();
        verified.remember(mark("p"), NOON);
        assert!(verified.holds(&mark("p"), NOON));
        assert!(verified.holds(&mark("p"), NOON + LIFETIME - Duration::SECOND));
        assert!(!verified.holds(&mark("p"), NOON + LIFETIME));
        assert!(!verified.holds(&mark("p"), NOON - Duration::SECOND));
        assert!(!verified.holds(&mark("q"), NOON));
    }

    #[test]
    fn it_is_bounded_and_the_oldest_goes_first() {
        let mut verified = Verified::bounded(3);
        for (second, text) in ["a", "b", "c", "a", "d"].iter().enumerate() {
            verified.remember(mark(text), NOON + Duration::seconds(second as i64));
        }
        let now = NOON + Duration::seconds(5);
        let held = ["a", "b", "c", "d"].map(|text| verified.holds(&mark(text), now));
        assert_eq!(held, [true, false, true, true]);
        assert_eq!((verified.order.len(), verified.until.len()), (3, 3));
    }

    #[test]
    fn what_no_longer_holds_makes_room() {
        let mut verified = Verified::default();
        verified.remember(mark("a"), NOON);
        verified.remember(mark("b"), NOON + LIFETIME);
        assert_eq!((verified.order.len(), verified.until.len()), (1, 1));
    }
}
