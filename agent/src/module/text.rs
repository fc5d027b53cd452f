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
        if std::str::from_utf8(bytes).is_ok() { Self::Utf8 } else { Self::Bytes }
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
            Self::Bytes => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
        }
    }
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
        let end = if rest[at..].starts_with("\r\n") { at + 2 } else { at + 1 };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_through_text() {
        for bytes in [&b"plain\n"[..], "é\n".as_bytes(), &[0xff, 0xfe, b'a'][..]] {
            let coding = Coding::of(bytes);
            assert_eq!(coding.encode(&coding.decode(bytes)), bytes);
        }
        assert_eq!(any_lines("a\r\nb\rc\n\nd"), ["a\r\n", "b\r", "c\n", "\n", "d"]);
        assert_eq!(lines("a\r\nb"), ["a\r\n", "b"]);
    }
}
