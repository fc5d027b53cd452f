//! bcrypt, after Provos and Mazières, "A Future-Adaptable Password Scheme" (1999).

use super::{Fault, Res, cannot};
use blowfish::Blowfish;

/// bcrypt's own order of the 64 characters.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Rounds that passlib, and so Ansible, takes when none are given.
const ROUNDS: i128 = 12;
/// Bytes of a password that count.
const LONGEST: usize = 72;

pub(super) fn bcrypt(
    password: &str,
    salt: &str,
    rounds: Option<i128>,
    ident: Option<&str>,
) -> Res<String> {
    let rounds = rounds.unwrap_or(ROUNDS);
    if !(4..=31).contains(&rounds) {
        return Err(cannot(format_args!("{rounds} rounds are not from 4 to 31")));
    }
    let ident = ident.unwrap_or("2b").trim_matches('$');
    if !matches!(ident, "2a" | "2b" | "2y") {
        return Err(
            cannot(format_args!("bcrypt has no ident '{ident}'")).hint("it is 2a, 2b or 2y")
        );
    }
    let salt = decode(salt)?;
    // C's text: its end counts. The password itself counts again and again until 72 bytes are full.
    let mut key: Vec<u8> = password.bytes().chain([0]).collect();
    key.truncate(LONGEST);
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1_u64 << rounds {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut out = Vec::with_capacity(24);
    for half in b"OrpheanBeholderScryDoubt".as_chunks::<8>().0 {
        let (left, right) = half.split_at(4);
        let word = |b: &[u8]| b.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b));
        let mut pair = [word(left), word(right)];
        for _ in 0..64 {
            pair = state.bc_encrypt(pair);
        }
        out.extend(pair.iter().flat_map(|w| w.to_be_bytes()));
    }
    out.pop();
    Ok(format!(
        "${ident}${rounds:02}${}{}",
        encode(&salt),
        encode(&out)
    ))
}

/// The 16 bytes of a salt of 22 characters; the last character's lowest bits count for nothing.
fn decode(salt: &str) -> Res<Vec<u8>> {
    if salt.len() != 22 {
        return Err(cannot(format_args!(
            "a salt of bcrypt has 22 characters, this one has {}",
            salt.len()
        )));
    }
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::with_capacity(16));
    for c in salt.bytes() {
        let at = ALPHABET.iter().position(|a| *a == c);
        let at = at.ok_or_else(|| Fault::error("this is no salt of bcrypt"))?;
        bits = bits << 6 | at as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Ok(out)
}

fn encode(bytes: &[u8]) -> String {
    let (mut bits, mut count, mut out) = (0_u32, 0, String::new());
    for b in bytes {
        bits = bits << 8 | u32::from(*b);
        count += 8;
        while count >= 6 {
            count -= 6;
            out.push(char::from(ALPHABET[(bits >> count & 63) as usize]));
        }
    }
    if count > 0 {
        out.push(char::from(ALPHABET[(bits << (6 - count) & 63) as usize]));
    }
    out
}
