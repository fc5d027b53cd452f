//! File modes as playbooks write them: octal digits or `chmod`'s symbols.

use super::Param;
use crate::error::{Error, Result};
use crate::value::Value;

/// A wanted mode: `0644`, `"u=rw,g=r,o="`, `u+x`, `preserve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Exactly these twelve bits.
    Bits(u32),
    /// `chmod`'s symbolic form, applied to the mode that is there.
    Symbolic(String),
    /// The mode of the source file.
    Preserve,
}

impl Param for Mode {
    const KIND: &'static str = "raw";

    /// YAML reads `0644` as the number 420 and `'0644'` as text: both mean the same bits. A number
    /// that was written without the leading zero (`644`) is taken as Ansible takes it: as decimal.
    fn from_value(value: &Value) -> Result<Self> {
        let bad = |t: &str| {
            Error::params(format!("`{t}` is no file mode"))
                .hint("write it as '0644' in quotes, or as u=rw,g=r,o=r")
        };
        match value {
            Value::Int(i) => u32::try_from(*i)
                .ok()
                .filter(|bits| *bits <= 0o7777)
                .map(Self::Bits)
                .ok_or_else(|| bad(&i.to_string())),
            Value::Str(s) if &**s == "preserve" => Ok(Self::Preserve),
            Value::Str(s) => {
                let digits = s.strip_prefix("0o").unwrap_or(s);
                match u32::from_str_radix(digits, 8) {
                    Ok(bits) if bits <= 0o7777 => Ok(Self::Bits(bits)),
                    _ if symbolic(s, 0, false, 0).is_some() => Ok(Self::Symbolic(s.to_string())),
                    _ => Err(bad(s)),
                }
            }
            other => Err(bad(&format!("{other:?}"))),
        }
    }
}

impl Mode {
    /// The bits that an entry with mode `current` must have. `umask` matters to a symbolic mode
    /// that names nobody (`+x`). [`Mode::Preserve`] keeps `current`: its caller knows the source.
    #[must_use]
    pub fn bits(&self, current: u32, is_dir: bool, umask: u32) -> u32 {
        match self {
            Self::Bits(bits) => *bits,
            Self::Symbolic(text) => symbolic(text, current, is_dir, umask).unwrap_or(current),
            Self::Preserve => current,
        }
    }
}

/// Applies `u=rw,g+x,o-rwx`; `None` if the text is no such thing.
fn symbolic(text: &str, current: u32, is_dir: bool, umask: u32) -> Option<u32> {
    let mut mode = current;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, mut rest) = clause.split_at(at);
        if !who.chars().all(|c| "ugoa".contains(c)) {
            return None;
        }
        // Who is meant, as the mask of bits that may change.
        let mask = if who.is_empty() {
            0o7777 & !umask
        } else {
            who.chars().fold(0, |m, c| {
                m | match c {
                    'u' => 0o4700,
                    'g' => 0o2070,
                    'o' => 0o1007,
                    _ => 0o7777,
                }
            })
        };
        while !rest.is_empty() {
            let op = rest.chars().next()?;
            let end = rest[1..]
                .find(['+', '-', '='])
                .map_or(rest.len(), |i| i + 1);
            let bits = permissions(&rest[1..end], mode, is_dir)? & mask;
            mode = match op {
                '+' => mode | bits,
                '-' => mode & !bits,
                // Setting keeps the set-id and sticky bits of others, and of directories.
                _ => (mode & !(mask & if is_dir { 0o777 } else { 0o7777 })) | bits,
            };
            rest = &rest[end..];
        }
    }
    Some(mode)
}

/// The bits that `rwxXst` or `ugo` stand for, for everybody.
fn permissions(text: &str, mode: u32, is_dir: bool) -> Option<u32> {
    let spread = |three: u32| three | three << 3 | three << 6;
    text.chars().try_fold(0, |bits, c| {
        Some(
            bits | match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_dir || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => spread(mode >> 6 & 7),
                'g' => spread(mode >> 3 & 7),
                'o' => spread(mode & 7),
                _ => return None,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_chmod_and_yaml_mean_them() {
        for (given, current, is_dir, want) in [
            (Value::Int(0o644), 0, false, 0o644),
            ("0755".into(), 0, false, 0o755),
            ("u=rwX,g=rX,o=".into(), 0o644, false, 0o640),
            ("u=rwX,g=rX,o=rX".into(), 0o600, true, 0o755),
            ("u+x".into(), 0o644, false, 0o744),
            ("a-w".into(), 0o666, false, 0o444),
            ("g=u".into(), 0o700, false, 0o770),
            ("+t".into(), 0o755, true, 0o1755),
            ("g+s".into(), 0o755, true, 0o2755),
        ] {
            let mode = Mode::from_value(&given).unwrap();
            assert_eq!(mode.bits(current, is_dir, 0o022), want, "{given:?}");
        }
        for bad in ["rwx", "u?x", "9", ""] {
            assert!(Mode::from_value(&bad.into()).is_err(), "{bad}");
        }
    }
}
