//! What can go wrong, in the terms of the one who has to answer the client.

use thiserror::Error as ThisError;

/// Whether a failed operation may have left something in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// Certainly nothing: serving the request by other means is safe.
    No,
    /// A write was sent and its fate is unknown: serving it again could double it.
    Perhaps,
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, ThisError)]
pub enum Error {
    /// The request is beyond what is understood here with certainty; Rails knows what to do.
    #[error("{0}")]
    Declined(&'static str),
    /// The request asks for something that cannot be stored; the text is for the client (422).
    #[error("{0}")]
    BadInput(String),
    /// What RMT itself answers with, in its own shape: a message for the client and the status
    /// (contract, "Errors"; RMT: `ActionController::TranslatedError`).
    #[error("{message}")]
    Rmt {
        /// HTTP status.
        status: u16,
        /// `error` and `localized_error` of the answer.
        message: String,
    },
    /// What an activation refers to was deleted meanwhile; RMT has a shape of its own for that (422;
    /// RMT: `handle_invalid_foreign_key`).
    #[error("the system is not valid or no longer exists")]
    Gone,
    /// What Rails answers with when a model's validation fails (422, Rails' own shape).
    #[error("validation failed: {0}")]
    Invalid(&'static str),
    /// The database refused before the request was looked at (too many connections, login refused,
    /// settings that lead nowhere …); a connection that exists elsewhere might still serve it.
    #[error("no database connection: {0}")]
    Refused(String),
    /// The database cannot serve this now, whoever asks (read-only, full, silent …).
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The database said nothing in all the time there is, or none of its connections became free.
    #[error("database unavailable: {0}")]
    Silent(String),
    /// Nobody waits for the answer any more and nothing was written.
    #[error("abandoned before the write")]
    Abandoned,
    /// A mistake of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

/// An [`Error`] and whether something may have been written before it.
#[derive(Debug, Clone, ThisError)]
#[error("{error}")]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// Whether the database may hold a part of it.
    pub written: Written,
}

impl Failure {
    /// A failure before any write.
    pub fn unwritten(error: Error) -> Self {
        Self {
            error,
            written: Written::No,
        }
    }

    /// RMT's own answer, before any write.
    pub(crate) fn rmt(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::unwritten(Error::Rmt { status, message })
    }

    /// No system has this login and password, or none has them any more (contract, "Errors").
    pub(crate) fn invalid_credentials() -> Self {
        Self::rmt(401, "Invalid system credentials")
    }

    /// RMT's own refusal, before any write (contract, "Errors").
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::rmt(422, message)
    }

    /// The same failure after earlier attempts: what they may have `written` is not undone by it. A value that is refused
    /// only then (the server reads less by now, for instance) is no refusal of the request.
    pub(crate) fn after(self, written: Written) -> Self {
        let error = match self.error {
            Error::BadInput(what) if written == Written::Perhaps => Error::Unavailable(what),
            error => error,
        };
        Self {
            error,
            written: self.written.max(written),
        }
    }

    /// A failure after a write whose fate is unknown.
    pub fn perhaps_written(error: Error) -> Self {
        Self {
            error,
            written: Written::Perhaps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_stored_is_not_refused_for_its_values() {
        let too_long = || Failure::unwritten(Error::BadInput("too long".to_owned()));
        let first = too_long().after(Written::No);
        assert!(matches!(first.error, Error::BadInput(_)) && first.written == Written::No);
        let later = too_long().after(Written::Perhaps);
        assert!(matches!(later.error, Error::Unavailable(_)) && later.written == Written::Perhaps);
    }
}
