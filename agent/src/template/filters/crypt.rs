//! `password_hash`: SHA-256 and SHA-512 crypt, after Drepper's specification; MD5 crypt; bcrypt.

mod blowfish;

use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::val::Val;
use super::Filter;
use crate::playbook::vault::{self, VaultKeys};
use crate::secret::Secret;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "password_hash",
        &[
            "password",
            "hashtype",
            "salt",
            "salt_size",
            "rounds",
            "ident",
        ],
        "A password as /etc/shadow keeps it.",
        password_hash,
    ),
    Filter::new(
        "vault",
        &[
            "value",
            "secret",
            "salt",
            "vault_id",
            "wrap_object",
            "vaultid",
        ],
        "Text encrypted as `ansible-vault` encrypts it.",
        vault,
    ),
    Filter::new(
        "unvault",
        &["value", "secret", "vault_id", "vaultid"],
        "What vaulted text says.",
        unvault,
    ),
];

/// The name that Ansible gives to secrets of these filters.
const VAULT_ID: &str = "filter_default";

/// The one key that the call gave.
fn keys(c: &Call, id: &str) -> Res<VaultKeys> {
    let mut keys = VaultKeys::none();
    keys.add(id, Secret::new(c.string(1)?.to_owned()));
    Ok(keys)
}

fn vault(c: &Call) -> Res<Val> {
    let id = c.text_or(3, VAULT_ID)?;
    let (keys, text) = (keys(c, &id)?, c.text(0)?);
    let named = (id != "default").then_some(&*id);
    let made = match c.opt_text(2)? {
        Some(salt) => keys.encrypt_with_salt(text.as_bytes(), named, salt.as_bytes())?,
        None => keys.encrypt(text.as_bytes(), named)?,
    };
    Ok(Val::from(made))
}

fn unvault(c: &Call) -> Res<Val> {
    let text = c.text(0)?;
    if !vault::is_vault(&text) {
        return Ok(Val::from(text));
    }
    let keys = keys(c, &c.text_or(2, VAULT_ID)?)?;
    Ok(Val::from(keys.decrypt_text(&text)?))
}

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn password_hash(c: &Call) -> Res<Val> {
    let kind = c.text_or(1, "sha512")?;
    algorithm(&kind)?;
    let size = match c.given(3) {
        None => salt_size(&kind),
        Some(Val::Int(n)) => usize::try_from(*n).unwrap_or(0),
        Some(_) => return Err(Fault::error("salt_size must be an integer")),
    };
    let salt = match c.opt_text(2)?.filter(|s| !s.is_empty()) {
        Some(salt) => salt,
        None => random_salt(c.ctx, size),
    };
    // passlib's rounds, which Ansible's are.
    let rounds = c
        .given(4)
        .map(|_| c.int(4))
        .transpose()?
        .filter(|n| *n != 0);
    let ident = c.opt_text(5)?;
    crypt(&c.text(0)?, &kind, &salt, rounds, ident.as_deref()).map(Val::from)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Bcrypt,
    Sha256,
    Sha512,
}

fn algorithm(kind: &str) -> Res<Algorithm> {
    Ok(match kind {
        "md5" | "md5_crypt" => Algorithm::Md5,
        "blowfish" | "bcrypt" => Algorithm::Bcrypt,
        "sha256" | "sha256_crypt" => Algorithm::Sha256,
        "sha512" | "sha512_crypt" => Algorithm::Sha512,
        other => {
            return Err(Fault::error(format!(
                "{other} is not in the list of supported passlib algorithms: \
                 md5, blowfish, sha256, sha512"
            )));
        }
    })
}

/// How long a salt of that kind is.
pub(in super::super) fn salt_size(kind: &str) -> usize {
    match algorithm(kind) {
        Ok(Algorithm::Md5) => 8,
        Ok(Algorithm::Bcrypt) => 22,
        _ => 16,
    }
}

fn cannot(why: impl std::fmt::Display) -> Fault {
    Fault::error(format!("Could not hash the secret. {why}"))
}

/// Characters for a salt.
pub(in super::super) fn random_salt(ctx: &Ctx, size: usize) -> String {
    let pick = |_| char::from(ALPHABET[(ctx.outside().random() % 64) as usize]);
    (0..size).map(pick).collect()
}

/// A password's hash: `$1$…`, `$2b$…`, `$5$…` or `$6$…`.
pub(in super::super) fn crypt(
    password: &str,
    kind: &str,
    salt: &str,
    rounds: Option<i128>,
    ident: Option<&str>,
) -> Res<String> {
    let algorithm = algorithm(kind)?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    if let Some(bad) = salt.chars().find(|c| !good(*c)) {
        return Err(cannot(format_args!("invalid character '{bad}' in salt")));
    }
    let longest = match algorithm {
        Algorithm::Md5 => 8,
        Algorithm::Bcrypt => return blowfish::bcrypt(password, salt, rounds, ident),
        Algorithm::Sha256 | Algorithm::Sha512 => 16,
    };
    if salt.len() > longest {
        return Err(cannot(format_args!(
            "the salt is too long (at most {longest} characters)"
        )));
    }
    let (password, salt_bytes) = (password.as_bytes(), salt.as_bytes());
    let (id, default) = match algorithm {
        Algorithm::Sha256 => ('5', 535_000),
        Algorithm::Sha512 => ('6', 656_000),
        _ if rounds.is_some() => return Err(cannot("md5_crypt has no rounds")),
        _ => return Ok(format!("$1${salt}${}", md5(password, salt_bytes))),
    };
    let rounds = rounds.unwrap_or(default);
    if !(1000..=999_999_999).contains(&rounds) {
        return Err(cannot(format_args!(
            "{rounds} rounds are not from 1000 to 999999999"
        )));
    }
    let count = usize::try_from(rounds).unwrap_or(5000);
    let body = if id == '6' {
        encode(&digest::<Sha512>(password, salt_bytes, count), &ORDER_512)
    } else {
        encode(&digest::<Sha256>(password, salt_bytes, count), &ORDER_256)
    };
    // 5000 rounds are crypt's own default and are not written.
    let shown = match rounds {
        5000 => String::new(),
        rounds => format!("rounds={rounds}$"),
    };
    Ok(format!("${id}${shown}{salt}${body}"))
}

/// FreeBSD's hash of passwords by MD5.
fn md5(password: &[u8], salt: &[u8]) -> String {
    let of = |parts: &[&[u8]]| {
        let mut hasher = Md5::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_vec()
    };
    let b = of(&[password, salt, password]);
    let stretched: Vec<u8> = b.iter().copied().cycle().take(password.len()).collect();
    let mut bits = Vec::new();
    let mut left = password.len();
    while left > 0 {
        bits.push(if left & 1 == 1 { 0 } else { password[0] });
        left >>= 1;
    }
    let mut a = of(&[password, b"$1$", salt, &stretched, &bits]);
    for round in 0..1000 {
        let odd = round % 2 == 1;
        let (first, last) = if odd {
            (password, &a[..])
        } else {
            (&a[..], password)
        };
        let salt = if round % 3 != 0 { salt } else { &[] };
        let again = if round % 7 != 0 { password } else { &[] };
        a = of(&[first, salt, again, last]);
    }
    encode(&a, &ORDER_MD5)
}

fn digest<D: Digest>(password: &[u8], salt: &[u8], rounds: usize) -> Vec<u8> {
    let of = |parts: &[&[u8]]| {
        let mut hasher = D::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().to_vec()
    };
    let stretch =
        |block: &[u8], len: usize| -> Vec<u8> { block.iter().copied().cycle().take(len).collect() };
    let b = of(&[password, salt, password]);
    let mut a = D::new();
    a.update(password);
    a.update(salt);
    a.update(stretch(&b, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        a.update(if bits & 1 == 1 { &b[..] } else { password });
        bits >>= 1;
    }
    let mut a = a.finalize().to_vec();
    let mut dp = D::new();
    for _ in 0..password.len() {
        dp.update(password);
    }
    let p = stretch(&dp.finalize(), password.len());
    let mut ds = D::new();
    for _ in 0..16 + usize::from(a[0]) {
        ds.update(salt);
    }
    let s = stretch(&ds.finalize(), salt.len());
    for round in 0..rounds {
        let odd = round % 2 == 1;
        let (first, last) = if odd {
            (&p[..], &a[..])
        } else {
            (&a[..], &p[..])
        };
        let salt = if round % 3 != 0 { &s[..] } else { &[] };
        let again = if round % 7 != 0 { &p[..] } else { &[] };
        a = of(&[first, salt, again, last]);
    }
    a
}

/// Which bytes make each group of four characters.
const ORDER_512: [[usize; 3]; 21] = [
    [0, 21, 42],
    [22, 43, 1],
    [44, 2, 23],
    [3, 24, 45],
    [25, 46, 4],
    [47, 5, 26],
    [6, 27, 48],
    [28, 49, 7],
    [50, 8, 29],
    [9, 30, 51],
    [31, 52, 10],
    [53, 11, 32],
    [12, 33, 54],
    [34, 55, 13],
    [56, 14, 35],
    [15, 36, 57],
    [37, 58, 16],
    [59, 17, 38],
    [18, 39, 60],
    [40, 61, 19],
    [62, 20, 41],
];
const ORDER_256: [[usize; 3]; 10] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];

const ORDER_MD5: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

fn encode(digest: &[u8], order: &[[usize; 3]]) -> String {
    let mut out = String::new();
    let mut group = |value: usize, chars: usize| {
        for i in 0..chars {
            out.push(char::from(ALPHABET[value >> (6 * i) & 63]));
        }
    };
    let byte = |i: usize| usize::from(digest[i]);
    for [a, b, c] in order {
        group(byte(*a) << 16 | byte(*b) << 8 | byte(*c), 4);
    }
    match digest.len() {
        64 => group(byte(63), 2),
        32 => group(byte(31) << 8 | byte(30), 3),
        _ => group(byte(11), 2),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_the_specification() {
        for (kind, salt, rounds, password, want) in [
            (
                "sha512",
                "saltstring",
                Some(5000),
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "sha256",
                "saltstring",
                Some(5000),
                "Hello world!",
                "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            ),
            (
                "sha512",
                "saltstringsaltst",
                Some(10000),
                "Hello world!",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
            (
                "md5",
                "saltsalt",
                None,
                "hello",
                "$1$saltsalt$fFhQNRZ9A4AYLdo7vOe8a0",
            ),
            (
                "blowfish",
                "abcdefghijklmnopqrstuu",
                Some(4),
                "hello",
                "$2b$04$abcdefghijklmnopqrstuuwHJMEGjfAzmL1lWmUmlphguIbWfjYey",
            ),
        ] {
            let made = crypt(password, kind, salt, rounds, None).unwrap_or_default();
            assert_eq!(made, want);
        }
    }
}
