//! Where a piece of text came from, so that an error can show it.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// One file (or command-line argument) that was read, kept so that errors can show the line at fault.
#[derive(Debug)]
pub struct SourceFile {
    /// Path as the user gave it, or a name such as `<command line>`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where lines begin: every task's title asks for its line, and a walk from the top for each
    /// would cost the square of a playbook's length.
    starts: OnceLock<Vec<usize>>,
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for SourceFile {}

impl SourceFile {
    /// Keeps `text` under `name`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            starts: OnceLock::new(),
        })
    }

    /// Line `number`, counted from 1, without its line break; empty past the end.
    #[must_use]
    pub fn line(&self, number: u32) -> &str {
        let starts = self.starts.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        });
        let from = starts.get((number.max(1) - 1) as usize);
        from.and_then(|at| self.text[*at..].lines().next())
            .unwrap_or("")
    }
}

/// A place in a source file. Lines and columns count from 1; `len` counts characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters to underline; at least 1 is drawn.
    pub len: u32,
}

impl Span {
    /// A place of one character.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, line: u32, column: u32, len: u32) -> Self {
        Self {
            file: Arc::clone(file),
            line,
            column,
            len,
        }
    }

    /// Writes the excerpt with its caret, as in
    ///
    /// ```text
    ///   --> site.yml:3:7
    ///   |
    /// 3 |       dst: /x
    ///   |       ^^^
    /// ```
    ///
    /// # Errors
    /// As `f` does.
    pub fn write_excerpt(&self, f: &mut impl fmt::Write) -> fmt::Result {
        let number = self.line.to_string();
        let pad = " ".repeat(number.len());
        let text = self.file.line(self.line);
        // Tabs are kept in the pad so that the caret stays below its character.
        let lead: String = text
            .chars()
            .take((self.column.max(1) - 1) as usize)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let room = text.chars().count().saturating_sub(lead.chars().count());
        let carets = "^".repeat((self.len as usize).clamp(1, room.max(1)));
        write!(
            f,
            "{pad}--> {self}\n{pad} |\n{number} | {text}\n{pad} | {lead}{carets}"
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.name, self.line, self.column)
    }
}
