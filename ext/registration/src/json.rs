//! JSON as Rails writes it, in answers and in stored columns.

use std::io;

use serde::Serialize;
use serde_json::Value;
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

/// Spells the numbers in `value`, which keep the spelling they came in, as Ruby does when it has read
/// them and writes them again: `1e3` as `1000.0`, `1.10` as `1.1`, what is too large for a float as
/// null.
///
/// ```
/// let mut value = serde_json::from_str(r#"[1e3, 1.10, -0, 1E400, 7]"#).unwrap();
/// registration::json::respell(&mut value);
/// assert_eq!(value.to_string(), "[1000.0,1.1,0,null,7]");
/// ```
pub fn respell(value: &mut Value) {
    match value {
        Value::Number(number) => *value = respelled(&number.to_string()),
        Value::Array(elements) => elements.iter_mut().for_each(respell),
        Value::Object(object) => object.values_mut().for_each(respell),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn respelled(text: &str) -> Value {
    let whole = !text.contains(['.', 'e', 'E']);
    let spelled = match text.parse::<f64>() {
        _ if whole && text == "-0" => "0".to_owned(),
        // Ruby's integers have no end.
        _ if whole => return number(text),
        Ok(float) if float.is_finite() => float_to_s(float),
        _ => return Value::Null,
    };
    number(&spelled)
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Ruby's `Float#to_s`: the fewest digits that mean this number, without exponent between 0.0001 and
/// 10 to the 15th, and where digits follow the point.
fn float_to_s(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let fraction = exponent == 15 && mantissa.trim_start_matches('-').len() > "1.".len() + 15;
    if float == 0.0 || (-4..15).contains(&exponent) || fraction {
        return format!("{float:?}");
    }
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{point}e{sign}{:02}", exponent.abs())
}

/// How serde_json marks numbers that keep their digits, on their way to a [`Value`]: an object that has
/// this key itself would become a number.
pub(crate) const NUMBER_KEY: &str = "$serde_json::private::Number";

/// Whether some key in `json` may be [`NUMBER_KEY`], escaped or not.
pub(crate) fn has_number_key(json: &str) -> bool {
    let code = |escape: &str| u8::from_str_radix(escape.get(..2)?, 16).ok();
    let mut escapes = json.split("\\u00").skip(1).filter_map(code);
    json.contains(NUMBER_KEY) || escapes.any(|it| NUMBER_KEY.as_bytes().contains(&it))
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
    use serde_json::json;

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

    #[test]
    fn keys_that_look_like_numbers_are_found() {
        for json in [
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"\u0024serde_json::private::Number":"1"}"#,
            r#"{"$serde_json::private::N\u0075mber":"1"}"#,
            r#"{"$serde_json::private::Numbe\u0072":"1"}"#,
        ] {
            assert!(has_number_key(json), "{json}");
        }
        for json in [r#"{"Number":1}"#, r#"["\u003ca\u00"]"#, r#"["\u00"#, "é"] {
            assert!(!has_number_key(json), "{json}");
        }
    }

    // What Ruby 3.1 made of them.
    #[test]
    fn floats_are_spelled_as_ruby_does() {
        for (sent, spelled) in [
            ("1e3", "1000.0"),
            ("1.10", "1.1"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("0e5", "0.0"),
            ("1e14", "100000000000000.0"),
            ("1e15", "1.0e+15"),
            ("9007199254740993.0", "9.007199254740992e+15"),
            ("1346105890432383.8", "1346105890432383.8"),
            ("-1346105890432383.8", "-1346105890432383.8"),
            ("0.0001", "0.0001"),
            ("0.00001", "1.0e-05"),
            ("5e-324", "5.0e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("1E400", "null"),
            ("-1e400", "null"),
            ("1234567.125", "1234567.125"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("-7", "-7"),
        ] {
            let mut value = json!([{"a": number(sent)}]);
            respell(&mut value);
            assert_eq!(
                value.to_string(),
                format!("[{{\"a\":{spelled}}}]"),
                "{sent}"
            );
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

        #[test]
        fn respelled_floats_are_the_same_floats(float in proptest::num::f64::NORMAL) {
            let spelled = float_to_s(float);
            prop_assert_eq!(spelled.parse::<f64>().unwrap(), float);
            prop_assert_eq!(float_to_s(spelled.parse().unwrap()), spelled);
        }
    }
}
