//! The header `Authorization`, as Rails reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Pass;
use super::request::{Part, Request};

/// Login and password; nothing when there is nothing of that kind.
pub(super) fn basic(request: &Request) -> Result<Option<(String, String)>, Pass> {
    let strange = || Pass("strange credentials");
    let Some(header) = header(request)? else {
        return Ok(None);
    };
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.is_empty() {
        return Err(strange());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    // As it should be: Ruby also reads what is cut off or has foreign characters in it.
    let bytes = STANDARD.decode(rest).ok();
    let decoded = bytes.and_then(|it| String::from_utf8(it).ok());
    let decoded = decoded.ok_or_else(strange)?;
    let (login, password) = decoded.split_once(':').ok_or_else(strange)?;
    Ok(Some((login.to_owned(), password.to_owned())))
}

/// A registration code; nothing when there is nothing of that kind.
pub(super) fn token(request: &Request) -> Result<Option<String>, Pass> {
    let Some(header) = header(request)? else {
        return Ok(None);
    };
    if !header.contains("Token") && !header.contains("Bearer") {
        return Ok(None);
    }
    let strange = Err(Pass("strange credentials"));
    let Some(sent) = header.strip_prefix("Token token=") else {
        return strange;
    };
    let quoted = sent.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let code = quoted.unwrap_or(sent);
    let harmless = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    if code.is_empty() || !code.bytes().all(harmless) {
        return strange;
    }
    Ok(Some(code.to_owned()))
}

/// Proxies may send it under other names, which Rails knows.
fn header(request: &Request) -> Result<Option<&str>, Pass> {
    let others = [
        Part::OtherAuthorization1,
        Part::OtherAuthorization2,
        Part::OtherAuthorization3,
    ];
    if others.iter().any(|it| request.has(*it)) {
        return Err(Pass("credentials under another name"));
    }
    request.plain(Part::Authorization)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(header: &str) -> Request {
        Request::with(&[(Part::Authorization, header)], b"")
    }

    fn login(header: &str) -> Option<Option<(String, String)>> {
        basic(&sent(header)).ok()
    }

    fn pair(login: &str, password: &str) -> Option<Option<(String, String)>> {
        Some(Some((login.into(), password.into())))
    }

    #[test]
    fn basic_credentials_are_decoded() {
        assert_eq!(login("Basic YTpi"), pair("a", "b"));
        assert_eq!(login("bASIC YTpi"), pair("a", "b"));
        // "a:b:c"
        assert_eq!(login("Basic YTpiOmM="), pair("a", "b:c"));
        // ":", "é:"
        assert_eq!(login("Basic Og=="), pair("", ""));
        assert_eq!(login("Basic w6k6"), pair("é", ""));
    }

    #[test]
    fn who_sends_something_else_has_none() {
        for header in ["Token token=x", "Bearer YTpi", "Basically YTpi", "Digest"] {
            assert_eq!(login(header), Some(None), "{header}");
        }
        let request = Request::with(&[], b"");
        assert_eq!(basic(&request), Ok(None));
        assert_eq!(token(&request), Ok(None));
    }

    #[test]
    fn what_ruby_would_decode_somehow_is_passed_on() {
        for header in [
            "",
            " Basic YTpi",
            "Basic",
            "Basic ",
            "Basic  YTpi",
            "Basic YTpi ",
            "Basic YTp",
            "Basic YTpiOmM",
            "Basic YTpiOmN=",
            "Basic YT-i",
            "Basic YTpi YTpi",
            "Basic YWI=",
            "Basic ====",
            "Basic /zo=",
        ] {
            assert_eq!(login(header), None, "{header}");
        }
        let other = Request::with(&[(Part::OtherAuthorization2, "Basic YTpi")], b"");
        assert!(basic(&other).is_err());
    }

    #[test]
    fn registration_codes_are_plain() {
        let code = |header: &str| token(&sent(header)).ok();
        let sent = |code: &str| Some(Some(code.to_owned()));
        assert_eq!(code("Token token=631dc51f"), sent("631dc51f"));
        assert_eq!(
            code("Token token=\"INTERNAL-USE_1.0\""),
            sent("INTERNAL-USE_1.0")
        );
        assert_eq!(code("Basic YTpi"), Some(None));
        for strange in [
            "Token token=",
            "Token token=\"\"",
            "Token token=\"a",
            "Token token=a b",
            "Token token=a,b=c",
            "Token a",
            "Bearer a",
            "token token=a Token b",
            "Token  token=a",
        ] {
            assert_eq!(code(strange), None, "{strange}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read(name in "[^:]*", password in ".*") {
            let header = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
            prop_assert_eq!(login(&header), pair(&name, &password));
        }

        #[test]
        fn nothing_panics(header in ".*") {
            let _ = basic(&sent(&header));
            let _ = token(&sent(&header));
        }
    }
}
