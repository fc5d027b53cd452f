//! As much of DER (X.690) as identity documents need: elements within bytes, nothing copied, every length
//! checked.

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Der<'a> {
    /// Its tag: class, form and number below 31 in one byte.
    pub tag: u8,
    /// Its content.
    pub content: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

/// What stands in a row.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
/// `[0]` around an element, or in the place of its tag where it is one of several.
pub const CONTEXT_0: u8 = 0xa0;

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element.
    pub fn next(&mut self) -> Option<Der<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes stand in nothing that is read here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let count = usize::from(first - 0x80);
                let (digits, behind) = rest.split_at_checked(count)?;
                rest = behind;
                digits.iter().fold(0, |n, b| n << 8 | usize::from(*b))
            }
            // Without a length: BER, not DER.
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - behind.len()];
        self.0 = behind;
        Some(Der {
            tag,
            content,
            whole,
        })
    }

    /// The next element, if it has this tag.
    pub fn take(&mut self, tag: u8) -> Option<Der<'a>> {
        self.next().filter(|e| e.tag == tag)
    }

    /// As [`Reader::take`], but what has another tag stays.
    pub fn maybe(&mut self, tag: u8) -> Option<Der<'a>> {
        let mut ahead = *self;
        let found = ahead.take(tag)?;
        *self = ahead;
        Some(found)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Der<'a> {
    /// What is in it.
    pub const fn inside(&self) -> Reader<'a> {
        Reader(self.content)
    }
}
