//! What operations have taken, and what the process holds, for Ruby.

use std::cell::Cell;
use std::time::Duration;

use magnus::{Error, RArray, RHash, RModule, Ruby, function};
use registration::{Timings, Written};

use crate::{errors, guarded, runtime};

thread_local! {
    /// Of the operations that this Ruby thread has waited for.
    static TAKEN: Cell<Timings> = Cell::default();
}

/// Adds what an operation has taken.
pub fn add(timings: Timings) {
    TAKEN.set(TAKEN.get().and(timings));
}

/// `RmtRs::Native.take_timings`: what this thread's operations have taken since it was asked last: milliseconds until
/// there was a connection, with one, and to render; retries, products remembered and read, announces in a
/// statement.
fn take_timings(ruby: &Ruby) -> Result<RArray, Error> {
    let taken = TAKEN.take();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let members = ruby.ary_new_capa(7);
    members.push(milliseconds(taken.queue))?;
    members.push(milliseconds(taken.database))?;
    members.push(milliseconds(taken.render))?;
    members.push(taken.retries)?;
    members.push(taken.hits)?;
    members.push(taken.misses)?;
    members.push(taken.together)?;
    Ok(members)
}

/// `RmtRs::Native.gauges`: a hash, or nil where nothing runs.
fn gauges(ruby: &Ruby) -> Result<Option<RHash>, Error> {
    guarded(ruby, || {
        let Some(gauges) = runtime::gauges() else {
            return Ok(None);
        };
        let gauges = serde_json::to_value(gauges)
            .map_err(|e| errors::internal(ruby, &e.to_string(), Written::No))?;
        let hash = ruby.hash_new();
        for (name, value) in gauges.as_object().into_iter().flatten() {
            hash.aset(ruby.to_symbol(name), value.as_u64())?;
        }
        Ok(Some(hash))
    })
}

/// `RmtRs::Native.session_variables`: a hash of a session's variables, as operations have it.
fn session_variables(ruby: &Ruby) -> Result<RHash, Error> {
    guarded(ruby, || {
        let variables = runtime::run(ruby, |registration, _| async move {
            registration.session_variables().await
        })?;
        let hash = ruby.hash_new();
        for (name, value) in variables {
            hash.aset(name, value)?;
        }
        Ok(hash)
    })
}

/// Defines it all in `RmtRs::Native`.
pub fn define(native: &RModule) -> Result<(), Error> {
    native.define_module_function("take_timings", function!(take_timings, 0))?;
    native.define_module_function("gauges", function!(gauges, 0))?;
    native.define_module_function("session_variables", function!(session_variables, 0))?;
    Ok(())
}
