//! What an operation's time went to.
//!
//! Each operation is a task of its own, and what belongs to it finds the place to write that down by its
//! task: so nothing has to be handed through. Outside of [`measured`] nothing is written down.

use std::cell::Cell;
use std::time::Duration;

use tokio::task_local;
use tokio::time::Instant;

task_local! {
    static TIMINGS: Cell<Timings>;
}

/// What one or several operations of a request have taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until a connection was had, and, of an announce that waits for others, until its statement began.
    pub queue: Duration,
    /// With a connection: statements, and what is decided between them.
    pub database: Duration,
    /// Making the answer's body out of what was read.
    pub render: Duration,
    /// Attempts after the first one.
    pub retries: u32,
    /// Products that were remembered.
    pub hits: u32,
    /// Products that had to be read.
    pub misses: u32,
    /// Announces that shared the statement; 1 for one that was stored alone, 0 where nothing was announced.
    pub together: u32,
}

impl Timings {
    /// Both together.
    ///
    /// ```
    /// use registration::Timings;
    ///
    /// let one = Timings { retries: 1, ..Timings::default() };
    /// assert_eq!(one.and(one).retries, 2);
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            queue: self.queue + other.queue,
            database: self.database + other.database,
            render: self.render + other.render,
            retries: self.retries + other.retries,
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            together: self.together + other.together,
        }
    }
}

/// Carries `operation` out, and says what it took.
pub async fn measured<T>(operation: impl Future<Output = T>) -> (T, Timings) {
    let measured = async {
        let result = operation.await;
        (result, TIMINGS.get().get())
    };
    TIMINGS.scope(Cell::default(), measured).await
}

/// As [`measured`], for what is no task.
pub fn measured_now<T>(operation: impl FnOnce() -> T) -> (T, Timings) {
    TIMINGS.sync_scope(Cell::default(), || {
        let result = operation();
        (result, TIMINGS.get().get())
    })
}

/// Adds to what is measured, if anything is.
pub(crate) fn add(more: Timings) {
    // Nobody has to listen.
    let _ = TIMINGS.try_with(|timings| timings.set(timings.get().and(more)));
}

/// Makes a part of the answer.
pub(crate) fn rendering<T>(render: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let rendered = render();
    add(Timings {
        render: begun.elapsed(),
        ..Timings::default()
    });
    rendered
}

/// From here until it is dropped somebody has a connection.
pub(crate) struct Held(Instant);

impl Held {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        add(Timings {
            database: self.0.elapsed(),
            ..Timings::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn what_is_held_and_what_is_added_belongs_to_the_task_that_did_it() {
        let one = tokio::spawn(measured(async {
            {
                let _held = Held::new();
                tokio::time::sleep(TEN).await;
            }
            tokio::time::sleep(TEN).await;
            add(Timings {
                retries: 1,
                ..Timings::default()
            });
            "one"
        }));
        let ((), other) = measured(tokio::time::sleep(TEN)).await;
        assert_eq!(other, Timings::default());
        let (result, timings) = one.await.unwrap();
        assert_eq!((result, timings.retries), ("one", 1));
        assert_eq!(timings.database, TEN);
        assert_eq!(timings.queue, Duration::ZERO);
    }

    #[test]
    fn nobody_has_to_measure() {
        assert_eq!(rendering(|| 7), 7);
        drop(Held::new());
        let (seven, timings) = measured_now(|| rendering(|| 7));
        assert_eq!((seven, timings.hits), (7, 0));
    }
}
