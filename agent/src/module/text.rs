//! Files as text for modules that edit lines: bytes that are no UTF-8 survive unharmed.

/// How the bytes of a file are seen as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// The bytes are UTF-8.
    Utf8,
    /// Each byte is a character (Latin-1): what is no UTF-8 is seen so, arguments alike.
    Bytes,
}

impl Coding {
    /// How these bytes are best seen.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if std::str::from_utf8(bytes).is_ok() {
            Self::Utf8
        } else {
            Self::Bytes
        }
    }

    /// Bytes as text.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Bytes => bytes.iter().map(|b| char::from(*b)).collect(),
        }
    }

    /// Text of an argument as it would be seen in the file.
    #[must_use]
    pub fn seen(self, argument: &str) -> String {
        self.decode(argument.as_bytes())
    }

    /// Text back to bytes.
    #[must_use]
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Bytes => text
                .chars()
                .map(|c| u8::try_from(c).unwrap_or(b'?'))
                .collect(),
        }
    }
}

/// Text as bytes in an encoding, under Python's names.
///
/// # Errors
/// When the encoding is not known, or does not have one of the characters.
pub fn encoded(text: &str, encoding: &str) -> crate::error::Result<Vec<u8>> {
    crate::encoding::encode(text, encoding)
}

/// The lines of a text, each with its line break (`\n`).
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The lines of a text, each with its line break: `\n`, `\r\n` or `\r`.
#[must_use]
pub fn any_lines(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = if rest[at..].starts_with("\r\n") {
            at + 2
        } else {
            at + 1
        };
        out.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        out.push(rest.to_owned());
    }
    out
}

/// A line without its line break.
#[must_use]
pub fn bare(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// Reads a point in time as `strptime` does with the common letters, and writes it as
/// `2024-01-31 23:59:58`. `None` where the text does not fit the format.
#[must_use]
pub fn calendar(text: &str, format: &str) -> Option<String> {
    // Year, month, day, hour, minute, second.
    let mut parts = [1900, 1, 1, 0, 0, 0];
    let mut rest = text;
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        let letter = letters.next()?;
        let (part, width) = match letter {
            'Y' => (0, 4),
            'y' => (0, 2),
            'm' => (1, 2),
            'd' => (2, 2),
            'H' => (3, 2),
            'M' => (4, 2),
            'S' => (5, 2),
            '%' => {
                rest = rest.strip_prefix('%')?;
                continue;
            }
            _ => return None,
        };
        let digits = rest
            .bytes()
            .take(width)
            .take_while(u8::is_ascii_digit)
            .count();
        parts[part] = rest[..digits].parse::<u32>().ok()?;
        if letter == 'y' {
            parts[0] += if parts[0] < 69 { 2000 } else { 1900 };
        }
        rest = &rest[digits..];
    }
    let [year, month, day, hour, minute, second] = parts;
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
    (rest.is_empty() && fits && minute < 60 && second < 62)
        .then(|| format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}

/// JSON as Python's `json.dumps` writes it: a space after each comma and colon, ASCII only.
#[must_use]
pub fn json(value: &crate::value::Value) -> String {
    use serde::Serialize;
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut out, PythonJson);
    // Writing to memory cannot fail, and values have text keys only when they are written.
    let _ = value.serialize(&mut writer);
    let mut ascii = String::with_capacity(out.len());
    for c in String::from_utf8_lossy(&out).chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

struct PythonJson;

impl serde_json::ser::Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }
    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }
    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_through_text() {
        for bytes in [&b"plain\n"[..], "é\n".as_bytes(), &[0xff, 0xfe, b'a'][..]] {
            let coding = Coding::of(bytes);
            assert_eq!(coding.encode(&coding.decode(bytes)), bytes);
        }
        assert_eq!(
            any_lines("a\r\nb\rc\n\nd"),
            ["a\r\n", "b\r", "c\n", "\n", "d"]
        );
        assert_eq!(lines("a\r\nb"), ["a\r\n", "b"]);
    }

    #[test]
    fn times_are_read_as_strptime_reads_them() {
        for (text, format, want) in [
            (
                "202401312359.58",
                "%Y%m%d%H%M.%S",
                Some("2024-01-31 23:59:58"),
            ),
            (
                "2024-2-1 7:05",
                "%Y-%m-%d %H:%M",
                Some("2024-02-01 07:05:00"),
            ),
            ("202413", "%Y%m", None),
            ("x", "%Y", None),
        ] {
            assert_eq!(calendar(text, format).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = crate::value::Value::from(serde_json::json!({"a": [1, "\u{e9}"], "b": {}}));
        assert_eq!(json(&value), r#"{"a": [1, "\u00e9"], "b": {}}"#);
    }
}
