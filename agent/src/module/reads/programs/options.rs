//! Questions about the words behind a program's name.

use crate::module::reads::words::Word;

pub(super) fn has(args: &[Word], text: &str) -> bool {
    args.iter().any(|w| w.text == text)
}

pub(super) fn none_dynamic(args: &[Word]) -> bool {
    !args.iter().any(|w| w.dynamic)
}

pub(super) fn first_is(args: &[Word], allowed: &[&str]) -> bool {
    args.first()
        .is_some_and(|w| !w.expands && allowed.contains(&w.text.as_str()))
}

pub(super) fn all_in(args: &[Word], allowed: &[&str]) -> bool {
    args.iter()
        .all(|w| !w.expands && allowed.contains(&w.text.as_str()))
}

/// Whether an argument is, may be or may become one of these options: a letter anywhere in a
/// cluster, a long option or an abbreviation of it, or an expansion that nobody can foresee.
pub(super) fn has_option(args: &[Word], letters: &str, longs: &[&str]) -> bool {
    args.iter().any(|w| {
        if w.dynamic {
            return true;
        }
        match w.text.strip_prefix("--") {
            Some("") => false,
            Some(long) => {
                let name = long.split('=').next().unwrap_or(long);
                longs.iter().any(|l| l.starts_with(name))
            }
            None => w
                .text
                .strip_prefix('-')
                .is_some_and(|cluster| cluster.chars().any(|c| letters.contains(c))),
        }
    })
}
