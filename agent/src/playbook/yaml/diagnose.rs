//! What is wrong when a file is not YAML: the usual slips, told from the line at fault.
//!
//! Ansible guesses with regular expressions over that line
//! (`ansible/_internal/_yaml/_errors.py`); so does this, with the parser's own reason as a guide.

use crate::error::{Error, ErrorKind};
use crate::source::{SourceFile, Span};
use granit_parser::{ErrorKind as Reason, ScanError};
use std::sync::Arc;

/// The error for what the parser reports.
pub(super) fn scan_error(file: &Arc<SourceFile>, error: &ScanError) -> Error {
    let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
    let column = u32::try_from(error.marker().col() + 1).unwrap_or(u32::MAX);
    let fault = Fault {
        file,
        text: file.line(line),
        line,
        at: Span::new(file, line, column, 1),
        reason: error.kind(),
    };
    fault
        .tab()
        .or_else(|| fault.limit())
        .or_else(|| fault.template())
        .or_else(|| fault.quotes())
        .or_else(|| fault.colon_in_value())
        .or_else(|| fault.no_space_after_colon())
        .or_else(|| fault.bracket())
        .or_else(|| fault.no_colon())
        .or_else(|| fault.indent())
        .unwrap_or_else(|| fault.plainly(error))
}

/// A tab somewhere before `at` on its line.
pub(super) fn tab(at: &Span) -> Error {
    let text = at.file.line(at.line);
    let column = text.chars().take_while(|c| *c != '\t').count() + 1;
    let mut at = at.clone();
    at.column = u32::try_from(column).unwrap_or(at.column);
    Error::new(ErrorKind::Syntax, "a tab cannot indent YAML")
        .at(&at)
        .hint("use spaces; most editors have a setting for it")
}

/// A value that starts with a template and has no quotes, which YAML reads as a mapping.
pub(super) fn unquoted_template(at: &Span) -> Error {
    let text: String = at.file.line(at.line).chars().collect();
    let start = char_offset(&text, at.column);
    let value = text.get(start..).unwrap_or_default().trim_end();
    let mut at = at.clone();
    at.len = u32::try_from(value.chars().count()).unwrap_or(1);
    Error::new(
        ErrorKind::Syntax,
        "a value that starts with `{{` needs quotes",
    )
    .at(&at)
    .hint(format!("write it as {}", quoted(value)))
}

struct Fault<'a> {
    file: &'a Arc<SourceFile>,
    text: &'a str,
    line: u32,
    at: Span,
    reason: &'a Reason,
}

impl Fault<'_> {
    fn error(&self, message: &str, byte: usize, len: usize) -> Error {
        let column = self.text.get(..byte).unwrap_or_default().chars().count() + 1;
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        let len = u32::try_from(len).unwrap_or(1);
        Error::new(ErrorKind::Syntax, message).at(&Span::new(self.file, self.line, column, len))
    }

    fn tab(&self) -> Option<Error> {
        // The parser may stumble one line before or after the tab.
        for line in [self.line, self.line.saturating_sub(1), self.line + 1] {
            let text = self.file.line(line);
            let margin = text.len() - text.trim_start().len();
            if text[..margin].contains('\t') {
                return Some(tab(&Span::new(self.file, line, 1, 1)));
            }
        }
        None
    }

    fn follows_a_whole_value(&self) -> bool {
        let end = char_offset(self.text, self.at.column);
        let (before, from) = self.text.split_at(end.min(self.text.len()));
        before.trim_end().ends_with(['}', ']']) && from.starts_with(['}', ']'])
    }

    fn limit(&self) -> Option<Error> {
        matches!(self.reason, Reason::RecursionLimitExceeded)
            .then(|| Error::new(ErrorKind::Syntax, "values are nested too deep").at(&self.at))
    }

    fn template(&self) -> Option<Error> {
        let start = value_start(self.text);
        if !self.text[start..].starts_with("{{") {
            return None;
        }
        let column = self.text[..start].chars().count() + 1;
        let at = Span::new(self.file, self.line, u32::try_from(column).ok()?, 1);
        Some(unquoted_template(&at))
    }

    fn quotes(&self) -> Option<Error> {
        match self.reason {
            Reason::UnclosedQuotedScalar | Reason::DocumentIndicatorInQuotedScalar => {
                Some(self.unclosed())
            }
            Reason::UnknownQuotedScalarEscape
            | Reason::InvalidQuotedScalarHexEscape
            | Reason::InvalidUnicodeEscape => Some(
                Error::new(
                    ErrorKind::Syntax,
                    "YAML knows no such escape in double quotes",
                )
                .at(&self.at)
                .hint("use single quotes, or write `\\\\` for a backslash"),
            ),
            _ => self.text_after_quotes(),
        }
    }

    /// The quote that nothing closes: the parser points at the file's end or at the quote's start.
    fn unclosed(&self) -> Error {
        Error::new(ErrorKind::Syntax, "this quote is never closed")
            .at(&self.at)
            .hint("close it, or put the whole value in the other kind of quotes")
    }

    fn text_after_quotes(&self) -> Option<Error> {
        let start = value_start(self.text);
        let value = self.text[start..].trim_end();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let closing = value[1..].find(quote)? + 1;
        let after = value[closing + 1..].trim_start();
        if after.is_empty() || after.starts_with(['#', ',', ':', ']', '}']) {
            return None;
        }
        let other = if quote == '"' { '\'' } else { '"' };
        let error = self.error(
            "a value that starts with a quote must end with it",
            start,
            value.chars().count(),
        );
        Some(if value.contains(other) {
            error.hint("write it as a block: `|` and the text on the next line")
        } else {
            error.hint(format!("write it as {other}{value}{other}"))
        })
    }

    fn colon_in_value(&self) -> Option<Error> {
        let start = value_start(self.text);
        let value = self.text[start..].trim_end();
        let has_key = self.text[..start].trim_end().ends_with(':');
        if !has_key || value.starts_with(['"', '\'', '|', '>', '[', '{', '#']) {
            return None;
        }
        let colon = value
            .find(": ")
            .or_else(|| value.strip_suffix(':').map(str::len))?;
        Some(
            self.error(
                "`: ` inside a value needs quotes around the value",
                start + colon,
                1,
            )
            .hint(format!("write it as {}", quoted(value))),
        )
    }

    /// `hosts:all` is text; the parser stumbles over the next line, or over this one.
    fn no_space_after_colon(&self) -> Option<Error> {
        let mut line = self.line;
        for _ in 0..2 {
            let text = self.file.line(line);
            let body = text.trim_start().trim_start_matches("- ").trim();
            let (key, value) = body.split_once(':').unwrap_or_default();
            let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
            if !key.is_empty()
                && key.chars().all(name)
                && value.starts_with(|c: char| !c.is_whitespace() && c != '/')
            {
                let byte = text.len() - text.trim_start().len();
                let from = byte + text[byte..].find(key).unwrap_or_default();
                let fault = Fault {
                    line,
                    text,
                    at: self.at.clone(),
                    ..*self
                };
                return Some(
                    fault
                        .error("a colon needs a space behind it", from + key.len(), 1)
                        .hint(format!("write it as `{key}: {value}`")),
                );
            }
            line = self.line_above(line)?;
        }
        None
    }

    /// A bracket on the line above that nothing closed: the parser stumbles over what follows.
    fn bracket(&self) -> Option<Error> {
        let inside_brackets = matches!(
            self.reason,
            Reason::InvalidColonPlacement
                | Reason::ExpectedFlowMappingSeparator
                | Reason::ExpectedFlowSequenceSeparator
                | Reason::InvalidFlowScalarIndent
        );
        if !inside_brackets {
            return None;
        }
        let line = self.line_above(self.line)?;
        let text = self.file.line(line);
        let closed =
            |open: char, close: char| text.matches(open).count() <= text.matches(close).count();
        let open = [('[', ']'), ('{', '}')]
            .into_iter()
            .find(|(open, close)| !closed(*open, *close))?
            .0;
        let fault = Fault {
            line,
            text,
            at: self.at.clone(),
            ..*self
        };
        Some(fault.error(
            &format!("this `{open}` is never closed"),
            text.rfind(open)?,
            1,
        ))
    }

    fn no_colon(&self) -> Option<Error> {
        let word = self.text.trim();
        let is_key = matches!(
            self.reason,
            Reason::SimpleKeyExpected | Reason::InvalidSimpleKey
        ) && !word.contains(':')
            && !word.starts_with('-');
        let margin = self.text.len() - self.text.trim_start().len();
        is_key.then(|| {
            self.error(
                "a key needs a colon behind it",
                margin,
                word.chars().count(),
            )
            .hint(format!("write it as `{word}:`"))
        })
    }

    fn indent(&self) -> Option<Error> {
        let fits = matches!(
            self.reason,
            Reason::ExpectedBlockMappingKey
                | Reason::ExpectedBlockSequenceEntry
                | Reason::InvalidIndentation
                | Reason::MappingValueNotAllowed
                | Reason::MappingKeyNotAllowed
                | Reason::BlockSequenceEntryNotAllowed
                | Reason::SimpleKeyExpected
                | Reason::InvalidSimpleKey
                | Reason::ExpectedDocumentStart
                | Reason::ExpectedNodeContent
        );
        if !fits {
            return None;
        }
        let text = self.text.trim();
        let here = self.text.len() - self.text.trim_start().len();
        let levels = self.levels();
        let error = |message| self.error(message, here, text.chars().count());
        if levels.contains(&here) {
            let item = text.starts_with("- ");
            return item.then(|| {
                error("a list item cannot stand beside a key")
                    .hint("indent the list below the key that it belongs to")
            });
        }
        let levels: Vec<String> = levels.iter().take(4).map(ToString::to_string).collect();
        if levels.is_empty() {
            return None;
        }
        Some(
            error("the indent of this line fits no line above it").hint(format!(
                "it is indented by {here}, the lines above by {}",
                levels.join(" or ")
            )),
        )
    }

    /// The indents of the enclosing lines, from the inside out.
    fn levels(&self) -> Vec<usize> {
        let mut levels: Vec<usize> = Vec::new();
        let mut line = self.line;
        while let Some(above) = self.line_above(line) {
            let text = self.file.line(above);
            let margin = text.len() - text.trim_start().len();
            let inner = margin
                + if text.trim_start().starts_with("- ") {
                    2
                } else {
                    0
                };
            for level in [inner, margin] {
                if levels.last().is_none_or(|last| level < *last) {
                    levels.push(level);
                }
            }
            if margin == 0 || levels.len() > 8 {
                break;
            }
            line = above;
        }
        levels
    }

    /// The nearest line above with something on it. Looks at a few hundred lines at most: each
    /// look costs a walk through the file.
    fn line_above(&self, line: u32) -> Option<u32> {
        let nearest = (line.saturating_sub(200).max(1)..line).rev();
        nearest.into_iter().find(|number| {
            let text = self.file.line(*number).trim();
            !text.is_empty() && !text.starts_with('#')
        })
    }

    fn plainly(&self, error: &ScanError) -> Error {
        let message = match self.reason {
            Reason::UnknownAnchor => "no anchor of this name is defined above".to_owned(),
            Reason::UnclosedFlowCollection { open } => format!("this `{open}` is never closed"),
            Reason::MismatchedFlowCollectionEnd { open, close } => {
                format!("`{close}` does not close the `{open}` before it")
            }
            Reason::UndeclaredTagHandle => "unknown tag".to_owned(),
            Reason::UnexpectedCharacter { character } => {
                format!("`{character}` cannot start a value; put the value in quotes")
            }
            // A bracket that closes nothing, after a value that is complete.
            _ if self.follows_a_whole_value() => {
                "YAML parsing failed: Did not find expected <document start>".into()
            }
            _ => format!("YAML parsing failed: {}", error.info()),
        };
        Error::new(ErrorKind::Syntax, message).at(&self.at)
    }
}

/// Where the value of a line starts, behind dashes and a key.
fn value_start(text: &str) -> usize {
    let mut at = text.len() - text.trim_start().len();
    while let Some(rest) = text[at..].strip_prefix('-') {
        let item = rest.trim_start();
        if item.len() == rest.len() {
            break;
        }
        at = text.len() - item.len();
    }
    let key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ' | '"' | '\'');
    match text[at..].split_once(": ") {
        Some((name, value))
            if !name.is_empty() && name.chars().all(key) && !name.starts_with(['"', '\'']) =>
        {
            text.len() - value.trim_start().len()
        }
        _ => at,
    }
}

/// `value` in the quotes that need the least escaping.
fn quoted(value: &str) -> String {
    if value.contains('"') || value.contains('\\') {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        format!("\"{value}\"")
    }
}

fn char_offset(text: &str, column: u32) -> usize {
    text.char_indices()
        .nth(column.saturating_sub(1) as usize)
        .map_or(text.len(), |(at, _)| at)
}
