//! From the core's failures to the exception classes of `lib/rmt_rs/errors.rb`.

use magnus::prelude::*;
use magnus::{ArgList, Error as RubyError, ExceptionClass, RModule, Ruby};
use registration::{Error, Failure, Written};

/// The exception for `failure`; `written?` tells whether something may have been written.
pub fn exception(ruby: &Ruby, failure: &Failure) -> RubyError {
    let message = failure.error.to_string();
    let written = failure.written == Written::Perhaps;
    let class = match failure.error {
        Error::Declined(_) => "Declined",
        Error::BadInput(_) => "BadInput",
        Error::Rmt { status, .. } => return build(ruby, "RmtError", (message, written, status)),
        Error::Invalid(_) => "Invalid",
        Error::Gone => "Gone",
        Error::Refused(_) => "Refused",
        Error::Unavailable(_) => "Unavailable",
        Error::Silent(_) => "Silent",
        Error::Abandoned => "Abandoned",
        Error::Internal(_) => "InternalError",
    };
    build(ruby, class, (message, written))
}

/// An `RmtRs::InternalError`.
pub fn internal(ruby: &Ruby, message: &str, written: Written) -> RubyError {
    build(
        ruby,
        "InternalError",
        (message, written == Written::Perhaps),
    )
}

fn build(ruby: &Ruby, class: &str, arguments: impl ArgList) -> RubyError {
    let exception = || {
        let module: RModule = ruby.class_object().const_get("RmtRs")?;
        let class: ExceptionClass = module.const_get(class)?;
        class.new_instance(arguments)
    };
    exception().map_or_else(|error| error, RubyError::from)
}
