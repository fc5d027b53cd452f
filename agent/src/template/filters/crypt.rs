//! `password_hash`: SHA-256 and SHA-512 crypt, after Drepper's specification.

use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::val::Val;
use super::Filter;
use crate::playbook::vault::{self, VaultKeys};
use crate::secret::Secret;
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
    let size = c.size_or(3, 16)?.clamp(1, 16);
    let salt = match c.opt_text(2)? {
        Some(salt) => salt,
        None => random_salt(c.ctx, size),
    };
    // passlib's rounds, which Ansible's are.
    let rounds = c.given(4).map(|_| c.int(4)).transpose()?;
    crypt(&c.text(0)?, &kind, &salt, rounds).map(Val::from)
}

/// Characters for a salt.
pub(in super::super) fn random_salt(ctx: &Ctx, size: usize) -> String {
    let pick = |_| char::from(ALPHABET[(ctx.outside().random() % 64) as usize]);
    (0..size).map(pick).collect()
}

/// `$5$…` or `$6$…`.
pub(in super::super) fn crypt(
    password: &str,
    kind: &str,
    salt: &str,
    rounds: Option<i128>,
) -> Res<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    if let Some(bad) = salt.chars().find(|c| !good(*c)) {
        return Err(Fault::error(format!("invalid character '{bad}' in salt")));
    }
    let (default, id) = match kind {
        "sha512" | "sha512_crypt" | "6" => (656_000, '6'),
        "sha256" | "sha256_crypt" | "5" => (535_000, '5'),
        "md5" | "blowfish" | "bcrypt" => {
            return Err(
                Fault::error(format!("password_hash cannot make '{kind}' hashes yet"))
                    .hint("sha512 and sha256 are known"),
            );
        }
        other => {
            return Err(
                Fault::error(format!("crypt does not support '{other}' algorithm"))
                    .hint("sha512 and sha256 are known"),
            );
        }
    };
    if salt.len() > 16 {
        return Err(Fault::error("salt too long (at most 16 characters)"));
    }
    let rounds =
        usize::try_from(rounds.unwrap_or(default).clamp(1000, 999_999_999)).unwrap_or(5000);
    let body = if id == '6' {
        encode(
            &digest::<Sha512>(password.as_bytes(), salt.as_bytes(), rounds),
            &ORDER_512,
        )
    } else {
        encode(
            &digest::<Sha256>(password.as_bytes(), salt.as_bytes(), rounds),
            &ORDER_256,
        )
    };
    // 5000 rounds are crypt's own default and are not written.
    let shown = if rounds == 5000 {
        String::new()
    } else {
        format!("rounds={rounds}$")
    };
    Ok(format!("${id}${shown}{salt}${body}"))
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
    if digest.len() == 64 {
        group(byte(63), 2);
    } else {
        group(byte(31) << 8 | byte(30), 3);
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
                5000,
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "sha256",
                "saltstring",
                5000,
                "Hello world!",
                "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            ),
            (
                "sha512",
                "saltstringsaltst",
                10000,
                "Hello world!",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
        ] {
            let made = crypt(password, kind, salt, Some(rounds)).unwrap_or_default();
            assert_eq!(made, want);
        }
    }
}
