//! All stored passwords, one part after the other: what they are, and hashes in the place of those that
//! are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::hash::{Kind, canonical, is_hash, kind};
use crate::store::{Interruption, Replacement, Session, StoredPassword};
use crate::work::Work;
use crate::{Error, Failure, Progress, Registration};

/// Systems that are counted in one statement.
const COUNTED: u32 = 5_000;

/// Systems that are read at once to be converted, for each thread that hashes.
const FOR_A_THREAD: u32 = 16;

/// What a part of the systems have stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Passwords themselves.
    pub plain: u64,
    /// Hashes of the configured cost.
    pub current: u64,
    /// Hashes of another cost.
    pub outdated: u64,
    /// What looks like a hash and is none.
    pub damaged: u64,
    /// The highest id of the part; `None` when it has no system, as there are no more.
    pub last: Option<u64>,
}

/// What became of a part of the systems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// Systems that were looked at.
    pub seen: u64,
    /// Systems that have a hash now.
    pub hashed: u64,
    /// Systems whose plain password stayed: somebody else was faster, or the database refused.
    pub left: u64,
    /// As in [`Census`].
    pub last: Option<u64>,
}

impl Registration {
    /// Counts what the systems after the one with id `after` have stored, as many as are read in one
    /// statement.
    ///
    /// # Errors
    /// Those of [`Registration::authenticate`]; [`Error::Internal`] without
    /// [`Registration::with_passwords`].
    pub async fn count_passwords(&self, after: u64) -> Result<Census, Failure> {
        let cost = self.keeping()?.cost;
        let read = self.carry_out(&Reading::After(after, COUNTED)).await?;
        let mut census = Census::default();
        for stored in &read {
            match kind(&stored.password, cost) {
                Kind::Plain => census.plain += 1,
                Kind::Current => census.current += 1,
                Kind::Outdated => census.outdated += 1,
                Kind::Damaged => census.damaged += 1,
            }
            census.last = Some(stored.id);
        }
        Ok(census)
    }

    /// Stores hashes for the systems after the one with id `after` that have plain passwords, a few for each
    /// thread. What is stored meanwhile by others stays. It can be stopped at any time and begun anew.
    ///
    /// Hashes of another cost stay as well: they can be replaced only by who knows the password.
    ///
    /// # Errors
    /// As [`Registration::count_passwords`].
    pub async fn convert_passwords(&self, after: u64) -> Result<Converted, Failure> {
        self.keeping()?;
        let threads = self
            .passwords
            .as_ref()
            .map_or(1, |passwords| passwords.workers.threads());
        let limit = FOR_A_THREAD * u32::try_from(threads).unwrap_or(1);
        let part = self.carry_out(&Reading::After(after, limit)).await?;
        let mut converted = Converted {
            seen: part.len() as u64,
            last: part.last().map(|stored| stored.id),
            ..Converted::default()
        };
        let plain = part.iter().filter(|stored| !is_hash(&stored.password));
        let logins: Vec<&str> = plain.map(|stored| stored.login.as_str()).collect();
        if logins.is_empty() {
            return Ok(converted);
        }
        // Systems that share credentials are to share a hash, wherever their ids are.
        let all = self.carry_out(&Reading::Of(&logins)).await?;
        let mut secrets: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
        for stored in all.iter().filter(|stored| !is_hash(&stored.password)) {
            let secret = (stored.login.as_str(), stored.password.as_str());
            secrets.entry(secret).or_default().push(stored.id);
        }
        let known = secrets.keys().map(|(login, password)| async {
            let hashes = all
                .iter()
                .filter(|it| it.login == *login && is_hash(&it.password));
            let hashes = hashes.map(|it| it.password.as_str()).collect();
            self.hash_among(login, password, hashes).await
        });
        let mut replacements = Vec::new();
        for (((_, old), ids), new) in secrets.iter().zip(join_all(known).await) {
            let new = new?;
            replacements.extend(ids.iter().map(|id| Replacement {
                id: *id,
                old: (*old).to_owned(),
                new: new.clone(),
            }));
        }
        let many = replacements.len() as u64;
        converted.hashed = match self.replace_passwords(replacements.clone()).await {
            Ok(replaced) => replaced,
            // One that the unique key refuses is no reason to leave the others as they are.
            Err(_) => {
                let mut replaced = 0;
                for one in replacements {
                    replaced += self.replace_passwords(vec![one]).await.unwrap_or(0);
                }
                replaced
            }
        };
        converted.left = many.saturating_sub(converted.hashed);
        Ok(converted)
    }

    /// That of the `hashes` which is the password's, else a new one.
    async fn hash_among(
        &self,
        login: &str,
        password: &str,
        hashes: Vec<&str>,
    ) -> Result<String, Failure> {
        let Some(passwords) = &self.passwords else {
            return Err(not_kept());
        };
        let progress = Progress::default();
        let canonical = Arc::new(canonical(password));
        for hash in hashes {
            let current = kind(hash, passwords.keeping.cost) == Kind::Current;
            if current
                && self
                    .fits(passwords, login, &canonical, hash, &progress)
                    .await?
            {
                return Ok(hash.to_owned());
            }
        }
        self.hash(passwords, login, &canonical, &progress).await
    }

    /// Whether these systems with that login, by their ids, have what they had.
    pub(super) async fn still_stored(
        &self,
        login: &str,
        rows: &[(u64, String)],
    ) -> Result<bool, Failure> {
        let stored = self.carry_out(&Reading::Of(&[login])).await?;
        let has = |id, old: &str| stored.iter().any(|it| it.id == id && it.password == old);
        Ok(rows.iter().all(|(id, old)| has(*id, old)))
    }

    /// How many of them were replaced.
    pub(super) async fn replace_passwords(
        &self,
        replacements: Vec<Replacement>,
    ) -> Result<u64, Failure> {
        // Written whoever waits: it changes nothing that anybody could see or do twice.
        let progress = Progress::default();
        let replacing = Replacing {
            replacements,
            progress,
        };
        self.carry_out(&replacing).await
    }

    fn keeping(&self) -> Result<super::Keeping, Failure> {
        let passwords = self.passwords.as_ref().ok_or_else(not_kept)?;
        Ok(passwords.keeping)
    }
}

fn not_kept() -> Failure {
    Failure::unwritten(Error::Internal("no hashes are kept".to_owned()))
}

enum Reading<'a> {
    After(u64, u32),
    Of(&'a [&'a str]),
}

impl Work for Reading<'_> {
    type Output = Vec<StoredPassword>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        match self {
            Self::After(id, limit) => session.stored_passwords(*id, *limit).await,
            Self::Of(logins) => session.passwords_of(logins).await,
        }
    }
}

struct Replacing {
    replacements: Vec<Replacement>,
    progress: Progress,
}

impl Work for Replacing {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Interruption> {
        session
            .replace_passwords(&self.replacements, &self.progress)
            .await
    }
}
