//! JSON as Rails writes it, in answers and in stored columns.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// `value.to_json` under Rails: compact, with `<`, `>`, `&`, U+2028 and U+2029 written as `\u003c` …
/// so that the text is safe inside HTML and JavaScript (contract, "Parameters, as Rails gives
/// them"; `ActiveSupport::JSON::Encoding`).
///
/// ```
/// let value = serde_json::json!({"a": "<x> & \u{2028}"});
/// assert_eq!(registration::json::to_json(&value), r#"{"a":"\u003cx\u003e \u0026 \u2028"}"#);
/// ```
///
/// `value` must be one whose keys are text and whose [`Serialize`] does not fail of itself.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::with_capacity(128);
    let mut serializer = Serializer::with_formatter(&mut out, RailsFormatter(CompactFormatter));
    // Writing such a value into memory has no way to fail, and what is written is UTF-8.
    if value.serialize(&mut serializer).is_err() {
        out.clear();
    }
    String::from_utf8(out).unwrap_or_default()
}

struct RailsFormatter(CompactFormatter);

impl Formatter for RailsFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, escape, len)) = next_escape(rest) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            writer.write_all(escape)?;
            rest = &rest[at + len..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// Where the next character that Rails escapes stands, what it becomes, and its length in bytes.
fn next_escape(text: &str) -> Option<(usize, &'static [u8], usize)> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().find_map(|(at, byte)| match byte {
        b'<' => Some((at, b"\\u003c".as_slice(), 1)),
        b'>' => Some((at, b"\\u003e".as_slice(), 1)),
        b'&' => Some((at, b"\\u0026".as_slice(), 1)),
        0xE2 => match bytes.get(at + 1..at + 3) {
            Some([0x80, 0xA8]) => Some((at, b"\\u2028".as_slice(), 3)),
            Some([0x80, 0xA9]) => Some((at, b"\\u2029".as_slice(), 3)),
            _ => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn escapes_what_rails_escapes_and_nothing_else() {
        let value = json!({"k<": "\u{2028}\u{2029}\u{202a}é/\u{7f}\u{1f}\u{8}\n\"\\", "<": null});
        assert_eq!(
            to_json(&value),
            "{\"k\\u003c\":\"\\u2028\\u2029\u{202a}é/\u{7f}\\u001f\\b\\n\\\"\\\\\",\"\\u003c\":null}"
        );
    }

    #[test]
    fn numbers_keep_their_digits() {
        for number in [
            "1.0",
            "1.0e+20",
            "1.0e-05",
            "-0.0",
            "12345678901234567890123",
            "100000.0",
        ] {
            let value: Value = serde_json::from_str(number).unwrap();
            assert_eq!(to_json(&value), number);
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in "\\PC*|[<>&\u{2027}-\u{202a}\u{0}-\u{1f}]*") {
            let written = to_json(&Value::String(text.clone()));
            let unsafe_in_html = written.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!unsafe_in_html);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
