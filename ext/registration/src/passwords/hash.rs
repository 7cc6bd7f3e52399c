//! Argon2id strings in the PHC form, as they are kept in `systems.password`.

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

/// What a stored value begins with that is no plain password. Nobody's password does: RMT's are
/// hexadecimal.
const PREFIX: &str = "$argon2";

/// Bytes of randomness in a hash, as RFC 9106 recommends.
pub(super) const SALT: usize = 16;

/// Bytes of a hash proper.
const OUTPUT: usize = 32;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes; they are computed one after the other.
    pub parallelism: u32,
}

impl Cost {
    /// Beyond this a string is taken for damaged: it is read from the database, and must not make a
    /// process run out of memory or time.
    pub const MOST: Self = Self {
        memory: 262_144,
        iterations: 64,
        parallelism: 16,
    };

    fn params(self) -> Option<Params> {
        let Self {
            memory,
            iterations,
            parallelism,
        } = self;
        let most = Self::MOST;
        let bearable = memory <= most.memory
            && iterations <= most.iterations
            && parallelism <= most.parallelism;
        let params = Params::new(memory, iterations, parallelism, Some(OUTPUT)).ok();
        params.filter(|_| bearable)
    }
}

/// What a value of `systems.password` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The password itself.
    Plain,
    /// A hash of the configured cost.
    Current,
    /// A hash of another cost.
    Outdated,
    /// Something that begins as a hash, and is none that could be computed. No password fits.
    Damaged,
}

/// A stored hash, taken apart.
pub(super) struct Stored {
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    pub fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let cost = cost(&params);
        let known = hash.algorithm == ARGON2ID_IDENT
            && hash.version == Some(Version::V0x13.into())
            && cost.params().is_some()
            && params.keyid().is_empty()
            && params.data().is_empty();
        let (salt, output) = (hash.salt?, hash.hash?);
        (known && output.len() == OUTPUT).then_some(Self {
            params,
            salt,
            output,
        })
    }

    /// Whether it is `password`'s. Compared in constant time.
    pub fn fits(&self, password: &[u8], memory: &mut Memory) -> bool {
        let computed = compute(&self.params, password, &self.salt, memory);
        computed.is_some_and(|computed| computed == self.output)
    }
}

fn cost(params: &Params) -> Cost {
    Cost {
        memory: params.m_cost(),
        iterations: params.t_cost(),
        parallelism: params.p_cost(),
    }
}

/// Whether a stored value is to be read as a hash, sound or not. It is never compared with what was
/// sent then: who has read the table must not get in with what is in it.
pub(crate) fn is_hash(stored: &str) -> bool {
    let start = stored.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What `stored` is when hashes are to cost `cost`.
pub(crate) fn kind(stored: &str, current: Cost) -> Kind {
    if !is_hash(stored) {
        return Kind::Plain;
    }
    match Stored::parse(stored) {
        Some(hash) if cost(&hash.params) == current => Kind::Current,
        Some(_) => Kind::Outdated,
        None => Kind::Damaged,
    }
}

/// The PHC string of `password`; `None` for a cost that Argon2 does not know.
pub(super) fn make(
    cost: Cost,
    password: &[u8],
    salt: [u8; SALT],
    memory: &mut Memory,
) -> Option<String> {
    let params = cost.params()?;
    let salt = Salt::new(&salt).ok()?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        hash: Some(compute(&params, password, &salt, memory)?),
        params: (&params).try_into().ok()?,
        salt: Some(salt),
    };
    Some(hash.to_string())
}

fn compute(params: &Params, password: &[u8], salt: &Salt, memory: &mut Memory) -> Option<Output> {
    let mut output = Zeroizing::new([0; OUTPUT]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password, salt, &mut *output, memory.blocks(params))
        .ok()?;
    Output::new(&*output).ok()
}

/// What a computation needs, kept by its thread from one to the next.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    fn blocks(&mut self, params: &Params) -> &mut [Block] {
        let count = params.block_count();
        if self.0.len() < count {
            self.0.resize(count, Block::default());
        }
        &mut self.0[..count]
    }
}

/// As what a password is hashed. The database compares passwords without case and without the spaces
/// at their end (`utf8mb3_general_ci`), so what is the same to it is made the same here. Letters with accents,
/// which it takes for the same letters without, stay what they are: RMT makes no such passwords.
pub(super) fn canonical(password: &str) -> Zeroizing<String> {
    // Of its own size from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * password.len()));
    for character in password.trim_end_matches(' ').chars() {
        let mut upper = character.to_uppercase();
        text.push(match (upper.next(), upper.next()) {
            (Some(upper), None) => upper,
            _ => character,
        });
    }
    text
}

impl Drop for Memory {
    fn drop(&mut self) {
        for block in &mut self.0 {
            block.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory: 8,
        iterations: 1,
        parallelism: 1,
    };

    fn hash(password: &str, cost: Cost) -> String {
        let canonical = canonical(password);
        make(
            cost,
            canonical.as_bytes(),
            [7; SALT],
            &mut Memory::default(),
        )
        .unwrap()
    }

    fn fits(password: &str, stored: &str) -> bool {
        let canonical = canonical(password);
        Stored::parse(stored)
            .is_some_and(|stored| stored.fits(canonical.as_bytes(), &mut Memory::default()))
    }

    #[test]
    fn a_hash_says_what_it_costs_and_fits_its_password_alone() {
        let stored = hash("0123abcd", CHEAP);
        assert!(
            stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$"),
            "{stored}"
        );
        assert!(fits("0123abcd", &stored));
        for other in ["0123abce", "", "0123abcd0", &stored] {
            assert!(!fits(other, &stored), "{other}");
        }
        assert!(fits("", &hash("", CHEAP)));
        let long = "x".repeat(1 << 20);
        assert!(fits(&long, &hash(&long, CHEAP)));
        assert!(!fits(&long[1..], &hash(&long, CHEAP)));
    }

    /// The reference implementation's own example of this variant (phc-winner-argon2, `test.c`).
    #[test]
    fn it_is_argon2id_as_others_compute_it() {
        let stored =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let hash = Stored::parse(stored).unwrap();
        assert!(hash.fits(b"password", &mut Memory::default()));
        assert!(!hash.fits(b"Password", &mut Memory::default()));
    }

    #[test]
    fn what_the_database_takes_for_the_same_password_has_the_same_hash() {
        let stored = hash("aBc", CHEAP);
        for same in ["abc", "ABC", "abc ", "abc   "] {
            assert!(fits(same, &stored), "{same:?}");
        }
        for other in [" abc", "abc\t", "ab c", "\u{e4}bc"] {
            assert!(!fits(other, &stored), "{other:?}");
        }
        assert!(fits("\u{c4} ", &hash("\u{e4}", CHEAP)));
        assert_eq!(&**canonical("stra\u{df}e"), "STRA\u{df}E");
    }

    #[test]
    fn kinds_are_told_from_each_other() {
        let more = Cost {
            iterations: 2,
            ..CHEAP
        };
        assert_eq!(kind("0123abcd", CHEAP), Kind::Plain);
        assert_eq!(kind("", CHEAP), Kind::Plain);
        assert_eq!(kind(&hash("a", CHEAP), CHEAP), Kind::Current);
        assert_eq!(kind(&hash("a", CHEAP), more), Kind::Outdated);
        assert_eq!(kind(&hash("a", more), CHEAP), Kind::Outdated);
    }

    #[test]
    fn a_damaged_hash_fits_nothing() {
        let sound = hash("a", CHEAP);
        let damaged = [
            sound[..sound.len() - 1].to_owned(),
            sound[..40].to_owned(),
            "$argon2".to_owned(),
            "$argon2id$".to_owned(),
            sound.to_uppercase(),
            sound.replace("argon2id", "argon2i"),
            sound.replace("v=19", "v=16"),
            sound.replace("m=8", "m=4294967295"),
            sound.replace("t=1", "t=4294967295"),
            sound.replace("p=1", "p=0"),
            sound.replace("m=8", "m=-8"),
            sound.replace("m=8", "m=7"),
            format!("{sound} "),
            format!("{sound}$"),
            sound.replace("BwcHBwcHBwcHBwcHBwcHBw", ""),
            format!("$argon2{}", "\u{e4}".repeat(120)),
        ];
        for text in damaged {
            assert_eq!(kind(&text, CHEAP), Kind::Damaged, "{text}");
            assert!(!fits("a", &text), "{text}");
        }
    }

    #[test]
    fn what_nobody_can_bear_is_not_made() {
        for cost in [
            Cost { memory: 7, ..CHEAP },
            Cost {
                iterations: 0,
                ..CHEAP
            },
            Cost {
                memory: Cost::MOST.memory + 1,
                ..CHEAP
            },
        ] {
            assert_eq!(
                make(cost, b"a", [0; SALT], &mut Memory::default()),
                None,
                "{cost:?}"
            );
        }
    }
}
