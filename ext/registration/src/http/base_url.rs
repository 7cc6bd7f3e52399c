//! The URL under which the client reached this server (Rails' `request.base_url`).

use super::Pass;
use super::request::{Part, Request};
use crate::catalog::BaseUrl;

/// What the client believes to be talking to.
pub(super) fn base_url(request: &Request) -> Result<BaseUrl, Pass> {
    let strange = || Pass("a strange host");
    let (host, port) = host(request)?;
    let scheme = scheme(request)?;
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    BaseUrl::parse(&format!("{scheme}://{host}{port}")).ok_or_else(strange)
}

/// Two headers that say the same of different things are for Rack to choose from.
fn scheme(request: &Request) -> Result<&str, Pass> {
    let strange = Err(Pass("a strange scheme"));
    if request.has(Part::Forwarded) {
        return Err(Pass("the header Forwarded"));
    }
    let on = |part| request.bytes(part) == Some(b"on");
    if on(Part::Https) || on(Part::ForwardedSsl) {
        return Ok("https");
    }
    let forwarded = match (
        request.plain(Part::ForwardedScheme)?,
        request.plain(Part::ForwardedProto)?,
    ) {
        (Some(_), Some(_)) => return strange,
        (scheme, proto) => scheme.or(proto),
    };
    match forwarded.or(request.plain(Part::Scheme)?) {
        Some(scheme @ ("http" | "https")) => Ok(scheme),
        _ => strange,
    }
}

/// Names and IPv4 addresses, and the port if one was sent.
fn host(request: &Request) -> Result<(&str, Option<u16>), Pass> {
    let strange = || Pass("a strange host");
    let forwarded = request.plain(Part::ForwardedHost)?;
    let sent = forwarded.or(request.plain(Part::Host)?);
    let sent = sent.ok_or_else(strange)?;
    let (host, port) = match sent.split_once(':') {
        None => (sent, None),
        Some((host, port)) => {
            let digits = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port != 0);
            (host, Some(port.ok_or_else(strange)?))
        }
    };
    let named = host.starts_with(|first: char| first.is_ascii_alphanumeric())
        && (host.bytes()).all(|it| it.is_ascii_alphanumeric() || b".-".contains(&it));
    match named {
        true => Ok((host, port)),
        false => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(parts: &[(Part, &str)]) -> Option<String> {
        let request = Request::with(parts, b"");
        base_url(&request).ok().map(|it| it.to_string())
    }

    #[test]
    fn the_usual_port_is_not_shown() {
        for (scheme, host, url) in [
            ("http", "rmt", "http://rmt"),
            ("http", "rmt:80", "http://rmt"),
            ("http", "rmt:443", "http://rmt:443"),
            ("https", "rmt:443", "https://rmt"),
            (
                "https",
                "RMT.example.com:0080",
                "https://RMT.example.com:80",
            ),
            ("http", "127.0.0.1:4224", "http://127.0.0.1:4224"),
        ] {
            let parts = [(Part::Scheme, scheme), (Part::Host, host)];
            assert_eq!(base(&parts).as_deref(), Some(url));
        }
    }

    #[test]
    fn a_proxy_says_what_it_was_asked_for() {
        let proto = (Part::ForwardedProto, "https");
        let host = (Part::ForwardedHost, "proxy:8443");
        for (parts, url) in [
            (vec![host], "http://proxy:8443"),
            (vec![proto], "https://rmt.example.com"),
            (vec![proto, host], "https://proxy:8443"),
            (vec![(Part::ForwardedSsl, "on")], "https://rmt.example.com"),
            (vec![(Part::ForwardedSsl, "off")], "http://rmt.example.com"),
            (
                vec![(Part::ForwardedScheme, "https")],
                "https://rmt.example.com",
            ),
            (vec![(Part::Https, "on")], "https://rmt.example.com"),
            // Puma's own.
            (vec![(Part::Https, "https")], "http://rmt.example.com"),
        ] {
            assert_eq!(base(&parts).as_deref(), Some(url), "{parts:?}");
        }
    }

    #[test]
    fn what_is_doubtful_is_passed_on() {
        for strange in [
            vec![(Part::Host, "")],
            vec![(Part::Host, "a b")],
            vec![(Part::Host, "a_b")],
            vec![(Part::Host, "-a")],
            vec![(Part::Host, "[::1]:80")],
            vec![(Part::Host, "rmt:")],
            vec![(Part::Host, "rmt:0")],
            vec![(Part::Host, "rmt:+80")],
            vec![(Part::Host, "rmt:65536")],
            vec![(Part::Host, "rmt:80:80")],
            vec![(Part::ForwardedHost, "")],
            vec![(Part::ForwardedHost, "a, b")],
            vec![(Part::ForwardedProto, "https, http")],
            vec![(Part::ForwardedProto, "wss")],
            vec![(Part::ForwardedProto, "")],
            vec![
                (Part::ForwardedProto, "https"),
                (Part::ForwardedScheme, "https"),
            ],
            vec![(Part::Forwarded, "host=x")],
            vec![(Part::Scheme, "ftp")],
        ] {
            assert_eq!(base(&strange), None, "{strange:?}");
        }
    }
}
