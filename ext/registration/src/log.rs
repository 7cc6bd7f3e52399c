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
        Self::new(Level::Info, text)
    }

    pub(crate) fn error(text: String) -> Self {
        Self::new(Level::Error, text)
    }

    /// Most lines quote a client, whose control characters would end them, or make a terminal do things.
    fn new(level: Level, mut text: String) -> Self {
        if text.contains(char::is_control) {
            text = text.replace(char::is_control, "?");
        }
        Self { level, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let line = |text: &str| LogLine::info(text.to_owned()).text;
        assert_eq!(line("a\r\nb\u{1b}[2J\u{85}\0é"), "a??b?[2J??é");
        assert_eq!(line("System 'é' announced"), "System 'é' announced");
    }
}
