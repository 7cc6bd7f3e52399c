//! What Ruby and Rust tell each other about systems, as JSON.

use registration::catalog::{BaseUrl, Rendering};
use registration::{
    Authenticated, Credentials, Error, Failure, Found, Level, LogLine, SystemRow, TokenHeader,
    Updated,
};
use serde::{Deserialize, Serialize};

/// What `RmtRs::Native.authenticate` is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    login: String,
    password: String,
    /// Whether `System-Token` was sent.
    token_sent: bool,
    token: Option<String>,
    user_agent: Option<String>,
    tokens_enabled: bool,
    skip_on_duplicated: bool,
}

impl From<Caller> for Credentials {
    fn from(caller: Caller) -> Self {
        Self {
            login: caller.login,
            password: caller.password,
            token: match caller.token_sent {
                true => TokenHeader::Present(caller.token),
                false => TokenHeader::Absent,
            },
            user_agent: caller.user_agent,
            tokens_enabled: caller.tokens_enabled,
            skip_on_duplicated: caller.skip_on_duplicated,
        }
    }
}

/// What it answers.
#[derive(Serialize)]
pub struct Recognised {
    /// Absent when several systems have the credentials and the caller wanted to know no more.
    system: Option<SystemRow>,
    token_echo: Option<String>,
    copied: bool,
    log: Vec<Line>,
}

impl From<Authenticated> for Recognised {
    fn from(authenticated: Authenticated) -> Self {
        let log = authenticated
            .log_line()
            .into_iter()
            .map(Line::from)
            .collect();
        Self {
            copied: matches!(authenticated.found, Found::Copied { .. }),
            log,
            token_echo: authenticated.token_echo,
            system: Some(authenticated.system).filter(|_| authenticated.found != Found::Skipped),
        }
    }
}

/// What `RmtRs::Native.update` is given besides the request's parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keepalive {
    /// The system as its request was authenticated.
    pub system: SystemRow,
    /// Whether its token is to be rotated.
    pub rotate_token: bool,
}

/// What it answers.
#[derive(Serialize)]
pub struct Kept {
    system: SystemRow,
    clear_profile_cache: bool,
    log: Vec<Line>,
}

impl From<Updated> for Kept {
    fn from(updated: Updated) -> Self {
        Self {
            system: updated.system,
            clear_profile_cache: updated.clear_profile_cache,
            log: updated.log.into_iter().map(Line::from).collect(),
        }
    }
}

/// How an answer about the catalog is to look.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    base_url: String,
    free_as_stored: bool,
    credentials_in_repoindex: bool,
    redirect_hosts: Vec<String>,
}

impl TryFrom<Look> for Rendering {
    type Error = Failure;

    fn try_from(look: Look) -> Result<Self, Failure> {
        let base_url = BaseUrl::parse(&look.base_url)
            .ok_or_else(|| Failure::unwritten(Error::Declined("a strange base URL")))?;
        Ok(Self {
            free_as_stored: look.free_as_stored,
            credentials_in_repoindex: look.credentials_in_repoindex,
            redirect_hosts: look.redirect_hosts,
            ..Self::new(base_url)
        })
    }
}

/// A line for RMT's log.
#[derive(Serialize)]
struct Line {
    level: &'static str,
    text: String,
}

impl From<LogLine> for Line {
    fn from(line: LogLine) -> Self {
        let level = match line.level {
            Level::Info => "info",
            Level::Error => "error",
        };
        Self {
            level,
            text: line.text,
        }
    }
}
