//! Threads that hash. A hash keeps a processor busy for tens of milliseconds: the runtime's own thread, on
//! which every request depends, must not be that processor's.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::hash::Memory;
use crate::{Error, Failure, Progress};

/// Hashes that may wait for each thread. What waits longer is refused at once instead of late: with the
/// usual cost a thread does as many in two or three seconds.
const QUEUE: usize = 64;

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

pub(super) struct Workers {
    /// Made with the first hash: a process that is forked before has no threads to lose.
    pool: Mutex<Option<Arc<ThreadPool>>>,
    threads: usize,
    /// Waiting and under way.
    queued: Arc<AtomicUsize>,
    most: usize,
    done: Arc<AtomicU64>,
}

/// A place in the queue.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Workers {
    /// Half of the machine's processors, so that whoever does not hash is not kept waiting; at least one.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::sized((processors / 2).max(1), QUEUE)
    }

    pub fn sized(threads: usize, queue: usize) -> Self {
        Self {
            pool: Mutex::default(),
            threads,
            queued: Arc::default(),
            most: threads * queue,
            done: Arc::default(),
        }
    }

    /// How many hashes were computed.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// What `job` makes of a thread's memory. It is not begun for somebody who waits no longer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait, [`Error::Abandoned`], [`Error::Internal`].
    pub async fn run<T: Send + 'static>(
        &self,
        progress: &Progress,
        job: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.place()?;
        let (sender, receiver) = oneshot::channel();
        let (progress, done) = (progress.clone(), Arc::clone(&self.done));
        self.pool()?.spawn(move || {
            let result = if progress.is_abandoned() {
                Err(Failure::unwritten(Error::Abandoned))
            } else {
                let result = MEMORY.with_borrow_mut(job);
                done.fetch_add(1, Ordering::AcqRel);
                Ok(result)
            };
            drop(place);
            let _ = sender.send(result);
        });
        receiver
            .await
            .unwrap_or_else(|_| Err(internal("a hash was not computed")))
    }

    /// Ends the threads once they have nothing to do.
    pub fn close(&self) {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        drop({ pool }.take());
    }

    fn place(&self) -> Result<Place, Failure> {
        let one_more = |queued: usize| (queued < self.most).then(|| queued + 1);
        let place = self
            .queued
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        let full = |_| {
            let what = "too many passwords wait to be hashed".to_owned();
            Failure::unwritten(Error::Unavailable(what))
        };
        place.map_err(full)?;
        Ok(Place(Arc::clone(&self.queued)))
    }

    fn pool(&self) -> Result<Arc<ThreadPool>, Failure> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(Arc::clone(pool));
        }
        let made = ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|number| format!("rmt_rs-hash-{number}"))
            // Who waits learns of it; rayon itself would end the process.
            .panic_handler(|_| {})
            .build()
            .map_err(|e| internal(&format!("no threads to hash: {e}")))?;
        Ok(Arc::clone(pool.insert(Arc::new(made))))
    }
}

fn internal(what: &str) -> Failure {
    Failure::unwritten(Error::Internal(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn too_many_are_refused_and_others_done() {
        let workers = Arc::new(Workers::sized(1, 2));
        let (open, gate) = mpsc::channel::<()>();
        let progress = Progress::default();
        let (busy, started) = oneshot::channel();
        let first = {
            let (workers, progress) = (Arc::clone(&workers), progress.clone());
            tokio::spawn(async move {
                let job = move |_: &mut Memory| {
                    busy.send(()).unwrap();
                    gate.recv().unwrap();
                };
                workers.run(&progress, job).await
            })
        };
        started.await.unwrap();
        let second = {
            let (workers, progress) = (Arc::clone(&workers), progress.clone());
            tokio::spawn(async move { workers.run(&progress, |_| 2).await })
        };
        while workers.queued.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let failure = workers.run(&progress, |_| 3).await.unwrap_err();
        assert!(matches!(failure.error, Error::Unavailable(_)));
        open.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap().unwrap(), 2);
        assert_eq!(workers.run(&progress, |_| 4).await.unwrap(), 4);
        assert_eq!(workers.done(), 3);
    }

    #[tokio::test]
    async fn nothing_is_hashed_for_nobody_and_a_panic_is_told() {
        let workers = Workers::sized(1, 1);
        let gone = Progress::default();
        gone.abandon();
        let failure = workers.run(&gone, |_| ()).await.unwrap_err();
        assert!(matches!(failure.error, Error::Abandoned));
        let present = Progress::default();
        let failure = workers
            .run(&present, |_| assert_eq!(1, 2, "on purpose"))
            .await
            .unwrap_err();
        assert!(matches!(failure.error, Error::Internal(_)));
        assert_eq!(workers.done(), 0);
        workers.close();
        assert_eq!(workers.run(&present, |_| 1).await.unwrap(), 1);
    }
}
