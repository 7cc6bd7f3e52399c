//! What a request is made of.

use super::Pass;

macro_rules! parts {
    ($($name:ident = $key:literal,)*) => {
        /// What of Rack's environment is looked at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Part { $($name,)* }

        #[cfg(any(test, feature = "fuzzing"))]
        impl Part {
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];
        }

        /// Keys of Rack's environment that a request is made of, in the order in which [`Request::new`]
        /// takes their values. The body comes apart from them.
        pub const PARTS: &[&str] = &[$($key,)*];
    };
}

parts! {
    Method = "REQUEST_METHOD",
    Script = "SCRIPT_NAME",
    Path = "PATH_INFO",
    Query = "QUERY_STRING",
    Scheme = "rack.url_scheme",
    Https = "HTTPS",
    Host = "HTTP_HOST",
    ForwardedHost = "HTTP_X_FORWARDED_HOST",
    ForwardedProto = "HTTP_X_FORWARDED_PROTO",
    ForwardedScheme = "HTTP_X_FORWARDED_SCHEME",
    ForwardedSsl = "HTTP_X_FORWARDED_SSL",
    Forwarded = "HTTP_FORWARDED",
    ForwardedFor = "HTTP_X_FORWARDED_FOR",
    ClientIp = "HTTP_CLIENT_IP",
    Accept = "HTTP_ACCEPT",
    Authorization = "HTTP_AUTHORIZATION",
    OtherAuthorization1 = "X-HTTP_AUTHORIZATION",
    OtherAuthorization2 = "X_HTTP_AUTHORIZATION",
    OtherAuthorization3 = "REDIRECT_X_HTTP_AUTHORIZATION",
    ContentType = "CONTENT_TYPE",
    ContentLength = "CONTENT_LENGTH",
    TransferEncoding = "HTTP_TRANSFER_ENCODING",
    SystemToken = "HTTP_SYSTEM_TOKEN",
    UserAgent = "HTTP_USER_AGENT",
    IfNoneMatch = "HTTP_IF_NONE_MATCH",
    RequestedWith = "HTTP_X_REQUESTED_WITH",
    MethodOverride = "HTTP_X_HTTP_METHOD_OVERRIDE",
}

/// A request, not looked at yet.
#[derive(Clone)]
pub struct Request {
    parts: Vec<Option<Vec<u8>>>,
    body: Vec<u8>,
}

impl Request {
    /// The values of [`PARTS`], nothing for those that are absent, and the body. Nothing when there are
    /// more or fewer of them.
    pub fn new(parts: Vec<Option<Vec<u8>>>, body: Vec<u8>) -> Option<Self> {
        (parts.len() == PARTS.len()).then_some(Self { parts, body })
    }

    /// With the body as it came.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The bytes of a part, if it was sent.
    pub(super) fn bytes(&self, part: Part) -> Option<&[u8]> {
        self.parts.get(part as usize)?.as_deref()
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.bytes(part).is_some()
    }

    /// A part that is nothing but visible ASCII and spaces.
    pub(super) fn plain(&self, part: Part) -> Result<Option<&str>, Pass> {
        match self.utf8(part)? {
            Some(text) if !text.bytes().all(|it| (b' '..=b'~').contains(&it)) => {
                Err(Pass("a header with strange characters"))
            }
            text => Ok(text),
        }
    }

    /// A part that is text in UTF-8.
    pub(super) fn utf8(&self, part: Part) -> Result<Option<&str>, Pass> {
        let Some(bytes) = self.bytes(part) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| Pass("a header that is not UTF-8"))
    }
}

#[cfg(test)]
impl Request {
    /// `GET http://rmt.example.com/`, with these parts instead.
    pub(super) fn with(parts: &[(Part, &str)], body: &[u8]) -> Self {
        let usual = [
            (Part::Method, "GET"),
            (Part::Script, ""),
            (Part::Path, "/"),
            (Part::Query, ""),
            (Part::Scheme, "http"),
            (Part::Host, "rmt.example.com"),
        ];
        let length = body.len().to_string();
        let length = [(Part::ContentLength, length.as_str())];
        let length = if body.is_empty() { &[][..] } else { &length };
        Self::claiming(&[&usual, length, parts].concat(), body)
    }

    /// Nothing but these parts.
    pub(super) fn claiming(parts: &[(Part, &str)], body: &[u8]) -> Self {
        let mut all = vec![None; PARTS.len()];
        for (part, value) in parts {
            all[*part as usize] = Some(value.as_bytes().to_vec());
        }
        Self::new(all, body.to_vec()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_under_their_keys() {
        assert_eq!(PARTS[Part::Method as usize], "REQUEST_METHOD");
        assert_eq!(PARTS[Part::UserAgent as usize], "HTTP_USER_AGENT");
        assert_eq!(PARTS.len(), Part::MethodOverride as usize + 1);
    }

    #[test]
    fn a_request_has_all_parts_or_is_none() {
        assert!(Request::new(vec![None; PARTS.len()], Vec::new()).is_some());
        assert!(Request::new(vec![None; PARTS.len() - 1], Vec::new()).is_none());
        assert!(Request::new(vec![None; PARTS.len() + 1], Vec::new()).is_none());
    }

    #[test]
    fn only_text_is_text() {
        let request = Request::with(&[(Part::UserAgent, "é"), (Part::Accept, "a b")], b"");
        assert_eq!(request.utf8(Part::UserAgent), Ok(Some("é")));
        assert!(request.plain(Part::UserAgent).is_err());
        assert_eq!(request.plain(Part::Accept), Ok(Some("a b")));
        assert_eq!(request.plain(Part::SystemToken), Ok(None));
        let mut parts = vec![None; PARTS.len()];
        parts[Part::Accept as usize] = Some(vec![0xff]);
        let request = Request::new(parts, Vec::new()).unwrap();
        assert!(request.utf8(Part::Accept).is_err());
    }
}
