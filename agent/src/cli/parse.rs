//! Reading arguments against a table of flags, as `argparse` reads them: `--flag=value`, bundled
//! short flags (`-bKvvv`, `-eK=v`), beginnings of long flags that are clear, `--`.

use super::flag::{Complete, Flag, HELP, Takes};
use crate::error::{Error, ErrorKind, Result};

/// What the user gave.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Flags with their values, in the order given.
    pub flags: Vec<(&'static Flag, String)>,
    /// What is no flag.
    pub args: Vec<String>,
}

impl Parsed {
    /// Reads arguments (without the program's and the command's name).
    ///
    /// # Errors
    /// When a flag is unknown or ambiguous, lacks its value or has one too many, or contradicts another.
    pub fn read(flags: &'static [Flag], args: &[String]) -> Result<Self> {
        let mut reader = Reader {
            flags,
            out: Self::default(),
            unknown: Vec::new(),
        };
        let mut rest = args;
        while let [arg, tail @ ..] = rest {
            rest = tail;
            if arg == "--" {
                reader.out.args.extend_from_slice(tail);
                break;
            }
            rest = match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
                (Some(long), _) => reader.long(long, rest)?,
                (None, Some(short)) if !short.is_empty() => reader.short(short, rest)?,
                _ => {
                    reader.out.args.push(arg.clone());
                    rest
                }
            };
        }
        reader.finish()
    }

    /// Whether a flag was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(f, _)| f.name() == name)
    }

    /// How often a flag was given.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.flags.iter().filter(|(f, _)| f.name() == name).count()
    }

    /// The last value of a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.flags.iter().rev().filter(|(f, _)| f.name() == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// All values of a flag.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        let found = self.flags.iter().filter(|(f, _)| f.name() == name);
        found.map(|(_, value)| value.clone()).collect()
    }

    /// The last value of a flag as a whole number.
    ///
    /// # Errors
    /// When it is none.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some((flag, text)) = self.flags.iter().rfind(|(f, _)| f.name() == name) else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|_| {
            argument(
                flag,
                &format!("`{text}` is not a whole number that fits here"),
            )
        })
    }
}

struct Reader {
    flags: &'static [Flag],
    out: Parsed,
    unknown: Vec<String>,
}

impl Reader {
    /// `--name` or `--name=value`; gives back what is left.
    fn long<'a>(&mut self, text: &str, rest: &'a [String]) -> Result<&'a [String]> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some(flag) = self.find(name)? else {
            self.unknown.push(format!("--{text}"));
            return Ok(rest);
        };
        match (flag.value(), value) {
            (None, Some(value)) => Err(argument(
                flag,
                &format!("takes no value, but got `{value}`"),
            )),
            (None, None) => self.push(flag, "", rest),
            (Some(_), Some(value)) => self.push(flag, value, rest),
            (Some(_), None) => self.next(flag, rest),
        }
    }

    /// `-x`, `-xyz`, `-xVALUE`, `-x=VALUE`; gives back what is left.
    fn short<'a>(&mut self, text: &str, rest: &'a [String]) -> Result<&'a [String]> {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let Some(flag) = self.all().find(|f| f.short == Some(c)) else {
                self.unknown.push(format!("-{text}"));
                return Ok(rest);
            };
            if flag.value().is_none() {
                self.push(flag, "", rest)?;
                continue;
            }
            let tail = chars.as_str();
            return match tail.strip_prefix('=').unwrap_or(tail) {
                "" if tail.is_empty() => self.next(flag, rest),
                value => self.push(flag, value, rest),
            };
        }
        Ok(rest)
    }

    /// The value of a flag is the next argument, unless that is a flag itself.
    fn next<'a>(&mut self, flag: &'static Flag, rest: &'a [String]) -> Result<&'a [String]> {
        match rest {
            [value, tail @ ..] if !self.is_flag(value) => self.push(flag, value, tail),
            _ => Err(argument(flag, "needs a value")),
        }
    }

    fn is_flag(&self, text: &str) -> bool {
        if text == "--" {
            return true;
        }
        match (text.strip_prefix("--"), text.strip_prefix('-')) {
            (Some(long), _) => {
                let name = long.split('=').next().unwrap_or(long);
                !matches!(self.find(name), Ok(None))
            }
            // `-1` and `-o X` are values.
            (None, Some(short)) if !short.contains(' ') => {
                let first = short.chars().next();
                first.is_some() && self.all().any(|f| f.short == first)
            }
            _ => false,
        }
    }

    fn push<'a>(
        &mut self,
        flag: &'static Flag,
        value: &str,
        rest: &'a [String],
    ) -> Result<&'a [String]> {
        if let Complete::Words(words) = flag.complete
            && !words.contains(&value)
        {
            let all = words.join("`, `");
            return Err(argument(flag, &format!("`{value}` is not one of `{all}`"))
                .did_you_mean(value, words.iter().copied()));
        }
        self.out.flags.push((flag, value.to_string()));
        Ok(rest)
    }

    fn all(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().chain(std::iter::once(&HELP))
    }

    /// The flag of this name, or the only one whose name begins so.
    fn find(&self, name: &str) -> Result<Option<&'static Flag>> {
        if let Some(flag) = self.all().find(|f| f.names.contains(&name)) {
            return Ok(Some(flag));
        }
        let mut near: Vec<(&'static Flag, &str)> = Vec::new();
        for flag in self.all().filter(|_| !name.is_empty()) {
            near.extend(
                flag.names
                    .iter()
                    .filter(|n| n.starts_with(name))
                    .map(|n| (flag, *n)),
            );
        }
        match near.as_slice() {
            [] => Ok(None),
            [(first, _), others @ ..] if others.iter().all(|(f, _)| std::ptr::eq(*f, *first)) => {
                Ok(Some(first))
            }
            several => {
                let names: Vec<String> = several.iter().map(|(_, n)| format!("--{n}")).collect();
                let text = format!(
                    "ambiguous option: --{name} could match {}",
                    names.join(", ")
                );
                Err(usage(text))
            }
        }
    }

    fn finish(self) -> Result<Parsed> {
        if let [first, ..] = self.unknown.as_slice()
            && !self.out.has("help")
        {
            let name = first
                .trim_start_matches('-')
                .split('=')
                .next()
                .unwrap_or("");
            let names = self.all().flat_map(|f| f.names.iter().copied());
            let text = format!("unrecognized arguments: {}", self.unknown.join(" "));
            return Err(match crate::error::nearest(name, names) {
                Some(near) if first.starts_with("--") => {
                    usage(text).hint(format!("did you mean `--{near}`?"))
                }
                _ => usage(text),
            });
        }
        for (flag, _) in &self.out.flags {
            for (other, _) in &self.out.flags {
                if flag.conflicts.contains(&other.name()) {
                    let other = other.spellings().join("/");
                    return Err(argument(
                        flag,
                        &format!("not allowed with argument {other}"),
                    ));
                }
            }
        }
        Ok(self.out)
    }
}

/// An error about one flag, in `argparse`'s words.
fn argument(flag: &Flag, what: &str) -> Error {
    usage(format!("argument {}: {what}", flag.spellings().join("/")))
}

/// An error about the command line.
pub(super) fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

impl Takes {
    /// Whether giving it again adds to what was given.
    #[must_use]
    pub fn repeats(self) -> bool {
        matches!(self, Self::Count | Self::Many(_))
    }
}
