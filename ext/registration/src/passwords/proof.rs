//! What an authentication knows of the hashes it comes across, from one attempt to the next.

use std::sync::{Arc, Mutex};

use super::hash::{Stored, canonical, is_hash};
use super::{Canonical, Passwords, lock};
use crate::store::{Candidate, Interruption};
use crate::work::Work;
use crate::{Credentials, Error, Failure, Progress, Registration};

/// To verify, to replace, to read the result; and once more if somebody else was faster.
const ROUNDS: u32 = 6;

/// The password that was sent, and which of the hashes of systems with that login it fits.
pub(crate) struct Proof {
    registration: Registration,
    passwords: Arc<Passwords>,
    login: String,
    password: Canonical,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Hashes, and whether they are of this password.
    verdicts: Vec<(String, bool)>,
    /// Whether a hash was computed, if only to take as long.
    computed: bool,
    /// A replacement that failed is not tried again in the same request.
    replaced: bool,
    todo: Option<Todo>,
}

/// What has to be done before an attempt can succeed.
enum Todo {
    /// To find out about these; of none, to take as long.
    Verify(Vec<String>),
    /// To replace what these systems have, with what another one has if there is one.
    Replace {
        rows: Vec<(u64, String)>,
        shared: Option<String>,
    },
}

impl Proof {
    /// Those of the systems with the login that have the password too; what the database could compare it
    /// has.
    ///
    /// # Errors
    /// That something is to be done first: [`Registration::carry_out_proven`] does it.
    pub fn sift(&self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Interruption> {
        let mut state = lock(&self.state);
        let mut fitting = Vec::with_capacity(candidates.len());
        let mut unknown = Vec::new();
        for candidate in candidates {
            let stored = &candidate.row.password;
            let fits = if !is_hash(stored) {
                Some(candidate.same_password)
            } else if Stored::parse(stored).is_none() {
                Some(false)
            } else if let Some((_, fits)) = state.verdicts.iter().find(|(it, _)| it == stored) {
                Some(*fits)
            } else {
                Some(true).filter(|_| self.is_proven(stored))
            };
            match fits {
                Some(true) => fitting.push(candidate),
                Some(false) => {}
                None if unknown.contains(stored) => {}
                None => unknown.push(stored.clone()),
            }
        }
        let nobody = fitting.is_empty() && !state.computed;
        if nobody || !unknown.is_empty() {
            return Err(state.stop(Todo::Verify(unknown)));
        }
        let to_be_replaced = |it: &&Candidate| self.passwords.is_to_be_replaced(&it.row.password);
        let (old, current): (Vec<_>, Vec<_>) = fitting.iter().partition(to_be_replaced);
        let now = self.registration.clock.now();
        if !old.is_empty() && !state.replaced && !self.passwords.pauses(now) {
            let rows = old.iter().map(|it| (it.row.id, it.row.password.clone()));
            let todo = Todo::Replace {
                rows: rows.collect(),
                shared: current.first().map(|it| it.row.password.clone()),
            };
            return Err(state.stop(todo));
        }
        Ok(fitting)
    }

    /// Whether this process knows already that `stored` is the password's.
    fn is_proven(&self, stored: &str) -> bool {
        let Self {
            registration,
            passwords,
            login,
            password,
            ..
        } = self;
        let mark = registration.mark(passwords, login, password, stored);
        mark.is_ok_and(|mark| passwords.is_verified(&mark, registration.clock.now()))
    }

    fn take_todo(&self) -> Option<Todo> {
        lock(&self.state).todo.take()
    }
}

impl State {
    fn stop(&mut self, todo: Todo) -> Interruption {
        self.todo = Some(todo);
        let what = "a password has to be looked at first".to_owned();
        Failure::unwritten(Error::Internal(what)).into()
    }
}

impl Registration {
    /// For who sends `credentials`, where some passwords may be hashes.
    pub(crate) fn proof(&self, credentials: &Credentials) -> Option<Proof> {
        let passwords = self.passwords.as_ref()?;
        Some(Proof {
            registration: self.clone(),
            passwords: Arc::clone(passwords),
            login: credentials.login.clone(),
            password: Arc::new(canonical(&credentials.password)),
            state: Mutex::default(),
        })
    }

    /// [`Registration::carry_out`], and what has to be done about passwords between its attempts.
    pub(crate) async fn carry_out_proven<W: Work>(
        &self,
        work: &W,
        proof: Option<&Proof>,
        progress: &Progress,
    ) -> Result<W::Output, Failure> {
        let Some(proof) = proof else {
            return self.carry_out(work).await;
        };
        for _ in 0..ROUNDS {
            let result = self.carry_out(work).await;
            match proof.take_todo() {
                None => return result,
                Some(Todo::Verify(unknown)) => self.verify(proof, unknown, progress).await?,
                Some(Todo::Replace { rows, shared }) => {
                    lock(&proof.state).replaced = true;
                    let Proof {
                        passwords,
                        login,
                        password,
                        ..
                    } = proof;
                    let shared = shared.as_deref();
                    // Who has the right password need not hear that it is stored as before. Whoever gave up
                    // waiting finds that out elsewhere.
                    let _ = self
                        .replace(passwords, login, password, &rows, shared, progress)
                        .await;
                }
            }
        }
        let what = "passwords of the system change again and again".to_owned();
        Err(Failure::unwritten(Error::Unavailable(what)))
    }

    async fn verify(
        &self,
        proof: &Proof,
        unknown: Vec<String>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let (passwords, login, password) = (&proof.passwords, &proof.login, &proof.password);
        if unknown.is_empty() {
            self.pretend(passwords, password, progress).await?;
        }
        for stored in unknown {
            let fits = self
                .fits(passwords, login, password, &stored, progress)
                .await?;
            lock(&proof.state).verdicts.push((stored, fits));
        }
        lock(&proof.state).computed = true;
        Ok(())
    }
}
