//! One runtime and one connection pool per process, made when the first call needs them.
//!
//! A forked child inherits neither threads nor the right to its parent's connections: it makes its
//! own and leaks what it inherited, for closing an inherited socket would speak on the parent's
//! session. The statics here are only touched by threads that hold Ruby's lock, and Ruby forks only
//! with that lock held, so a child never finds them half-changed.

use std::future::Future;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use magnus::{Error as RubyError, Ruby};
use registration::{
    DatabaseConfig, Error, Failure, Gauges, Keeping, Progress, Registration, Written, measured,
};
use serde::Deserialize;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::gvl::Leaked;
use crate::slot::{Slot, Waited};
use crate::{errors, gvl, measures};

/// What `RmtRs::Native.configure` is given.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    database: DatabaseConfig,
    /// Where some passwords may be hashes.
    credentials: Option<Keeping>,
    /// Milliseconds a Ruby thread waits for an operation.
    deadline_ms: u64,
}

static CONFIG: Mutex<Option<Config>> = Mutex::new(None);
static CURRENT: Leaked<Process> = Leaked::empty();

/// How long an orderly goodbye to the database may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The runtime and pool of one process.
struct Process {
    handle: Handle,
    /// Dropped when it is to end.
    alive: Mutex<Option<oneshot::Sender<()>>>,
    registration: Registration,
    deadline: Duration,
    generation: u64,
}

/// Sets the configuration from now on; what was made with an older one is used no more.
pub fn configure(ruby: &Ruby, json: &[u8]) -> Result<(), RubyError> {
    let config = serde_json::from_slice(json)
        .map_err(|e| errors::internal(ruby, &format!("configuration: {e}"), Written::No))?;
    *CONFIG.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
    CURRENT.clear();
    Ok(())
}

/// Carries out `operation` on the runtime while this Ruby thread waits without Ruby's lock.
///
/// The operation is a task of its own: whether or not this thread goes on waiting, it runs to its
/// end once it has begun to write, and does not write once this thread has gone.
pub fn run<T, F>(
    ruby: &Ruby,
    operation: impl FnOnce(Registration, Progress) -> F,
) -> Result<T, RubyError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let instance = instance().map_err(|failure| errors::exception(ruby, &failure))?;
    let progress = progress(ruby)?;
    let waiting = Waiting(&progress);
    let (slot, sender) = Slot::new();
    let task = operation(instance.registration.clone(), progress.clone());
    instance
        .handle
        .spawn(async move { sender.send(measured(task).await) });

    let deadline = Instant::now() + instance.deadline;
    loop {
        match gvl::without_gvl(ruby, || slot.wait(deadline), || slot.wake()) {
            Some(Waited::Here((result, timings))) => {
                measures::add(timings);
                return result.map_err(|failure| errors::exception(ruby, &failure));
            }
            Some(Waited::Never) => {
                return Err(errors::internal(
                    ruby,
                    "panic in the core",
                    waiting.0.abandon(),
                ));
            }
            Some(Waited::Late) => {
                let what = format!("no result within {} ms", instance.deadline.as_millis());
                let failure = Failure {
                    written: waiting.0.abandon(),
                    error: Error::Silent(what),
                };
                return Err(errors::exception(ruby, &failure));
            }
            Some(Waited::Woken) | None => ruby.thread_check_ints()?,
        }
    }
}

/// What this process holds and has counted; nothing before its first operation, or when the thread that
/// carries operations out has ended.
pub fn gauges() -> Option<Gauges> {
    let instance = current()?;
    let alive = instance.alive.lock();
    let alive = alive.unwrap_or_else(PoisonError::into_inner);
    let runs = alive.as_ref().is_some_and(|ended| !ended.is_closed());
    runs.then(|| instance.registration.gauges())
}

/// A Ruby thread that waits for an operation. However it ends, the operation is abandoned, and the
/// client's socket, which the thread may close now, is looked at no more.
struct Waiting<'a>(&'a Progress);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// For the client whose socket the door has left in the thread's variable, if it has.
fn progress(ruby: &Ruby) -> Result<Progress, RubyError> {
    let socket: Option<RawFd> = ruby.thread_current().local_aref("rmt_rs_client")?;
    Ok(match socket {
        Some(socket) => Progress::for_client(move || gvl::left(socket)),
        None => Progress::default(),
    })
}

/// Says goodbye to the database, if this process ever met it, and ends the runtime.
pub fn shut_down(ruby: &Ruby) {
    let Some(instance) = current() else { return };
    CURRENT.clear();
    instance.registration.close_passwords();
    let (slot, sender) = Slot::new();
    let store = instance.registration.store().clone();
    instance.handle.spawn(async move {
        store.close().await;
        sender.send(());
    });
    let deadline = Instant::now() + FAREWELL;
    gvl::without_gvl(ruby, || slot.wait(deadline), || slot.wake());
    let mut alive = instance
        .alive
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    *alive = None;
}

/// This process's instance, made if there is none yet.
fn instance() -> Result<&'static Process, Failure> {
    if let Some(instance) = current() {
        return Ok(instance);
    }
    let config = CONFIG
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let internal = |what: &str| Failure::unwritten(Error::Internal(what.to_owned()));
    let config = config.ok_or_else(|| internal("not configured"))?;
    // tokio panics when it gets no thread; nothing was written then.
    let instance = catch_unwind(AssertUnwindSafe(|| Process::new(&config)))
        .unwrap_or_else(|_| Err(internal("no runtime")))?;
    Ok(CURRENT.set(instance))
}

fn current() -> Option<&'static Process> {
    CURRENT
        .get()
        .filter(|instance| instance.generation == gvl::generation())
}

impl Process {
    fn new(config: &Config) -> Result<Self, Failure> {
        let no_runtime = |e| Failure::unwritten(Error::Internal(format!("no runtime: {e}")));
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(no_runtime)?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("rmt_rs".to_owned())
            .spawn(move || runtime.block_on(ended))
            .map_err(no_runtime)?;
        Ok(Self {
            handle,
            alive: Mutex::new(Some(alive)),
            registration: match config.credentials {
                Some(keeping) => Registration::new(&config.database)?.with_passwords(keeping),
                None => Registration::new(&config.database)?,
            },
            deadline: Duration::from_millis(config.deadline_ms),
            generation: gvl::generation(),
        })
    }
}
