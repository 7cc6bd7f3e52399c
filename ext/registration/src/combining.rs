//! Announces that meet are stored together, in one statement and one commit.
//!
//! The statement in flight is the window, there is no timer: while [`WRITERS`] are busy, announces
//! wait, and who is done first takes those that do. One that comes alone is stored at once, alone.
//!
//! A statement for several is tried once. Whatever becomes of it but success, each of them goes on by
//! itself, in the task of its own announce, as if its own first attempt had ended so: it is looked for
//! where it may be stored, then stored alone. So one that cannot be stored harms no other, and all
//! that is promised of an announce is kept in one place, [`Registration::carry_out`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::announce::Insertion;
use crate::store::{NewSystem, Recovery, Session};
use crate::timings::{self, Timings};
use crate::work::Earlier;
use crate::{Failure, Progress, Registration, Written};

/// Statements in flight at most: while one waits for its commit, the next one is carried out.
const WRITERS: usize = 2;

/// Systems in a statement at most.
const BATCH: usize = 64;

/// Of so many that wait, how many go into the next statement: all of a few, else 16, 32, 64. So a
/// connection has eleven such statements to keep prepared and not as many as there are numbers.
fn share(waiting: usize) -> usize {
    match waiting {
        0..=8 => waiting,
        _ => 1 << waiting.ilog2(),
    }
}

/// What announces without profiles share.
#[derive(Clone, Default)]
pub(crate) struct Combining(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    /// [`Turn`]s that were given out. When somebody waits, that is all of them.
    turns: usize,
    waiting: VecDeque<Waiting>,
    /// Statements that have stored systems of those who waited, and the systems.
    stored: (u64, u64),
}

/// A system to be stored by who writes next.
struct Waiting {
    system: Arc<NewSystem>,
    progress: Progress,
    answer: oneshot::Sender<Answer>,
}

/// What became of a system that waited.
enum Answer {
    /// Its id, when the statement that stored it began, and how many it stored.
    Stored(u64, Instant, usize),
    /// It cannot be stored now.
    Failed(Failure),
    /// It is to be stored alone, after what was tried already.
    Alone(Earlier),
}

/// The right to write, and the duty to go on while somebody waits.
struct Turn {
    registration: Registration,
    over: bool,
}

impl Registration {
    /// Stores `system`, with others that wait if it has to wait itself, and returns its id.
    pub(crate) async fn store_system(
        &self,
        system: &Arc<NewSystem>,
        progress: &Progress,
    ) -> Result<u64, Failure> {
        let alone = Insertion {
            system,
            profiles: &[],
            progress,
        };
        if !self.store.returns_rows() {
            together(1);
            return self.carry_out(&alone).await;
        }
        let begun = Instant::now();
        let answer = match self.turn_or_wait(system, progress) {
            Ok(turn) => {
                together(1);
                let result = self.carry_out(&alone).await;
                if let Some(turn) = turn.unless_over() {
                    tokio::spawn(turn.write());
                }
                return result;
            }
            Err(answer) => answer.await,
        };
        // Without an answer: who should have written it panicked, at whatever point.
        match answer.unwrap_or(Answer::Alone(Earlier::Perhaps(None))) {
            Answer::Stored(id, since, count) => {
                timings::add(Timings {
                    queue: since - begun,
                    database: since.elapsed(),
                    ..Timings::default()
                });
                together(count);
                Ok(id)
            }
            Answer::Failed(failure) => Err(failure),
            Answer::Alone(earlier) => {
                timings::add(Timings {
                    queue: begun.elapsed(),
                    ..Timings::default()
                });
                together(1);
                self.carry_out_after(earlier, &alone).await
            }
        }
    }

    fn turn_or_wait(
        &self,
        system: &Arc<NewSystem>,
        progress: &Progress,
    ) -> Result<Turn, oneshot::Receiver<Answer>> {
        let mut queue = self.combining.lock();
        if queue.turns < WRITERS {
            queue.turns += 1;
            return Ok(Turn {
                registration: self.clone(),
                over: false,
            });
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push_back(Waiting {
            system: Arc::clone(system),
            progress: progress.clone(),
            answer: sender,
        });
        Err(receiver)
    }
}

impl Combining {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored(&self, systems: usize) {
        let mut queue = self.lock();
        queue.stored.0 += 1;
        queue.stored.1 += systems as u64;
    }

    /// Who waits, statements that have stored systems of those who waited, and these systems.
    pub(crate) fn gauges(&self) -> (usize, u64, u64) {
        let queue = self.lock();
        (queue.waiting.len(), queue.stored.0, queue.stored.1)
    }

    /// The first of those who wait, as many as go into one statement whose values have at most
    /// `longest` bytes, but at least one if there is any.
    fn take(&self, longest: usize) -> Vec<Waiting> {
        let mut queue = self.lock();
        let mut length = 0;
        let fitting = queue.waiting.iter().take(BATCH).take_while(|waiting| {
            length += waiting.system.row_length();
            length <= longest
        });
        let count = match fitting.count() {
            0 => queue.waiting.len().min(1),
            count => share(count),
        };
        queue.waiting.drain(..count).collect()
    }
}

impl Waiting {
    fn answer(self, answer: Answer) {
        // It goes back to its announce, which then need not copy it.
        drop(self.system);
        let _ = self.answer.send(answer);
    }
}

impl Turn {
    /// Writes until nobody waits.
    async fn write(mut self) {
        loop {
            self.write_once().await;
            match self.unless_over() {
                Some(turn) => self = turn,
                None => return,
            }
        }
    }

    async fn write_once(&self) {
        let combining = &self.registration.combining;
        let mut session = match self.registration.store.session().await {
            Ok(session) => session,
            Err(failure) => {
                for waiting in combining.take(usize::MAX) {
                    waiting.answer(Answer::Failed(failure.clone()));
                }
                return;
            }
        };
        let mut batch = Vec::new();
        for waiting in combining.take(session.longest_values()) {
            if !session.returns_rows() {
                waiting.answer(Answer::Alone(Earlier::Nothing));
                continue;
            }
            // Who leaves from here on cannot know whether the system was stored.
            match session.begin_write(&waiting.progress) {
                Ok(()) => batch.push(waiting),
                Err(failure) => waiting.answer(Answer::Failed(failure)),
            }
        }
        if !batch.is_empty() {
            store(combining, session, batch).await;
        }
    }

    /// The turn, unless nobody waits: then it has ended.
    fn unless_over(mut self) -> Option<Self> {
        let mut queue = self.registration.combining.lock();
        if !queue.waiting.is_empty() {
            drop(queue);
            return Some(self);
        }
        queue.turns -= 1;
        drop(queue);
        self.over = true;
        None
    }
}

/// Notes how many systems a statement has stored.
pub(crate) fn together(count: usize) {
    timings::add(Timings {
        together: u32::try_from(count).unwrap_or(u32::MAX),
        ..Timings::default()
    });
}

impl Drop for Turn {
    /// A turn that did not end was in a task that panicked, or that ends with its runtime. Others may
    /// wait for nobody but this one: they go on without an answer.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut queue = self.registration.combining.lock();
        queue.turns -= 1;
        let forsaken = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(forsaken);
    }
}

/// Stores all of `batch` at once, or lets each of them go on by itself.
async fn store(combining: &Combining, mut session: Session, batch: Vec<Waiting>) {
    let systems: Vec<&NewSystem> = batch.iter().map(|waiting| &*waiting.system).collect();
    // Those who left can make it another number.
    let usual = systems.len() == share(systems.len());
    let (begun, count) = (Instant::now(), systems.len());
    let interruption = match session.insert_systems(&systems, usual).await {
        Ok(ids) => {
            combining.stored(count);
            for (waiting, id) in batch.into_iter().zip(ids) {
                waiting.answer(Answer::Stored(id, begun, count));
            }
            return;
        }
        Err(interruption) => interruption,
    };
    let (recovery, failure) = session.recover(interruption).await;
    for waiting in batch {
        waiting.answer(match &recovery {
            // No answer in all the time there is.
            Recovery::None if failure.written == Written::Perhaps => {
                Answer::Failed(failure.clone())
            }
            // What the server refuses can be due to any one of them.
            Recovery::None => Answer::Alone(Earlier::Perhaps(None)),
            again => Answer::Alone(Earlier::Nothing.and(again)),
        });
    }
}
