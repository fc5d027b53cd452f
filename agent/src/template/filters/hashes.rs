//! Filters that digest text.

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::val::Val;
use super::Filter;
use crate::encoding::hex;
use sha2::Digest;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "hash",
        &["value", "hashtype"],
        "The digest of a text, SHA-1 unless another is named.",
        |c| digest(&c.text_or(1, "sha1")?, c.text(0)?.as_bytes()).map(|d| Val::from(hex(&d))),
    ),
    Filter::new("md5", &["value"], "The MD5 digest.", |c| {
        digest("md5", c.text(0)?.as_bytes()).map(|d| Val::from(hex(&d)))
    }),
    Filter::new("sha1", &["value"], "The SHA-1 digest.", |c| {
        digest("sha1", c.text(0)?.as_bytes()).map(|d| Val::from(hex(&d)))
    }),
    Filter::new("checksum", &["value"], "The SHA-1 digest.", |c| {
        digest("sha1", c.text(0)?.as_bytes()).map(|d| Val::from(hex(&d)))
    }),
    Filter::new(
        "to_uuid",
        &["value", "namespace"],
        "A UUID that the text always gives.",
        to_uuid,
    ),
];

/// Ansible's own namespace for UUIDs.
const NAMESPACE: &str = "361E6D51-FAEC-444A-9079-341386DA8E2E";

fn digest(kind: &str, bytes: &[u8]) -> Res<Vec<u8>> {
    Ok(match kind {
        "md5" => md5::Md5::digest(bytes).to_vec(),
        "sha1" => sha1::Sha1::digest(bytes).to_vec(),
        "sha224" => sha2::Sha224::digest(bytes).to_vec(),
        "sha256" => sha2::Sha256::digest(bytes).to_vec(),
        "sha384" => sha2::Sha384::digest(bytes).to_vec(),
        "sha512" => sha2::Sha512::digest(bytes).to_vec(),
        other => {
            return Err(Fault::error(format!("unsupported hash type {other}"))
                .hint("md5, sha1, sha224, sha256, sha384 and sha512 are known"));
        }
    })
}

fn to_uuid(c: &Call) -> Res<Val> {
    let namespace = c.text_or(1, NAMESPACE)?;
    let digits: Vec<u8> = namespace
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    if digits.len() != 32 {
        return Err(Fault::error(format!(
            "Invalid value '{namespace}' for 'namespace'"
        )));
    }
    let mut bytes: Vec<u8> = digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[a, b]| a << 4 | b)
        .collect();
    bytes.extend(c.text(0)?.bytes());
    let mut id = digest("sha1", &bytes)?;
    id.truncate(16);
    // Version 5, and the variant of RFC 4122.
    id[6] = id[6] & 0x0f | 0x50;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex(&id);
    Ok(Val::from(format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )))
}
