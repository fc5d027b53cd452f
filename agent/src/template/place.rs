//! From an offset in a template's text to a line and column of the file it was written in.

use super::fault::Place;
use crate::source::Span;

/// How many lines below the value's start a line of it is looked for.
const REACH: u32 = 400;

/// The place in the file, as exact as it can be found: YAML may have folded, indented or quoted the
/// text, so the line of the template is looked for among the lines below the value's start.
pub(super) fn locate(place: &Place) -> Option<Span> {
    let span = place.span.as_ref()?;
    let (index, column, line) = line_of(&place.text, place.offset as usize);
    let wanted = line.trim();
    if wanted.is_empty() {
        return Some(span.clone());
    }
    let indent = line.chars().take_while(|c| c.is_whitespace()).count();
    let token = token_len(line, column);
    // The n-th line of the text is at least n lines below the start, and often exactly there.
    let first = span.line + u32::try_from(index).unwrap_or(0);
    let found = (first..=first + REACH)
        .chain(span.line..first)
        .find_map(|number| {
            let text = span.file.line(number);
            let from = if number == span.line {
                byte_of(text, span.column.saturating_sub(1) as usize)
            } else {
                0
            };
            let at = text.get(from..)?.find(wanted)? + from;
            Some((number, text[..at].chars().count()))
        });
    let Some((number, start)) = found else {
        return Some(span.clone());
    };
    let column = start + column.saturating_sub(indent) + 1;
    Some(Span::new(
        &span.file,
        number,
        u32::try_from(column).unwrap_or(u32::MAX),
        token,
    ))
}

/// Index of the line that holds byte `offset`, the column in characters, and the line itself.
fn line_of(text: &str, offset: usize) -> (usize, usize, &str) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |i| i + offset);
    (
        before.matches('\n').count(),
        text[start..offset].chars().count(),
        &text[start..end],
    )
}

/// Characters of the word at `column`.
fn token_len(line: &str, column: usize) -> u32 {
    let word = line
        .chars()
        .skip(column)
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .count();
    u32::try_from(word.max(1)).unwrap_or(1)
}

fn byte_of(text: &str, column: usize) -> usize {
    text.char_indices()
        .nth(column)
        .map_or(text.len(), |(i, _)| i)
}
