//! Where a Ruby thread waits for what a task on the runtime brings.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A place for one value, with one who waits for it.
pub struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    content: Content<T>,
    woken: bool,
}

enum Content<T> {
    Awaited,
    Here(T),
    /// The task ended without bringing anything: it panicked.
    Never,
}

/// Why [`Slot::wait`] returned.
pub enum Waited<T> {
    /// The value.
    Here(T),
    /// There will be none.
    Never,
    /// Somebody [woke](Slot::wake) the one who waits.
    Woken,
    /// The time is over.
    Late,
}

impl<T> Slot<T> {
    /// The slot and the sender's end of it.
    pub fn new() -> (Arc<Self>, Sender<T>) {
        let slot = Arc::new(Self {
            state: Mutex::new(State {
                content: Content::Awaited,
                woken: false,
            }),
            changed: Condvar::new(),
        });
        (Arc::clone(&slot), Sender(slot))
    }

    /// Waits for the value, a [`Slot::wake`] or the `deadline`, whichever is first.
    pub fn wait(&self, deadline: Instant) -> Waited<T> {
        let mut state = self.lock();
        loop {
            match std::mem::replace(&mut state.content, Content::Awaited) {
                Content::Here(value) => return Waited::Here(value),
                Content::Never => return Waited::Never,
                Content::Awaited => {}
            }
            if std::mem::take(&mut state.woken) {
                return Waited::Woken;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Waited::Late;
            };
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Makes a running or the next [`Slot::wait`] return.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    fn put(&self, content: Content<T>) {
        self.lock().content = content;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the value; dropped without, it says that there will be none.
pub struct Sender<T>(Arc<Slot<T>>);

impl<T> Sender<T> {
    /// Brings the value.
    pub fn send(self, value: T) {
        self.0.put(Content::Here(value));
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(state.content, Content::Awaited) {
            state.content = Content::Never;
            drop(state);
            self.0.changed.notify_all();
        }
    }
}
