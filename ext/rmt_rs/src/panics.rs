//! What is printed of a panic.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{Write, stderr};
use std::panic::{PanicHookInfo, set_hook};

/// Has panics say where they are, and what only when that is a constant: a message that was put together
/// can quote a client's values, as Rust's own do of a string that was cut in the middle of a character.
///
/// Each dynamic library of Rust has a hook of its own: those of others are not touched.
pub fn prepare() {
    set_hook(Box::new(print));
}

fn print(panic: &PanicHookInfo<'_>) {
    let what = panic.payload().downcast_ref::<&'static str>();
    let what = what.copied().unwrap_or("[its message may hold values]");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    // Where the standard error is closed there is nobody to tell.
    let _ = writeln!(stderr(), "rmt_rs: panic at {place}: {what}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = write!(stderr(), "{backtrace}");
    }
}
