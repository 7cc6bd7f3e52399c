//! Trees of base products, rendered before somebody asks for them: once in each process, and when the
//! catalog has changed.

use std::sync::Arc;

use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::catalog::Known;
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration};

/// So many base products: those that are not among them are rendered when they are asked for.
const MOST_BASES: u32 = 32;

/// Trees that are read in one statement, so that other requests get a turn in between.
const AT_ONCE: usize = 4;

/// For a moment, beside Ruby's threads.
const MOST_THREADS: usize = 4;

impl Registration {
    /// To be called where the catalog has versions: has trees rendered, without waiting for it, if
    /// none were yet in this process.
    pub(crate) fn render_ahead_at_first(&self) {
        self.spawn_if_due(None);
    }

    /// Has trees rendered, without waiting for it, if the catalog's version is another one than it was
    /// then. Nothing happens where it has none.
    pub(crate) fn catalog_was_seen(&self, version: Option<u64>) {
        if version.is_some() {
            self.spawn_if_due(version);
        }
    }

    /// One job at a time, and with a pause after each.
    fn spawn_if_due(&self, version: Option<u64>) {
        let due =
            !self.store.is_rehearsing() && self.memory.render_ahead(version, self.clock.now());
        if due {
            let registration = self.clone();
            tokio::spawn(async move { registration.render_ahead().await });
        }
    }

    async fn render_ahead(&self) {
        // Whoever asks reads for himself, and says what is wrong with the database.
        let (version, known) = self.read_ahead().await.unwrap_or_default();
        if let Some(look) = self.memory.look() {
            let rendered = tokio::task::spawn_blocking(move || {
                let threads = std::thread::available_parallelism();
                let threads = threads.map_or(1, usize::from).min(MOST_THREADS);
                // Not the pool that is there for ever: a fork would inherit it without its threads.
                if let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() {
                    pool.install(|| known.par_iter().for_each(|it| drop(it.tree(&look))));
                }
            });
            drop(rendered.await);
        }
        self.memory.rendered_ahead(version);
    }

    async fn read_ahead(&self) -> Result<(Option<u64>, Vec<Arc<Known>>), Failure> {
        let bases = self.carry_out(&Bases).await?;
        let mut version = None;
        let mut all = Vec::with_capacity(bases.len());
        for ids in bases.chunks(AT_ONCE) {
            let (known, read) = self.carry_out(&Surroundings(ids)).await?;
            version = read;
            all.extend(known.into_iter().map(|it| self.memory.learn(read, it)));
        }
        Ok((version, all))
    }
}

struct Bases;

impl Work for Bases {
    type Output = Vec<u64>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.mirrored_bases(MOST_BASES).await
    }
}

struct Surroundings<'a>(&'a [u64]);

impl Work for Surroundings<'_> {
    type Output = (Vec<Known>, Option<u64>);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.surroundings(self.0).await
    }
}
