//! Answers that are rendered once, for all base URLs.

use std::fmt;

use super::Rendering;
use super::url::BaseUrl;

/// Stands before a hole: a character that no column of RMT's can hold (their encoding ends at
/// U+FFFF) and that neither JSON nor XML writes otherwise. Should one hold it all the same,
/// [`Template::of`] notices.
pub(super) const MARK: char = '\u{10fffd}';

/// What of a base URL belongs somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hole {
    /// All of it, with the port where it is not the usual one of its own scheme.
    Base,
    /// As before, but by the usual port of another scheme.
    Port {
        /// That one.
        usual: u16,
    },
    /// Never with the port.
    NoPort,
    /// Always with the port.
    AnyPort,
}

impl fmt::Display for Hole {
    /// As it stands between mark and semicolon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Port { usual } => write!(f, "{usual}"),
            Self::NoPort => f.write_str("none"),
            Self::AnyPort => f.write_str("any"),
        }
    }
}

impl Hole {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "base" => Some(Self::Base),
            "none" => Some(Self::NoPort),
            "any" => Some(Self::AnyPort),
            port => port.parse().ok().map(|usual| Self::Port { usual }),
        }
    }
}

/// An answer with holes for the base URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// What stands between the holes, in one piece.
    text: String,
    /// Where in `text`, and what of the URL.
    holes: Vec<(usize, Hole)>,
}

impl Template {
    /// What `render` makes with this `rendering`. None when the template would not give the same as
    /// `render` itself.
    pub fn of(rendering: &Rendering, render: impl Fn(&Rendering) -> String) -> Option<Self> {
        let with = |base_url| {
            render(&Rendering {
                base_url,
                ..rendering.clone()
            })
        };
        let template = Self::parse(&with(BaseUrl::marks()))?;
        // One port that is usual somewhere, one that is not.
        let proofs = [
            rendering.base_url.clone(),
            BaseUrl::parse("https://a")?,
            BaseUrl::parse("http://b:81")?,
        ];
        proofs
            .into_iter()
            .all(|base| template.fill(&base) == with(base))
            .then_some(template)
    }

    fn parse(marked: &str) -> Option<Self> {
        let mut pieces = marked.split(MARK);
        let mut text = String::with_capacity(marked.len());
        text.push_str(pieces.next()?);
        let mut holes = Vec::new();
        for piece in pieces {
            let (hole, rest) = piece.split_once(';')?;
            holes.push((text.len(), Hole::parse(hole)?));
            text.push_str(rest);
        }
        text.shrink_to_fit();
        holes.shrink_to_fit();
        Some(Self { text, holes })
    }

    /// The answer.
    pub fn fill(&self, base: &BaseUrl) -> String {
        let begin = base.fill(Hole::Base);
        // With a port that has five digits more.
        let longest = begin.len() + 6;
        let mut out = String::with_capacity(self.text.len() + self.holes.len() * longest);
        let mut done = 0;
        for (at, hole) in &self.holes {
            out.push_str(&self.text[done..*at]);
            match hole {
                Hole::Base => out.push_str(&begin),
                other => out.push_str(&base.fill(*other)),
            }
            done = *at;
        }
        out.push_str(&self.text[done..]);
        out
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.text.len() + self.holes.len() * size_of::<(usize, Hole)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendering(base: &str) -> Rendering {
        Rendering::new(BaseUrl::parse(base).unwrap())
    }

    #[test]
    fn holes_are_filled_with_what_belongs_there() {
        let render = |rendering: &Rendering| {
            let base = &rendering.base_url;
            let license = |url: &str| base.license_url(url);
            let urls = [
                base.to_string(),
                license("http://x/a"),
                license("https://x/b"),
                license("file:///c"),
                license("gopher://x/d"),
            ];
            urls.join(" ")
        };
        let template = Template::of(&rendering("http://h"), render).unwrap();
        assert_eq!(template.holes.len(), 5);
        for base in [
            "http://h",
            "https://h",
            "http://h:443",
            "https://h:8443",
            "http://[::1]:3000",
        ] {
            let rendering = rendering(base);
            assert_eq!(
                template.fill(&rendering.base_url),
                render(&rendering),
                "{base}"
            );
        }
    }

    #[test]
    fn what_holds_a_mark_itself_makes_no_template() {
        for text in [
            format!("a{MARK}b"),
            format!("{MARK}base;"),
            format!("{MARK}80;"),
        ] {
            assert_eq!(Template::of(&rendering("http://h"), |_| text.clone()), None);
        }
        let plain = Template::of(&rendering("http://h"), |_| "a;b".to_owned()).unwrap();
        assert_eq!(plain.fill(&BaseUrl::parse("http://h").unwrap()), "a;b");
    }
}
