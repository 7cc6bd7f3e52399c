//! URLs as Ruby's `URI` makes them of what stands in the tables.
//!
//! Where `URI` refuses a character, which RMT answers with a 500, it is percent-encoded here.

use std::fmt;

use super::template::{Hole, MARK};

/// Below this everything that is mirrored lies.
const PREFIX: &str = "/repo/";

/// The URL under which the client reached this server: `http://host`, `https://host:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: String,
    host: String,
    port: u16,
    /// No URL, but the places where one goes into a [`Template`](super::template::Template).
    marks: bool,
}

impl BaseUrl {
    /// What leaves marks wherever another base URL would leave itself.
    pub(super) fn marks() -> Self {
        Self {
            scheme: String::new(),
            host: String::new(),
            port: 0,
            marks: true,
        }
    }

    /// `text` as Rails' `request.base_url` gives it; nothing for what is none, a host of strange
    /// characters for example.
    ///
    /// ```
    /// use registration::catalog::BaseUrl;
    ///
    /// let base = BaseUrl::parse("https://rmt.example.com:443").unwrap();
    /// assert_eq!(base.to_string(), "https://rmt.example.com");
    /// assert!(BaseUrl::parse("http://a b").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "http" | "https" => default_port(&scheme)?,
            _ => return None,
        };
        // The colons of an IPv6 address are no separators.
        let (host, port) = match rest.rfind(':').filter(|at| !rest[*at..].contains(']')) {
            Some(at) => (&rest[..at], rest[at + 1..].parse().ok()?),
            None => (rest, default),
        };
        let (inner, others) = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(address) => (address, ":."),
            None => (host, "-._"),
        };
        let harmless = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        (!inner.is_empty() && inner.chars().all(harmless)).then(|| Self {
            scheme,
            host: host.to_owned(),
            port,
            marks: false,
        })
    }

    /// The one in answers to a synchronization: RMT makes it with `URI::HTTP.build`, without the
    /// port, and that pays no heed to the scheme it is given either.
    #[must_use]
    pub fn for_synchronize(&self) -> Self {
        Self {
            scheme: "http".to_owned(),
            host: self.host.clone(),
            port: 80,
            marks: false,
        }
    }

    /// What clients of SMT call their only service here: `SMT-http_rmt_example_com:8443` (RMT:
    /// `Misc.make_smt_service_name`).
    pub(super) fn smt_service_name(&self) -> String {
        let shown = self.to_string();
        let host = shown.split_once("://").map_or("", |(_, host)| host);
        let name = format!("SMT-http_{}", host.replace('.', "_"));
        name.strip_suffix('_').unwrap_or(&name).to_owned()
    }

    /// `<base>/repo` and `local_path` (RMT: `Misc.make_repo_url`).
    pub(super) fn repository_url(&self, local_path: &str) -> String {
        let (path, rest) = repository_path(local_path);
        format!("{self}{path}{rest}")
    }

    /// `url` on this server (RMT: `Misc.replace_uri_parts`). A port other than the usual one of
    /// the scheme that `url` had before is shown.
    pub(super) fn license_url(&self, url: &str) -> String {
        let Parts {
            scheme,
            path,
            query,
            fragment,
        } = Parts::of(url.trim());
        let scheme = scheme.to_ascii_lowercase();
        let hole = match default_port(&scheme) {
            Some(usual) => Hole::Port { usual },
            // URI::File has no ports.
            None if scheme == "file" => Hole::NoPort,
            None => Hole::AnyPort,
        };
        let path = encode(&join(path), path_character);
        let rest = rest(query, fragment);
        format!("{}{path}{rest}", self.fill(hole))
    }

    /// What of this URL goes into `hole`.
    pub(super) fn fill(&self, hole: Hole) -> String {
        if self.marks {
            return format!("{MARK}{hole};");
        }
        let Self {
            scheme, host, port, ..
        } = self;
        let hidden = match hole {
            Hole::Base => default_port(scheme) == Some(*port),
            Hole::Port { usual } => usual == *port,
            Hole::NoPort => true,
            Hole::AnyPort => false,
        };
        match hidden {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://{host}:{port}"),
        }
    }
}

impl fmt::Display for BaseUrl {
    /// Without the port where it is the usual one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill(Hole::Base))
    }
}

/// Where a repository is on this server, and what follows the path (nothing, in all likelihood).
pub(super) fn repository_path(local_path: &str) -> (String, String) {
    let (path, query, fragment) = split(local_path);
    let path = encode(&without_dots(&join(path)), path_character);
    (path, rest(query, fragment))
}

/// `text` as `URI#query=` takes it.
pub(super) fn query(text: &str) -> String {
    encode(text, |byte| {
        byte.is_ascii_graphic() && !b"\"#'<>`".contains(&byte)
    })
}

/// `text` as `to_query` writes a value (`CGI.escape`).
pub(super) fn form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The host of a URL, in lower case, if there is one.
pub(super) fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit('@').next()?;
    let host = match host.rfind(':').filter(|at| !host[*at..].contains(']')) {
        Some(at) => &host[..at],
        None => host,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// What of a URL is kept. User and password are not, in RMT only with a Ruby that still does.
struct Parts<'a> {
    scheme: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (before, query, fragment) = split(url);
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = before
            .split_once(':')
            .filter(|(scheme, _)| is_scheme(scheme))
            .unwrap_or(("", before));
        let path = match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
            None => rest,
        };
        Self {
            scheme,
            path,
            query,
            fragment,
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        "ldap" => Some(389),
        "ldaps" => Some(636),
        _ => None,
    }
}

/// Path, query and fragment.
fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (text, fragment) = match text.split_once('#') {
        Some((text, fragment)) => (text, Some(fragment)),
        None => (text, None),
    };
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query), fragment),
        None => (text, None, fragment),
    }
}

fn rest(query_part: Option<&str>, fragment: Option<&str>) -> String {
    let mut rest = String::new();
    if let Some(text) = query_part {
        rest.push('?');
        rest.push_str(&query(text));
    }
    if let Some(text) = fragment {
        rest.push('#');
        rest.push_str(&encode(text, |byte| byte == b'?' || path_character(byte)));
    }
    rest
}

/// `File.join(PREFIX, path)`: of the slashes where both meet, those of `path` stay.
fn join(path: &str) -> String {
    if path.starts_with('/') {
        format!("{}{path}", PREFIX.trim_end_matches('/'))
    } else {
        format!("{PREFIX}{path}")
    }
}

/// An absolute `path` with `.` and `..` carried out, as `URI.join` does.
fn without_dots(path: &str) -> String {
    if !path.contains("/.") {
        return path.to_owned();
    }
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        segments.push("");
    }
    format!("/{}", segments.join("/"))
}

fn path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte)
}

/// `text` with everything but `allowed` percent-encoded, and percent signs that encode nothing.
fn encode(text: &str, allowed: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let stray = byte == b'%'
            && !text
                .as_bytes()
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if allowed(byte) && !stray {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap()
    }

    #[test]
    fn base_urls_show_the_port_where_it_is_not_the_usual_one() {
        for (given, shown) in [
            ("http://h", "http://h"),
            ("http://h:80", "http://h"),
            ("http://h:4224", "http://h:4224"),
            ("http://h:443", "http://h:443"),
            ("https://Hh:443", "https://Hh"),
            ("https://h:80", "https://h:80"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(base(given).to_string(), shown);
        }
        for none in [
            "",
            "h",
            "http://",
            "http://:80",
            "ftp://h",
            "http://h/",
            "http://h:x",
            "http://h:99999",
            "http://a\"b",
            "http://ä",
            "http://u@h",
            "http://[]",
            "http://a]:80",
        ] {
            assert_eq!(BaseUrl::parse(none), None, "{none}");
        }
        let synchronize = base("https://h:8443").for_synchronize();
        assert_eq!(synchronize.to_string(), "http://h");
    }

    // What Ruby 3.1 answered.
    #[test]
    fn the_service_of_smt_is_named_by_the_host() {
        for (given, name) in [
            ("http://rmt.example.com", "SMT-http_rmt_example_com"),
            (
                "https://rmt.example.com:8443",
                "SMT-http_rmt_example_com:8443",
            ),
            ("https://h:443", "SMT-http_h"),
            ("https://h:80", "SMT-http_h:80"),
            ("http://h:443", "SMT-http_h:443"),
            ("http://a_b_", "SMT-http_a_b"),
            ("http://a.", "SMT-http_a"),
            ("http://[::1]:4224", "SMT-http_[::1]:4224"),
        ] {
            assert_eq!(base(given).smt_service_name(), name);
        }
    }

    // What Ruby 3.1 answered, or where it raised an error (marked), what stands to reason.
    #[test]
    fn repositories_are_below_repo() {
        for (local_path, url) in [
            ("/a/b/", "/repo/a/b/"),
            ("", "/repo/"),
            ("/", "/repo/"),
            ("a", "/repo/a"),
            ("//a", "/repo//a"),
            ("///a//b/", "/repo///a//b/"),
            ("/a/../b", "/repo/b"),
            ("/a/./b/.", "/repo/a/b/"),
            ("/../../x", "/x"),
            ("/a/..", "/repo/"),
            ("..", "/"),
            ("/a%20b", "/repo/a%20b"),
            ("/$RCE/x", "/repo/$RCE/x"),
            ("/a?b=c d", "/repo/a?b=c%20d"),
            ("/a#f", "/repo/a#f"),
            ("/a;b,c=d+e@f:g!*()~-_.'", "/repo/a;b,c=d+e@f:g!*()~-_.'"),
            ("/a?b=[c]{d}\"", "/repo/a?b=[c]{d}%22"),
            ("/repo/x", "/repo/repo/x"),
            // URI::InvalidURIError:
            ("/a b", "/repo/a%20b"),
            ("/a%zz%4", "/repo/a%25zz%254"),
            ("/ä\n", "/repo/%C3%A4%0A"),
            ("/a[b]|^\"<>\\", "/repo/a%5Bb%5D%7C%5E%22%3C%3E%5C"),
            ("/a?x#y#z", "/repo/a?x#y%23z"),
        ] {
            let base = base("http://h:4224");
            assert_eq!(
                base.repository_url(local_path),
                format!("http://h:4224{url}")
            );
        }
        assert_eq!(
            base("https://h:443").repository_url("/a"),
            "https://h/repo/a"
        );
    }

    #[test]
    fn licenses_keep_the_port_their_own_scheme_needs() {
        for (url, on_80, on_4224) in [
            (
                "https://u.suse.com/x/?q=1#f",
                "http://b:80/repo/x/?q=1#f",
                "http://b:4224/repo/x/?q=1#f",
            ),
            (
                "http://u.suse.com:81/x",
                "http://b/repo/x",
                "http://b:4224/repo/x",
            ),
            ("HTTPS://h", "http://b:80/repo/", "http://b:4224/repo/"),
            (
                "https://h?x=1",
                "http://b:80/repo/?x=1",
                "http://b:4224/repo/?x=1",
            ),
            (
                "https://h/../x/./y",
                "http://b:80/repo/../x/./y",
                "http://b:4224/repo/../x/./y",
            ),
            ("//h/x", "http://b:80/repo/x", "http://b:4224/repo/x"),
            (
                "foo/bar",
                "http://b:80/repo/foo/bar",
                "http://b:4224/repo/foo/bar",
            ),
            ("file:///x/y", "http://b/repo/x/y", "http://b/repo/x/y"),
            // URI::InvalidURIError:
            (
                " https://h/a b ",
                "http://b:80/repo/a%20b",
                "http://b:4224/repo/a%20b",
            ),
            (
                "mailto:a@b",
                "http://b:80/repo/a@b",
                "http://b:4224/repo/a@b",
            ),
            // Ruby 3.1 keeps user and password.
            (
                "https://u:p@h/x",
                "http://b:80/repo/x",
                "http://b:4224/repo/x",
            ),
        ] {
            assert_eq!(base("http://b").license_url(url), on_80);
            assert_eq!(base("http://b:4224").license_url(url), on_4224);
        }
        assert_eq!(
            base("https://h").license_url("https://u/x"),
            "https://h/repo/x"
        );
        assert_eq!(
            base("https://h").license_url("http://u/x"),
            "https://h:443/repo/x"
        );
    }

    #[test]
    fn queries_are_encoded_as_ruby_does() {
        assert_eq!(
            form(" !*()-._~aZ0/+ä\n"),
            "+%21%2A%28%29-._~aZ0%2F%2B%C3%A4%0A"
        );
        for (given, encoded) in [
            ("a+b&c", "a+b&c"),
            ("a\"b <c>", "a%22b%20%3Cc%3E"),
            ("ä'%41", "%C3%A4%27%41"),
            ("p%zz", "p%25zz"),
        ] {
            assert_eq!(query(given), encoded);
        }
    }

    #[test]
    fn hosts_are_told_from_what_surrounds_them() {
        for (url, expected) in [
            ("http://a.EXAMPLE.com/x", Some("a.example.com")),
            ("http://u:p@h.x:8/", Some("h.x")),
            ("http://[::1]:80/x", Some("[::1]")),
            ("http:///x", None),
            ("notauri", None),
        ] {
            assert_eq!(host(url).as_deref(), expected);
        }
    }
}
