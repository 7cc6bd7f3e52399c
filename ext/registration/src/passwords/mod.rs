//! Passwords that are kept as hashes: made when a system announces itself, verified when it
//! authenticates, and put in the place of what was stored in another way before.
//!
//! No connection and no transaction waits for a hash. An authentication that finds one whose password is not
//! known stops; it is verified while nothing is held, and the authentication is done again.

mod convert;
mod hash;
mod pause;
mod proof;
mod verified;
mod workers;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

pub use convert::{Census, Converted};
pub use hash::{Cost, Kind};
use hash::{SALT, Stored, canonical, is_hash, kind, make};
use pause::Pause;
pub(crate) use proof::Proof;
use verified::{KEY, Key, Mark, Verified};
use workers::Workers;

use crate::store::Replacement;
use crate::{Error, Failure, LogLine, Progress, Registration};

/// How passwords are kept where some of them may be hashes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keeping {
    /// Whether new ones are stored as hashes, and what is stored otherwise is replaced. If not, hashes
    /// that are there are verified, and that is all.
    pub hash: bool,
    /// What a new hash costs.
    pub cost: Cost,
}

/// What a stored value is with regard to a password.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// It is a hash of it.
    pub fits: bool,
    /// If so, it is to stay: its cost is the configured one, or nothing is replaced.
    pub stays: bool,
}

/// What a process needs for that.
pub(crate) struct Passwords {
    keeping: Keeping,
    workers: Workers,
    key: OnceLock<Key>,
    verified: Mutex<Verified>,
    verifying: Flights<bool>,
    replacing: Flights<Option<String>>,
    pause: Mutex<Pause>,
}

/// What several want at the same time and one of them does.
struct Flights<T>(Mutex<HashMap<Mark, Weak<OnceCell<T>>>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// What becomes of `work`, or of somebody else's for the same mark. Whose own fails has the failure;
    /// those who waited for it try themselves.
    async fn join<F: Future<Output = Result<T, Failure>>>(
        &self,
        mark: Mark,
        work: impl FnOnce() -> F,
    ) -> Result<T, Failure> {
        let cell = {
            let mut all = lock(&self.0);
            all.retain(|_, flight| flight.strong_count() > 0);
            let flight = all.get(&mark).and_then(Weak::upgrade);
            flight.unwrap_or_else(|| {
                let cell = Arc::default();
                all.insert(mark, Arc::downgrade(&cell));
                cell
            })
        };
        cell.get_or_try_init(work).await.cloned()
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A password as it is hashed.
type Canonical = Arc<Zeroizing<String>>;

impl Passwords {
    pub fn new(keeping: Keeping) -> Self {
        Self {
            keeping,
            workers: Workers::new(),
            key: OnceLock::new(),
            verified: Mutex::default(),
            verifying: Flights::default(),
            replacing: Flights::default(),
            pause: Mutex::default(),
        }
    }

    pub fn close(&self) {
        self.workers.close();
    }

    fn is_verified(&self, mark: &Mark, now: OffsetDateTime) -> bool {
        lock(&self.verified).holds(mark, now)
    }

    /// Whether what has to be replaced is left alone for now.
    fn pauses(&self, now: OffsetDateTime) -> bool {
        lock(&self.pause).holds(now)
    }

    /// Whether `stored` has to be replaced when its password is known.
    fn is_to_be_replaced(&self, stored: &str) -> bool {
        self.keeping.hash && kind(stored, self.keeping.cost) != Kind::Current
    }
}

impl Registration {
    /// From now on passwords are kept as `keeping` says. Without this they are RMT's: plain, and compared by
    /// the database.
    #[must_use]
    pub fn with_passwords(mut self, keeping: Keeping) -> Self {
        self.passwords = Some(Arc::new(Passwords::new(keeping)));
        self
    }

    /// How many hashes this process has computed: made, verified, or computed only so that a login
    /// nobody has takes as long.
    pub fn hashes_computed(&self) -> u64 {
        self.passwords
            .as_ref()
            .map_or(0, |passwords| passwords.workers.done())
    }

    /// Ends the threads that hash; the next hash makes new ones.
    pub fn close_passwords(&self) {
        if let Some(passwords) = &self.passwords {
            passwords.close();
        }
    }

    /// As what the new `password` of the system with this login is stored. It need not be verified when the
    /// system authenticates.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait to be hashed, [`Error::Abandoned`], [`Error::Internal`].
    pub async fn password_to_store(
        &self,
        login: &str,
        password: &str,
        progress: &Progress,
    ) -> Result<String, Failure> {
        match &self.passwords {
            // It would be taken for a hash, and what was stored as one would count as such.
            _ if is_hash(password) => Err(Failure::unwritten(Error::Internal(
                "a password that looks like a hash".to_owned(),
            ))),
            Some(passwords) if passwords.keeping.hash => {
                let password = Arc::new(canonical(password));
                self.hash(passwords, login, &password, progress).await
            }
            _ => Ok(password.to_owned()),
        }
    }

    /// For those who read the table themselves: of each `stored` value whether it is a hash of this password.
    /// At least one hash is computed if none is known, whoever it is and however many there are.
    ///
    /// # Errors
    /// As [`Registration::password_to_store`].
    pub async fn compare_passwords(
        &self,
        login: &str,
        password: &str,
        stored: &[String],
        progress: &Progress,
    ) -> Result<Vec<Compared>, Failure> {
        let Some(passwords) = &self.passwords else {
            return Ok(vec![Compared::default(); stored.len()]);
        };
        let password = Arc::new(canonical(password));
        let mut all = Vec::with_capacity(stored.len());
        let mut sound = false;
        for stored in stored {
            let fits = Stored::parse(stored).is_some()
                && self
                    .fits(passwords, login, &password, stored, progress)
                    .await?;
            sound |= Stored::parse(stored).is_some();
            let stays = !passwords.is_to_be_replaced(stored);
            all.push(Compared { fits, stays });
        }
        if !sound {
            self.pretend(passwords, &password, progress).await?;
        }
        Ok(all)
    }

    /// Whether `stored`, which is to be the string of a hash, is this password's.
    async fn fits(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        stored: &str,
        progress: &Progress,
    ) -> Result<bool, Failure> {
        let mark = self.mark(passwords, login, password, stored)?;
        if passwords.is_verified(&mark, self.clock.now()) {
            return Ok(true);
        }
        let compute = || {
            let (password, stored) = (Arc::clone(password), stored.to_owned());
            passwords.workers.run(progress, move |memory| {
                Stored::parse(&stored).is_some_and(|it| it.fits(password.as_bytes(), memory))
            })
        };
        let fits = passwords.verifying.join(mark, compute).await?;
        if fits {
            lock(&passwords.verified).remember(mark, self.clock.now());
        }
        Ok(fits)
    }

    /// Takes as long as to find out that a password is wrong.
    async fn pretend(
        &self,
        passwords: &Passwords,
        password: &Canonical,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let (cost, password) = (passwords.keeping.cost, Arc::clone(password));
        let job = move |memory: &mut _| drop(make(cost, password.as_bytes(), [0; SALT], memory));
        passwords.workers.run(progress, job).await
    }

    /// A new hash, which is known to be this password's.
    async fn hash(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        progress: &Progress,
    ) -> Result<String, Failure> {
        let cost = passwords.keeping.cost;
        let mut salt = [0; SALT];
        self.fill(&mut salt)?;
        let job = {
            let password = Arc::clone(password);
            move |memory: &mut _| make(cost, password.as_bytes(), salt, memory)
        };
        let hash = passwords.workers.run(progress, job).await?;
        let hash = hash.ok_or_else(|| {
            Failure::unwritten(Error::Internal(format!("no hash can cost {cost:?}")))
        })?;
        self.remember(passwords, login, password, &hash)?;
        Ok(hash)
    }

    fn remember(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        stored: &str,
    ) -> Result<(), Failure> {
        let mark = self.mark(passwords, login, password, stored)?;
        lock(&passwords.verified).remember(mark, self.clock.now());
        Ok(())
    }

    fn mark(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        stored: &str,
    ) -> Result<Mark, Failure> {
        let key = match passwords.key.get() {
            Some(key) => key,
            None => {
                let mut bytes = Zeroizing::new([0; KEY]);
                self.fill(&mut *bytes)?;
                passwords.key.get_or_init(|| Key::new(bytes))
            }
        };
        Ok(key.mark([login, password, stored]))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Failure> {
        crate::source::fill(&*self.entropy, bytes)
    }

    /// What the log should know of the passwords, if it was not told yet.
    pub(crate) fn complaint_about_passwords(&self) -> Option<LogLine> {
        let passwords = self.passwords.as_ref()?;
        lock(&passwords.pause).complaint()
    }

    /// Stores one hash in the place of `rows`, of which each is a system's id and what it has now; all of them
    /// are this password's. It is `shared` if another system with the same credentials has one already:
    /// what the database takes for the same credentials stays the same for its unique key. When that failed,
    /// this process leaves all of them alone for a while.
    async fn replace(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        rows: &[(u64, String)],
        shared: Option<&str>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some((_, first)) = rows.first() else {
            return Ok(());
        };
        let mark = self.mark(passwords, login, password, first)?;
        let work = async || {
            if !lock(&passwords.pause).admits(self.clock.now()) {
                let what = "it failed a moment ago".to_owned();
                return Err(Failure::unwritten(Error::Unavailable(what)));
            }
            let result = self
                .make_and_store(passwords, login, password, rows, shared, progress)
                .await;
            let mut pause = lock(&passwords.pause);
            match &result {
                Ok(_) => pause.succeeded(),
                // That says nothing of the database.
                Err(Failure {
                    error: Error::Abandoned,
                    ..
                }) => {}
                Err(failure) => pause.failed(self.clock.now(), failure),
            }
            drop(pause);
            result
        };
        match passwords.replacing.join(mark, work).await? {
            Some(new) => self.remember(passwords, login, password, &new),
            None => Ok(()),
        }
    }

    /// The hash that is stored for the `rows` now; `None` when somebody else was faster.
    async fn make_and_store(
        &self,
        passwords: &Passwords,
        login: &str,
        password: &Canonical,
        rows: &[(u64, String)],
        shared: Option<&str>,
        progress: &Progress,
    ) -> Result<Option<String>, Failure> {
        let new = match shared {
            Some(shared) => shared.to_owned(),
            // Who has read the rows before somebody replaced them need not hash for nothing.
            None if !self.still_stored(login, rows).await? => return Ok(None),
            None => self.hash(passwords, login, password, progress).await?,
        };
        let replacements = rows.iter().map(|(id, old)| Replacement {
            id: *id,
            old: old.clone(),
            new: new.clone(),
        });
        self.replace_passwords(replacements.collect()).await?;
        Ok(Some(new))
    }
}
