//! Text in encodings, under the names that Python gives them; bytes as hex digits.

use crate::error::{Error, Result};

/// What bytes 0x80 to 0x9f are in Windows-1252; a zero is none
/// (<https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT>).
const CP1252: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
    0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc,
    0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

/// Where ISO 8859-15 differs from ISO 8859-1.
const LATIN9: [(u8, char); 8] = [
    (0xa4, '€'),
    (0xa6, 'Š'),
    (0xa8, 'š'),
    (0xb4, 'Ž'),
    (0xb8, 'ž'),
    (0xbc, 'Œ'),
    (0xbd, 'œ'),
    (0xbe, 'Ÿ'),
];

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf8Sig,
    Ascii,
    Latin1,
    Latin9,
    Cp1252,
    Utf16,
    Utf16Le,
    Utf16Be,
}

fn named(name: &str) -> Result<Encoding> {
    Ok(
        match &*name.to_ascii_lowercase().replace(['-', '_', ' '], "") {
            "utf8" | "u8" | "utf" | "" => Encoding::Utf8,
            "utf8sig" => Encoding::Utf8Sig,
            "ascii" | "usascii" | "646" => Encoding::Ascii,
            "latin1" | "iso88591" | "l1" | "cp819" | "latin" | "8859" => Encoding::Latin1,
            "latin9" | "iso885915" | "l9" => Encoding::Latin9,
            "cp1252" | "windows1252" | "1252" => Encoding::Cp1252,
            "utf16" | "u16" => Encoding::Utf16,
            "utf16le" => Encoding::Utf16Le,
            "utf16be" => Encoding::Utf16Be,
            _ => {
                return Err(Error::params(format!("unknown encoding: {name}")).hint(
                "known are utf-8, utf-8-sig, ascii, latin-1, iso-8859-15, windows-1252, utf-16, \
                 utf-16-le, utf-16-be",
            ));
            }
        },
    )
}

impl Encoding {
    /// The byte of a character, for encodings of one byte.
    fn byte(self, c: char) -> Option<u8> {
        let plain = u8::try_from(u32::from(c)).ok();
        match self {
            Self::Ascii => plain.filter(u8::is_ascii),
            Self::Latin9 => match LATIN9.iter().find(|(_, special)| *special == c) {
                Some((byte, _)) => Some(*byte),
                None => plain.filter(|b| LATIN9.iter().all(|(byte, _)| byte != b)),
            },
            Self::Cp1252 => match CP1252
                .iter()
                .position(|p| *p != 0 && u32::from(*p) == u32::from(c))
            {
                Some(at) => Some(0x80 + at as u8),
                None => plain.filter(|b| !(0x80..0xa0).contains(b)),
            },
            _ => plain,
        }
    }

    /// The character of a byte, for encodings of one byte.
    fn char(self, byte: u8) -> Option<char> {
        match self {
            Self::Ascii => byte.is_ascii().then(|| byte.into()),
            Self::Latin9 => {
                let special = LATIN9.iter().find(|(b, _)| *b == byte);
                Some(special.map_or(char::from(byte), |(_, c)| *c))
            }
            Self::Cp1252 if (0x80..0xa0).contains(&byte) => {
                let point = CP1252[usize::from(byte) - 0x80];
                char::from_u32(point.into()).filter(|_| point != 0)
            }
            _ => Some(byte.into()),
        }
    }
}

/// Text as bytes in an encoding.
///
/// # Errors
/// When the encoding is not known, or does not have one of the characters.
pub fn encode(text: &str, encoding: &str) -> Result<Vec<u8>> {
    let wide = |write: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(write).collect::<Vec<u8>>();
    Ok(match named(encoding)? {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf8Sig => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        Encoding::Utf16Le => wide(u16::to_le_bytes),
        Encoding::Utf16Be => wide(u16::to_be_bytes),
        Encoding::Utf16 => [vec![0xff, 0xfe], wide(u16::to_le_bytes)].concat(),
        narrow => {
            let mut out = Vec::with_capacity(text.len());
            for c in text.chars() {
                out.push(narrow.byte(c).ok_or_else(|| {
                    Error::host(format!(
                        "'{c}' is a character that {encoding} does not have"
                    ))
                })?);
            }
            out
        }
    })
}

/// The text of bytes in an encoding.
///
/// # Errors
/// When the encoding is not known, or the bytes are not text in it.
pub fn decode(bytes: Vec<u8>, encoding: &str) -> Result<String> {
    let bad = || Error::host(format!("this is not text in the encoding {encoding}"));
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|p| read(*p)).collect();
        let text = String::from_utf16(&units).ok();
        text.filter(|_| rest.is_empty()).ok_or_else(bad)
    };
    match named(encoding)? {
        Encoding::Utf8 => String::from_utf8(bytes).map_err(|_| bad()),
        Encoding::Utf8Sig => {
            let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            String::from_utf8(bare.to_vec()).map_err(|_| bad())
        }
        Encoding::Utf16Le => wide(&bytes, u16::from_le_bytes),
        Encoding::Utf16Be => wide(&bytes, u16::from_be_bytes),
        Encoding::Utf16 => match bytes.strip_prefix(&[0xfe, 0xff]) {
            Some(bare) => wide(bare, u16::from_be_bytes),
            None => wide(
                bytes.strip_prefix(&[0xff, 0xfe]).unwrap_or(&bytes),
                u16::from_le_bytes,
            ),
        },
        narrow => {
            let chars = bytes.iter().map(|b| narrow.char(*b));
            chars.collect::<Option<String>>().ok_or_else(bad)
        }
    }
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Bytes from hex digits of either case; `None` if they are none, or an odd number of them.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_encoded_reads_the_same() {
        for (text, encoding, want) in [
            ("é€", "windows-1252", &b"\xe9\x80"[..]),
            ("é€", "iso8859-15", b"\xe9\xa4"),
            ("é¤", "iso8859-1", b"\xe9\xa4"),
            ("é", "UTF_8", "é".as_bytes()),
            ("é", "utf-8-sig", b"\xef\xbb\xbf\xc3\xa9"),
            ("é", "utf-16", b"\xff\xfe\xe9\0"),
            ("é", "utf-16-be", b"\0\xe9"),
        ] {
            assert_eq!(
                encode(text, encoding).ok().as_deref(),
                Some(want),
                "{encoding}"
            );
            assert_eq!(
                decode(want.to_vec(), encoding).ok().as_deref(),
                Some(text),
                "{encoding}"
            );
        }
        assert!(encode("€", "latin-1").is_err());
        assert!(encode("é", "ascii").is_err());
        assert!(encode("x", "klingon").is_err());
        assert!(decode(vec![0xff], "utf-8").is_err());
    }
}
