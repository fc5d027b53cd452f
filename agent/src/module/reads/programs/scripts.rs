//! Programs that are told what to do by a script: `awk` and `sed`.

use super::options::none_dynamic;
use crate::module::reads::words::Word;

/// The program must be given literally, and hold nothing that writes, pipes or runs.
pub(super) fn awk(args: &[Word]) -> bool {
    let mut rest = args;
    loop {
        match rest {
            [w, value, tail @ ..] if (w.text == "-F" || w.text == "-v") && !value.dynamic => {
                rest = tail;
            }
            [w, tail @ ..] if w.text.starts_with("-F") && w.text != "-F" && !w.dynamic => {
                rest = tail;
            }
            [program, files @ ..] => {
                return !program.text.starts_with('-')
                    && !program.expands
                    && !["system", ">", "|", "getline", "@"]
                        .iter()
                        .any(|bad| program.text.contains(bad))
                    && none_dynamic(files)
                    && !files.iter().any(|w| w.text.starts_with('-'));
            }
            [] => return false,
        }
    }
}

/// Options that do not write, and scripts of printing, deleting, quitting and plain substitution.
pub(super) fn sed(args: &[Word]) -> bool {
    let mut scripts = 0;
    let mut rest = args;
    while let Some((word, tail)) = rest.split_first() {
        let text = word.text.as_str();
        rest = tail;
        match text {
            _ if word.dynamic => return false,
            "-n" | "-E" | "-r" | "-nE" | "-nr" | "-En" | "-u" | "--quiet" | "--silent"
            | "--regexp-extended" => {}
            "-e" | "-ne" => match tail.split_first() {
                Some((script, tail)) if !script.expands && harmless_sed(&script.text) => {
                    scripts += 1;
                    rest = tail;
                }
                _ => return false,
            },
            _ if text.starts_with('-') && text != "-" => return false,
            _ if scripts == 0 => {
                if word.expands || !harmless_sed(text) {
                    return false;
                }
                scripts += 1;
            }
            _ => {}
        }
    }
    scripts > 0
}

pub(super) fn harmless_sed(script: &str) -> bool {
    let mut rest = script.trim();
    let mut any = false;
    while !rest.is_empty() {
        let Some(tail) = sed_command(rest) else {
            return false;
        };
        any = true;
        rest = tail.trim_start();
        match rest.strip_prefix([';', '\n']) {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() => {}
            None => return false,
        }
    }
    any
}

/// Reads one harmless command, and gives what follows it.
pub(super) fn sed_command(text: &str) -> Option<&str> {
    let mut rest = sed_address(text);
    if let Some(tail) = rest.strip_prefix(',') {
        rest = sed_address(tail);
    }
    rest = rest.trim_start();
    rest = rest.strip_prefix('!').unwrap_or(rest);
    let command = rest.chars().next()?;
    let tail = &rest[command.len_utf8()..];
    match command {
        'p' | 'd' | 'q' | '=' => Some(tail),
        's' => {
            let delimiter = tail.chars().next().filter(char::is_ascii_punctuation)?;
            let pattern = &tail[1..];
            let replacement = &pattern[delimited(pattern, delimiter)?..];
            let flags = &replacement[delimited(replacement, delimiter)?..];
            Some(flags.trim_start_matches(|c: char| "gpiI".contains(c) || c.is_ascii_digit()))
        }
        _ => None,
    }
}

pub(super) fn sed_address(text: &str) -> &str {
    if let Some(tail) = text.strip_prefix('$') {
        return tail;
    }
    if let Some(tail) = text.strip_prefix('/')
        && let Some(end) = delimited(tail, '/')
    {
        return &tail[end..];
    }
    text.trim_start_matches(|c: char| c.is_ascii_digit())
}

/// Where the text goes on after the next delimiter that no backslash escapes.
pub(super) fn delimited(text: &str, delimiter: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == delimiter => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}
