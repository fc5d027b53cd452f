//! The function `lipsum`: text without sense, to fill pages with.

use super::call::Call;
use super::fault::{Fault, Res};
use super::filters::Twister;
use super::val::Val;

const WORDS: &str = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor \
    incididunt ut labore et dolore magna aliqua enim ad minim veniam quis nostrud exercitation \
    ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in reprehenderit \
    voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat cupidatat non \
    proident sunt culpa qui officia deserunt mollit anim id est laborum";

/// More than this is a mistake.
const MAX: usize = 10_000;

/// `lipsum(n=5, html=True, min=20, max=100)`: `n` paragraphs of `min` to `max` words.
pub(super) fn lipsum(c: &Call) -> Res<Val> {
    let (count, html) = (c.size_or(0, 5)?, c.truth_or(1, true)?);
    let (min, max) = (c.size_or(2, 20)?, c.size_or(3, 100)?);
    if count > MAX || max > MAX {
        return Err(Fault::error("lipsum() makes no text that long"));
    }
    if min >= max {
        return Err(Fault::error("empty range for randrange()"));
    }
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut twister = Twister::new(c.ctx, None)?;
    let mut below = |limit: usize| twister.below(limit as u128) as usize;
    let mut paragraphs = Vec::with_capacity(count);
    for _ in 0..count {
        let wanted = min + below(max - min);
        let mut text = String::new();
        let mut left = 0;
        for i in 0..wanted {
            let word = words[below(words.len())];
            if i > 0 {
                text.push(' ');
            }
            if left == 0 {
                left = 4 + below(12);
                let (first, rest) = word.split_at(1);
                text.push_str(&first.to_uppercase());
                text.push_str(rest);
            } else {
                text.push_str(word);
            }
            left -= 1;
            if left == 0 || i + 1 == wanted {
                text.push('.');
                left = 0;
            }
        }
        paragraphs.push(if html { format!("<p>{text}</p>") } else { text });
    }
    let between = if html { "\n" } else { "\n\n" };
    Ok(Val::from(paragraphs.join(between)))
}
