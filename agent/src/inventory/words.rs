//! Splitting a line into words as Python's `shlex.split(line, comments=True)` does.

/// A word, and the byte at which it starts in the line.
pub(super) type Word = (String, usize);

/// Splits a line into words; quotes and backslashes are resolved, a comment is left out.
///
/// # Errors
/// What is wrong and at which byte, if a quote is not closed.
pub(super) fn split(line: &str) -> Result<Vec<Word>, (&'static str, usize)> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '#' => break,
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' | '"' => {
                let text = &mut word.get_or_insert((String::new(), at)).0;
                quoted(&mut chars, c, text).ok_or(("this quote is never closed", at))?;
            }
            '\\' => {
                let text = &mut word.get_or_insert((String::new(), at)).0;
                let (_, c) = chars.next().ok_or(("nothing follows this backslash", at))?;
                text.push(c);
            }
            c => word.get_or_insert((String::new(), at)).0.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(chars: &mut std::str::CharIndices<'_>, quote: char, text: &mut String) -> Option<()> {
    loop {
        match chars.next()?.1 {
            c if c == quote => return Some(()),
            // In double quotes a backslash escapes only these.
            '\\' if quote == '"' => match chars.next()?.1 {
                c @ ('"' | '\\') => text.push(c),
                c => text.extend(['\\', c]),
            },
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_shlex_splits_them() {
        for (line, want) in [
            ("a b  c", vec!["a", "b", "c"]),
            ("a x='1 2' y=\"3 4\" # c", vec!["a", "x=1 2", "y=3 4"]),
            ("a#b c", vec!["a"]),
            ("a '' b", vec!["a", "", "b"]),
            (r#"a\ b "c\"d" "e\f""#, vec!["a b", "c\"d", "e\\f"]),
            ("x='a#b'", vec!["x=a#b"]),
        ] {
            let words: Vec<String> = split(line).unwrap().into_iter().map(|w| w.0).collect();
            assert_eq!(words, want, "{line}");
        }
        assert_eq!(split("a 'b").unwrap_err().1, 2);
    }
}
