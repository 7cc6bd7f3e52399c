//! The header `Authorization`, as Rails reads it.

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
    let decoded = base64(rest).and_then(|bytes| String::from_utf8(bytes).ok());
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

/// Base64 as it should be. Ruby also reads what is cut off or has foreign characters in it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    let data = text.strip_suffix(b"==").or(text.strip_suffix(b"="));
    let data = data.unwrap_or(text);
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in data {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count & 0xff) as u8);
        }
    }
    let leftover = bits & ((1 << count) - 1);
    (leftover == 0).then_some(decoded)
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
        fn base64_is_read_as_it_was_written(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let mut text = String::new();
            for chunk in bytes.chunks(3) {
                let mut group = [0; 3];
                group[..chunk.len()].copy_from_slice(chunk);
                let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
                for at in 0..4 {
                    let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
                    text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
                }
            }
            prop_assert_eq!(base64(&text), Some(bytes));
        }

        #[test]
        fn nothing_panics(header in ".*") {
            let _ = basic(&sent(&header));
            let _ = token(&sent(&header));
        }
    }
}
