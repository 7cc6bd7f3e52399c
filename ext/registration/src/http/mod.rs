//! Requests for an operation, as a web server hands them over, and answers to them, byte for byte
//! RMT's (Rails 6.1 on Rack 2.2).
//!
//! What is not understood with certainty is not answered: [`Reply::Pass`], nothing was written, and
//! Rails, which comes next, makes of it what it ever did.

use serde::Deserialize;

use crate::error::Failure;
use crate::log::LogLine;
use crate::{Progress, Registration};

/// Keys of Rack's environment that a request is made of, in the order in which [`Request::new`] takes
/// their values. The body comes apart from them.
pub const PARTS: &[&str] = &[
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "rack.url_scheme",
    "HTTPS",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_HOST",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_CLIENT_IP",
    "HTTP_ACCEPT",
    "HTTP_AUTHORIZATION",
    "X-HTTP_AUTHORIZATION",
    "X_HTTP_AUTHORIZATION",
    "REDIRECT_X_HTTP_AUTHORIZATION",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_SYSTEM_TOKEN",
    "HTTP_USER_AGENT",
    "HTTP_IF_NONE_MATCH",
    "HTTP_X_REQUESTED_WITH",
    "HTTP_X_HTTP_METHOD_OVERRIDE",
];

/// A request, not looked at yet.
#[derive(Clone)]
pub struct Request {
    #[expect(dead_code)]
    parts: Vec<Option<Vec<u8>>>,
    #[expect(dead_code)]
    body: Vec<u8>,
}

impl Request {
    /// The values of [`PARTS`], nothing for those that are absent, and the body. Nothing when there are
    /// more or fewer of them.
    pub fn new(parts: Vec<Option<Vec<u8>>>, body: Vec<u8>) -> Option<Self> {
        (parts.len() == PARTS.len()).then_some(Self { parts, body })
    }
}

/// What does not change while the process runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The operations that are answered here, by the names that `RmtRs::Operations` has for them,
    /// `authenticate` and the steps among them. A request that needs another one is passed on.
    pub operations: Vec<String>,
    /// See [`Rendering`](crate::catalog::Rendering).
    pub free_as_stored: bool,
    /// See [`Rendering`](crate::catalog::Rendering).
    pub plugin_urls: bool,
    /// See [`Rendering`](crate::catalog::Rendering).
    pub credentials_in_repoindex: bool,
    /// See [`Rendering`](crate::catalog::Rendering).
    pub redirect_hosts: Vec<String>,
    /// See [`Credentials`](crate::Credentials).
    pub tokens_enabled: bool,
}

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    /// Nothing was written, and Rails has to answer; why, in a few words that do not depend on what
    /// the client sent.
    Pass(&'static str),
    /// It was carried out, or refused.
    Answer(Box<Answer>),
}

/// An answer, and what RMT's log says about it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Those that depend on the request. What Rails sends with every answer, `X-Request-Id` and
    /// `X-Runtime` are not among them, nor is `Content-Length`, which the server sends.
    pub headers: Vec<(&'static str, String)>,
    /// Empty where the status has none.
    pub body: String,
    /// The operation, by its name in `RmtRs::Operations`.
    pub operation: &'static str,
    /// What is to be counted: operation and outcome (`rust`, `refused`, `unavailable`).
    pub counts: Vec<(&'static str, &'static str)>,
    /// `Api::Connect::V4::Systems::ProductsController`
    pub controller: &'static str,
    /// `activate`
    pub action: &'static str,
    /// As the log says it: `JSON`, `HTML`, `*/*`.
    pub format: &'static str,
    /// Parameters that the path holds.
    pub path_params: Vec<(&'static str, String)>,
    /// The callback that has answered in the place of the action: `authenticate_system`, or `block` for
    /// the one of RMT's services, which has no name. The log says `Filter chain halted as …`.
    pub halted: Option<&'static str>,
    /// Further lines, in their order, before `Completed …`.
    pub log: Vec<LogLine>,
}

/// Whether [`Registration::serve`] may answer such a request: a first look, cheap enough for every one.
pub fn is_ours(_method: &str, _path: &str) -> bool {
    false
}

impl Registration {
    /// Answers a request whole, if it is understood.
    ///
    /// # Errors
    /// Those after which Ruby is to answer, nothing having been written:
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Internal`](crate::Error::Internal); and
    /// [`Error::Abandoned`](crate::Error::Abandoned).
    pub async fn serve(
        &self,
        _request: &Request,
        _settings: &Settings,
        _progress: &Progress,
    ) -> Result<Reply, Failure> {
        Ok(Reply::Pass("nothing is understood yet"))
    }
}
