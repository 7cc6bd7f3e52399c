//! From the core's failures to the exception classes of `lib/rmt_rs/errors.rb`.

use magnus::prelude::*;
use magnus::{Error as RubyError, ExceptionClass, RModule, Ruby};
use registration::{Error, Failure, Written};

/// The exception for `failure`; `written?` tells whether something may have been written.
pub fn exception(ruby: &Ruby, failure: &Failure) -> RubyError {
    let class = match failure.error {
        Error::Declined(_) => "Declined",
        Error::BadInput(_) => "BadInput",
        Error::Rmt {
            status,
            ref message,
        } => {
            return build_rmt(ruby, message, failure.written, status).unwrap_or_else(|error| error);
        }
        Error::Invalid(_) => "Invalid",
        Error::Refused(_) => "Refused",
        Error::Unavailable(_) | Error::Abandoned => "Unavailable",
        Error::Internal(_) => "InternalError",
    };
    build(ruby, class, &failure.error.to_string(), failure.written).unwrap_or_else(|error| error)
}

/// An `RmtRs::InternalError`.
pub fn internal(ruby: &Ruby, message: &str, written: Written) -> RubyError {
    build(ruby, "InternalError", message, written).unwrap_or_else(|error| error)
}

fn build(
    ruby: &Ruby,
    class: &str,
    message: &str,
    written: Written,
) -> Result<RubyError, RubyError> {
    let class = class_named(ruby, class)?;
    let exception = class.new_instance((message, written == Written::Perhaps))?;
    Ok(exception.into())
}

/// An `RmtRs::RmtError`, which knows its status too.
fn build_rmt(
    ruby: &Ruby,
    message: &str,
    written: Written,
    status: u16,
) -> Result<RubyError, RubyError> {
    let class = class_named(ruby, "RmtError")?;
    let exception = class.new_instance((message, written == Written::Perhaps, status))?;
    Ok(exception.into())
}

fn class_named(ruby: &Ruby, class: &str) -> Result<ExceptionClass, RubyError> {
    let module: RModule = ruby.class_object().const_get("RmtRs")?;
    module.const_get(class)
}
