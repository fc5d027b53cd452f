//! The lookup `password`: made once, kept in a file, the same ever after.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::Twister;
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup};
use std::path::Path;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "password",
    &["length", "chars", "encrypt", "ident", "seed"],
    "A random password that is kept in a file.",
    password,
)];

/// Where `/dev/null` is given, nothing is kept.
const NOWHERE: &str = "/dev/null";

fn password(l: &Look) -> Res<Vec<Val>> {
    l.terms.iter().map(|term| one(l, term)).collect()
}

fn one(l: &Look, term: &Val) -> Res<Val> {
    let (path, inline) = l.inline(term)?;
    let setting = |name: &str| -> Res<Option<String>> {
        if let Some((_, value)) = inline.iter().find(|(n, _)| n == name) {
            return Ok(Some(value.clone()));
        }
        match l.option(name) {
            None | Some(Val::Null) => Ok(None),
            Some(list @ (Val::List(_) | Val::Tuple(_))) => {
                let parts = access::iterate(l.ctx, list)?;
                let parts = parts.iter().map(|p| text::to_text(l.ctx, p));
                Ok(Some(parts.collect::<Res<Vec<_>>>()?.join(",")))
            }
            Some(value) => text::to_text(l.ctx, value).map(Some),
        }
    };
    let length: usize = match setting("length")? {
        Some(length) => length
            .parse()
            .ok()
            .filter(|n| *n <= 100_000)
            .ok_or_else(|| Fault::error(format!("'{length}' is not a length")))?,
        None => 20,
    };
    let kept = if path == NOWHERE {
        None
    } else {
        l.ctx.outside().read(Path::new(&path))?
    };
    let kept = kept.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    let (mut password, mut salt) = match &kept {
        Some(line) => match line.split_once(" salt=") {
            Some((password, salt)) => (password.to_owned(), Some(salt.to_owned())),
            None => (line.clone(), None),
        },
        None => (String::new(), None),
    };
    let mut changed = false;
    if kept.is_none() {
        let seed = setting("seed")?.map(Val::from);
        let set = characters(setting("chars")?.as_deref());
        let mut twister = Twister::new(l.ctx, seed.as_ref())?;
        password = (0..length)
            .map(|_| set[twister.below(set.len() as u128) as usize])
            .collect();
        changed = true;
    }
    let encrypt = setting("encrypt")?;
    if encrypt.is_some() && salt.is_none() {
        salt = Some(super::super::filters::random_salt(l.ctx, 16));
        changed = true;
    }
    if changed && path != NOWHERE {
        let line = match &salt {
            Some(salt) if encrypt.is_some() => format!("{password} salt={salt}\n"),
            _ => format!("{password}\n"),
        };
        l.ctx
            .outside()
            .write(Path::new(&path), line.as_bytes(), 0o600)?;
    }
    match (encrypt, salt) {
        (Some(kind), Some(salt)) => {
            super::super::filters::crypt(&password, &kind, &salt, None).map(Val::from)
        }
        _ => Ok(Val::from(password)),
    }
}

/// The characters to choose from: names of Python's sets, or characters themselves.
fn characters(names: Option<&str>) -> Vec<char> {
    let range = |from: char, to: char| (from..=to).collect::<Vec<char>>();
    let lower = range('a', 'z');
    let upper = range('A', 'Z');
    let digits = range('0', '9');
    let mut out: Vec<char> = Vec::new();
    for name in names.unwrap_or("ascii_letters,digits,.,:,-,_").split(',') {
        match name {
            "ascii_letters" => out.extend(lower.iter().chain(&upper)),
            "ascii_lowercase" => out.extend(&lower),
            "ascii_uppercase" => out.extend(&upper),
            "digits" => out.extend(&digits),
            "hexdigits" => out.extend("0123456789abcdefABCDEF".chars()),
            "octdigits" => out.extend("01234567".chars()),
            "punctuation" => out.extend("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".chars()),
            "" => out.push(','),
            other => out.extend(other.chars()),
        }
    }
    // Two commas in a row stand for one comma, and make two empty names.
    out.dedup_by(|a, b| *a == ',' && *b == ',');
    out
}
