//! Splitting argument strings into words, as `split_args` of `ansible/parsing/splitter.py` does.

use super::place;
use crate::error::{Error, ErrorKind, Result};
use crate::source::Span;

/// A word of an argument string: its text, and where it starts in the string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text, quotes included, with the white space that followed beyond one blank.
    pub text: String,
    /// Byte offset of its start.
    pub offset: usize,
}

/// Splits on white space, but keeps quoted text and template blocks whole.
///
/// # Errors
/// With the place, if a quote or a template block is not closed.
pub fn split_args(text: &str, span: &Span) -> Result<Vec<Word>> {
    let mut splitter = Splitter::default();
    let mut offset = 0;
    let mut lines = text.split('\n').peekable();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    while let Some(line) = lines.next() {
        let continued = splitter.line(line, offset);
        if lines.peek().is_some() && !continued {
            splitter.append("\n");
        }
        offset += line.len() + 1;
    }
    match splitter.unclosed() {
        None => Ok(splitter.words),
        Some(what) => Err(Error::new(
            ErrorKind::Syntax,
            format!("{what} is not closed in these arguments"),
        )
        .at(&place(
            span,
            text,
            splitter.opened,
            text.get(splitter.opened..).unwrap_or_default(),
        ))),
    }
}

/// What encloses a token, counted as Ansible counts: by tokens, not by characters.
#[derive(Default)]
struct Splitter {
    words: Vec<Word>,
    quote: Option<char>,
    depths: [usize; 3],
    /// Where the last quote or block was opened.
    opened: usize,
}

const BLOCKS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

impl Splitter {
    /// Takes in one line; answers whether it ended in a backslash that joins the next one to it.
    fn line(&mut self, line: &str, offset: usize) -> bool {
        let mut continued = false;
        let mut at = offset;
        for (index, token) in line.split(' ').enumerate() {
            if token.is_empty() && index != 0 {
                self.append(" ");
            } else if token == "\\" && self.quote.is_none() {
                continued = true;
            } else {
                self.token(token, index == 0, at);
            }
            at += token.len() + 1;
        }
        continued
    }

    fn token(&mut self, token: &str, first: bool, at: usize) {
        let was_quoted = self.quote.is_some();
        let was_in_block = self.in_block();
        let outside = !was_quoted && !was_in_block;
        self.quote = quote_after(token, self.quote);
        let quoted = self.quote.is_some();
        let mut taken = false;
        if quoted && !was_quoted && !was_in_block {
            self.push(token, at);
            taken = true;
        } else if was_in_block || quoted || was_quoted {
            if !first {
                self.append(" ");
            }
            self.append(token);
            taken = true;
        }
        for (depth, (open, close)) in self.depths.iter_mut().zip(BLOCKS) {
            let (opens, closes) = (token.matches(open).count(), token.matches(close).count());
            let new = (*depth + opens).saturating_sub(closes);
            if new != *depth && !taken {
                self.words.push(Word {
                    text: token.to_owned(),
                    offset: at,
                });
                taken = true;
            }
            *depth = new;
        }
        if !taken && !self.in_block() && !token.is_empty() {
            self.push(token, at);
        }
        if outside && (self.quote.is_some() || self.in_block()) {
            self.opened = at;
        }
    }

    fn in_block(&self) -> bool {
        self.depths.iter().any(|depth| *depth > 0)
    }

    fn push(&mut self, token: &str, offset: usize) {
        self.words.push(Word {
            text: token.to_owned(),
            offset,
        });
    }

    fn append(&mut self, text: &str) {
        match self.words.last_mut() {
            Some(word) => word.text.push_str(text),
            None => self.push(text, 0),
        }
    }

    fn unclosed(&self) -> Option<String> {
        let block = BLOCKS.iter().zip(self.depths).find(|(_, depth)| *depth > 0);
        match (self.quote, block) {
            (Some(quote), _) => Some(format!("the quote {quote}")),
            (None, Some(((open, _), _))) => Some(format!("`{open}`")),
            (None, None) => None,
        }
    }
}

/// The quote that is open behind `token`, if `quote` was open before it.
fn quote_after(token: &str, mut quote: Option<char>) -> Option<char> {
    let mut before = None;
    for c in token.chars() {
        if matches!(c, '"' | '\'') && before != Some('\\') {
            quote = match quote {
                Some(open) if open == c => None,
                Some(open) => Some(open),
                None => Some(c),
            };
        }
        before = Some(c);
    }
    quote
}
