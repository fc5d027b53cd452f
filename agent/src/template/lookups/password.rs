//! The lookup `password`: made once, kept in a file, the same ever after.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::{self, Twister};
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup};
use std::path::Path;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "password",
    OPTIONS,
    "A random password that is kept in a file.",
    password,
)];

const OPTIONS: &[&str] = &["length", "chars", "encrypt", "ident", "seed"];

/// Where `/dev/null` is given, nothing is kept.
const NOWHERE: &str = "/dev/null";

fn password(l: &Look) -> Res<Vec<Val>> {
    l.texts()?.iter().map(|term| one(l, term)).collect()
}

/// The path of a term, and its own options.
fn parse<'c, 't>(l: &Look<'c, 't>, term: &str) -> Res<(String, Look<'c, 't>)> {
    let mut look = l.copy();
    let Some((first, rest)) = term.split_once(' ') else {
        return Ok((term.to_owned(), look));
    };
    let (more, pairs) = l.inline(rest)?;
    let path = match more {
        None => first.to_owned(),
        // There are blanks in the path.
        Some(more) => format!("{first} {more}"),
    };
    if !term.starts_with(&path) {
        return Err(Fault::error(
            "Unrecognized value after key=value parameters given to password lookup",
        ));
    }
    for (name, value) in pairs {
        if !OPTIONS.contains(&&*name) {
            return Err(Fault::error(format!(
                "Unrecognized parameter(s) given to password lookup: {name}"
            ))
            .hint(format!("parameters are: {}", OPTIONS.join(", "))));
        }
        let value = match &*name {
            "chars" => inline_chars(&value),
            _ => Val::from(value),
        };
        look.set(&name, value);
    }
    Ok((path, look))
}

/// The names of sets in a term's own `chars`, where two commas in a row stand for a comma.
fn inline_chars(text: &str) -> Val {
    let comma = text.contains(",,").then(|| Val::from(","));
    let text = text.replace(",,", ",");
    let named = text.split(',').filter(|n| !n.is_empty()).map(Val::from);
    Val::list(comma.into_iter().chain(named).collect())
}

/// What the file says: the password, and salt and ident of its hash.
struct Kept {
    password: String,
    salt: Option<String>,
    ident: Option<String>,
}

impl Kept {
    fn read(line: &str) -> Self {
        let (password, rest) = match line.rsplit_once(" salt=") {
            Some((password, rest)) => (password, Some(rest)),
            None => (line, None),
        };
        let (salt, ident) = match rest.and_then(|r| r.rsplit_once(" ident=")) {
            Some((salt, ident)) => (Some(salt), Some(ident)),
            None => (rest, None),
        };
        Self {
            password: password.to_owned(),
            salt: salt.map(str::to_owned),
            ident: ident.map(str::to_owned),
        }
    }

    fn line(&self) -> String {
        match (&self.salt, &self.ident) {
            (Some(salt), Some(ident)) => {
                format!("{} salt={salt} ident={ident}\n", self.password)
            }
            (Some(salt), None) => format!("{} salt={salt}\n", self.password),
            (None, _) => format!("{}\n", self.password),
        }
    }
}

fn one(l: &Look, term: &str) -> Res<Val> {
    let (path, look) = parse(l, term)?;
    let path = super::super::filters::expand_user(l.ctx, &path)?;
    let some = |name: &str| -> Res<Option<String>> {
        let text = look.text_option(name, "")?;
        Ok(Some(text).filter(|t| !t.is_empty()))
    };
    let length = look.number("length")?.unwrap_or(20);
    let length = usize::try_from(length)
        .ok()
        .filter(|n| *n <= 100_000)
        .ok_or_else(|| Fault::error(format!("'{length}' is not a length")))?;
    let set = characters(&look)?;
    let kept = match path == NOWHERE {
        true => None,
        false => l.ctx.outside().read(Path::new(&path))?,
    };
    let mut changed = kept.is_none();
    let mut kept = match kept {
        Some(bytes) => Kept::read(String::from_utf8_lossy(&bytes).trim_end()),
        None => {
            let seed = some("seed")?.map(Val::from);
            let mut twister = Twister::new(l.ctx, seed.as_ref())?;
            let pick = |_| set[twister.below(set.len() as u128) as usize];
            Kept {
                password: (0..length).map(pick).collect(),
                salt: None,
                ident: None,
            }
        }
    };
    let encrypt = some("encrypt")?;
    if let Some(kind) = &encrypt {
        if kept.salt.is_none() {
            let size = filters::salt_size(kind);
            kept.salt = Some(filters::random_salt(l.ctx, size));
            changed = true;
        }
        match (&kept.ident, some("ident")?) {
            (Some(ident), Some(given)) if *ident != given => {
                return Err(Fault::error(format!(
                    "The ident parameter provided ({given}) does not match the stored one ({ident})."
                )));
            }
            (None, given) => {
                let implicit = (kind == "bcrypt").then(|| "2b".to_owned());
                kept.ident = given.or(implicit);
                changed |= kept.ident.is_some();
            }
            _ => {}
        }
    }
    if changed && path != NOWHERE {
        let line = kept.line();
        l.ctx
            .outside()
            .write(Path::new(&path), line.as_bytes(), 0o600)?;
    }
    match (&encrypt, &kept.salt) {
        (Some(kind), Some(salt)) => {
            let ident = kept.ident.as_deref();
            filters::crypt(&kept.password, kind, salt, None, ident).map(Val::from)
        }
        _ => Ok(Val::from(kept.password)),
    }
}

/// The characters to choose from: names of Python's sets, or characters themselves. Quotes are never
/// among them.
fn characters(l: &Look) -> Res<Vec<char>> {
    let names: Vec<String> = match l.option("chars") {
        None | Some(Val::Null) => vec!["ascii_letters".into(), "digits".into(), ".,:-_".into()],
        Some(Val::Str(text)) => text.split(',').map(str::to_owned).collect(),
        Some(list) => {
            let items = access::iterate(l.ctx, list)?;
            let items = items.iter().map(|v| text::to_text(l.ctx, v));
            items.collect::<Res<_>>()?
        }
    };
    let lower = "abcdefghijklmnopqrstuvwxyz";
    let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let (digits, marks) = ("0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
    let blanks = " \t\n\r\x0b\x0c";
    let mut out = String::new();
    for name in &names {
        match &**name {
            "ascii_letters" => [lower, upper].iter().for_each(|s| out.push_str(s)),
            "ascii_lowercase" => out.push_str(lower),
            "ascii_uppercase" => out.push_str(upper),
            "digits" => out.push_str(digits),
            "hexdigits" => out.push_str("0123456789abcdefABCDEF"),
            "octdigits" => out.push_str("01234567"),
            "punctuation" => out.push_str(marks),
            "whitespace" => out.push_str(blanks),
            "printable" => [digits, lower, upper, marks, blanks]
                .iter()
                .for_each(|s| out.push_str(s)),
            other => out.push_str(other),
        }
    }
    let set: Vec<char> = out.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    if set.is_empty() {
        return Err(Fault::error(
            "there are no characters to make the password of",
        ));
    }
    Ok(set)
}
