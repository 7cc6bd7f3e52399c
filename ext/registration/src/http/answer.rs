//! What is answered, with the headers that Rails and the middlewares around it give it.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::request::{Part, Request};
use super::routes::Route;
use crate::json::to_json;
use crate::log::LogLine;

/// An answer, and what RMT's log says about it.
#[derive(derive_more::Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What the log says after `Completed`: 200 where a client is told that nothing has changed (304).
    pub logged_status: u16,
    /// Those that depend on the request. What Rails sends with every answer, `X-Request-Id` and
    /// `X-Runtime` are not among them, nor is `Content-Length`, which the server sends.
    #[debug("[secret]")]
    pub headers: Vec<(&'static str, String)>,
    /// Empty where the status has none.
    #[debug("[secret]")]
    pub body: String,
    /// What is to be counted: operation and outcome (`rust`, `refused`, `unavailable`, `silent`).
    pub counts: Vec<(&'static str, &'static str)>,
    /// The callback that has answered in the place of the action, by its name; `block` for the one of
    /// `ServicesController`, which has none. The log says `Filter chain halted as …`.
    pub halted: Option<&'static str>,
    /// Further lines, in their order, before `Completed …`.
    pub log: Vec<LogLine>,
}

/// The `Content-Type` of a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Json,
    Xml,
    Text,
    Html,
}

impl Content {
    fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

impl Answer {
    /// Nothing is said yet.
    pub(super) fn new() -> Self {
        Self {
            status: 204,
            logged_status: 204,
            headers: Vec::with_capacity(6),
            body: String::new(),
            counts: Vec::with_capacity(2),
            halted: None,
            log: Vec::new(),
        }
    }

    /// The header, instead of what it was.
    pub(super) fn header(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some(header) => header.1 = value,
            None => self.headers.push((name, value)),
        }
    }

    /// What Rails' `render` makes, which says so where the format was open.
    pub(super) fn render(&mut self, status: u16, content: Content, body: String, route: &Route) {
        self.respond(status, content, body);
        if !route.vary.is_empty() {
            self.header("Vary", &route.vary);
        }
    }

    pub(super) fn respond(&mut self, status: u16, content: Content, body: String) {
        self.status = status;
        self.header("Content-Type", content.header());
        self.body = body;
    }

    /// RMT's shape for errors (contract, "Errors").
    pub(super) fn error(&mut self, status: u16, message: &str, route: &Route) {
        let body = json!({"type": "error", "error": message, "localized_error": message});
        self.render(status, Content::Json, to_json(&body), route);
    }

    /// What `Rack::ETag` and, around it, `Rack::ConditionalGet` do.
    pub(super) fn finish(&mut self, request: &Request) {
        self.logged_status = self.status;
        if !matches!(self.status, 200 | 201) || self.body.is_empty() {
            self.header("Cache-Control", "no-cache");
            return;
        }
        let etag = etag(&self.body);
        let known = request.bytes(Part::IfNoneMatch) == Some(etag.as_bytes());
        self.header("ETag", etag);
        self.header("Cache-Control", "max-age=0, private, must-revalidate");
        if known && self.status == 200 && request.bytes(Part::Method) == Some(b"GET") {
            self.status = 304;
            self.body.clear();
            self.headers.retain(|(name, _)| *name != "Content-Type");
        }
    }
}

/// The first half of the body's SHA-256.
fn etag(body: &str) -> String {
    let digest = Sha256::digest(body);
    let mut etag = String::with_capacity(36);
    etag.push_str("W/\"");
    for byte in &digest[..16] {
        for digit in [byte >> 4, byte & 15] {
            etag.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    etag.push('"');
    etag
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const HEALTH: &str = r#"{"state":"online"}"#;
    /// As a real RMT sent it.
    const HEALTH_TAG: &str = r#"W/"b6475724061e32feca6ac9ad581b9f5c""#;

    fn finished(parts: &[(Part, &str)], status: u16, body: &str) -> Answer {
        let path = (Part::Path, "/api/health/status");
        let parts = [&[path, (Part::Accept, "*/*")], parts].concat();
        let request = Request::with(&parts, b"");
        let route = Route::of(&request, &Settings::all()).unwrap();
        let mut answer = Answer::new();
        if status != 204 {
            answer.render(status, Content::Json, body.to_owned(), &route);
        }
        answer.finish(&request);
        answer
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        let header = answer.headers.iter().find(|(known, _)| *known == name);
        header.map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_can_be_kept_has_a_tag() {
        let answer = finished(&[], 200, HEALTH);
        assert_eq!(header(&answer, "ETag"), Some(HEALTH_TAG));
        let cache = "max-age=0, private, must-revalidate";
        assert_eq!(header(&answer, "Cache-Control"), Some(cache));
        assert_eq!(header(&answer, "Vary"), Some("Accept"));
        for (status, body) in [(204, ""), (422, "{}"), (200, ""), (401, "x")] {
            let answer = finished(&[], status, body);
            assert_eq!(header(&answer, "ETag"), None);
            assert_eq!(header(&answer, "Cache-Control"), Some("no-cache"));
        }
        assert_eq!(header(&finished(&[], 204, ""), "Content-Type"), None);
    }

    #[test]
    fn who_has_it_is_told_so() {
        let answer = finished(&[(Part::IfNoneMatch, HEALTH_TAG)], 200, HEALTH);
        assert_eq!((answer.status, answer.logged_status), (304, 200));
        assert_eq!(answer.body, "");
        assert_eq!(header(&answer, "ETag"), Some(HEALTH_TAG));
        assert_eq!(header(&answer, "Content-Type"), None);
        assert_eq!(header(&answer, "Vary"), Some("Accept"));
        for other in ["*", "W/\"x\"", "\"b6475724061e32feca6ac9ad581b9f5c\"", ""] {
            let answer = finished(&[(Part::IfNoneMatch, other)], 200, HEALTH);
            assert_eq!(answer.status, 200, "{other}");
        }
        let created = finished(&[(Part::IfNoneMatch, HEALTH_TAG)], 201, HEALTH);
        assert_eq!(created.status, 201);
    }

    #[test]
    fn errors_are_escaped_as_rails_does() {
        let mut answer = finished(&[], 204, "");
        let route = Route::of(
            &Request::with(&[(Part::Path, "/connect/systems/activations")], b""),
            &Settings::all(),
        );
        answer.error(422, "<&>", &route.unwrap());
        let expected = r#"{"type":"error","error":"\u003c\u0026\u003e","localized_error":"\u003c\u0026\u003e"}"#;
        assert_eq!(answer.body, expected);
    }
}
