//! Lines for RMT's log. The core writes no log of its own; whoever calls it does.

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `logger.info`
    Info,
    /// `logger.error`
    Error,
}

/// A line as RMT writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud it is.
    pub level: Level,
    /// Its text.
    pub text: String,
}

impl LogLine {
    pub(crate) fn info(text: String) -> Self {
        let level = Level::Info;
        Self { level, text }
    }

    pub(crate) fn error(text: String) -> Self {
        let level = Level::Error;
        Self { level, text }
    }
}
