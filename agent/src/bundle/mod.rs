//! Bundles: playbooks, roles, files, inventory and variables in one signed archive that hosts fetch.
//!
//! ```text
//! "lks bundle 1\n"                        magic
//! u32 length, statement (JSON), 64 bytes of ed25519 signature     length 0 and no signature: not signed
//! u32 length, index (JSON)
//! the files' bytes, in the index's order
//! ```
//!
//! The **index** names every file with its size and SHA-256, and what is to be run and how; its own
//! SHA-256 is the bundle's *id*, so the id stands for the content. The **statement** is what an operator
//! signs: that id, a name, a counter and an expiry. Numbers are little-endian.
//!
//! Nothing is unpacked before the signature, the expiry, the counter and every file's digest hold
//! ([`verify`]); nothing is unpacked at all that names a place outside its folder ([`Index::check`]).
//! Files are not packed: most are small text, and a packer in front of the signature check is one more
//! thing that a forged bundle could attack.

mod counters;
mod index;
mod release;
mod statement;
mod unpack;

pub use counters::Counters;
pub use index::{Entry, FileEntry, Index};
pub use release::{MAX_RELEASE, Release};
pub use statement::{Keys, SIGNED_PREFIX, Statement, key_id};
pub use unpack::unpack;

use crate::error::{Error, Result};
use crate::host::{Digest, digest_of};

/// The first bytes of a bundle.
pub const MAGIC: &[u8] = b"lks bundle 1\n";
/// The version of index and statement.
pub const FORMAT: u32 = 1;
/// No bundle is larger: models and images come from where they are kept, not in bundles.
pub const MAX_BUNDLE: usize = 256 << 20;
/// No index is larger.
pub const MAX_INDEX: usize = 16 << 20;
/// No statement is larger.
pub const MAX_STATEMENT: usize = 4 << 10;
const SIGNATURE: usize = 64;

/// A bundle's parts, as they lie in its bytes. Nothing is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The statement and its signature.
    pub signed: Option<(&'a [u8], &'a [u8])>,
    /// The index.
    pub index: &'a [u8],
    /// The files.
    pub files: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a bundle apart.
    ///
    /// # Errors
    /// When it is none, or too large.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() > MAX_BUNDLE {
            return Err(refused(format!(
                "it is larger than {} MiB",
                MAX_BUNDLE >> 20
            )));
        }
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| refused("it does not begin as a bundle does"))?;
        let (statement, rest) = counted(rest, MAX_STATEMENT, "statement")?;
        let (signed, rest) = if statement.is_empty() {
            (None, rest)
        } else {
            let (signature, rest) = rest
                .split_at_checked(SIGNATURE)
                .ok_or_else(|| refused("it ends within its signature"))?;
            (Some((statement, signature)), rest)
        };
        let (index, files) = counted(rest, MAX_INDEX, "index")?;
        Ok(Self {
            signed,
            index,
            files,
        })
    }

    /// The id: what the index and so the content is known by.
    #[must_use]
    pub fn id(&self) -> String {
        digest_of(self.index, Digest::Sha256)
    }

    /// Puts parts together.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let length = |n: usize| (n as u32).to_le_bytes();
        match self.signed {
            Some((statement, signature)) => {
                out.extend_from_slice(&length(statement.len()));
                out.extend_from_slice(statement);
                out.extend_from_slice(signature);
            }
            None => out.extend_from_slice(&length(0)),
        }
        out.extend_from_slice(&length(self.index.len()));
        out.extend_from_slice(self.index);
        out.extend_from_slice(self.files);
        out
    }
}

/// A length of four bytes, and as many bytes.
fn counted<'a>(bytes: &'a [u8], most: usize, what: &str) -> Result<(&'a [u8], &'a [u8])> {
    let short = || refused(format!("it ends within its {what}"));
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(short)?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if length > most {
        return Err(refused(format!("its {what} is larger than {most} bytes")));
    }
    rest.split_at_checked(length).ok_or_else(short)
}

/// A bundle whose signature, expiry and content hold.
#[derive(Debug)]
pub struct Verified<'a> {
    /// Its id.
    pub id: String,
    /// What was signed.
    pub statement: Statement,
    /// The id of the key that signed it.
    pub key: String,
    /// What is in it.
    pub index: Index,
    /// The files' bytes, in the index's order.
    pub files: Vec<&'a [u8]>,
}

/// Believes a bundle, if it deserves it: `now` is in seconds since 1970. The counter is for
/// [`Counters`], which remembers.
///
/// # Errors
/// When no key of `keys` signed it, it is expired, or anything in it is not as signed.
pub fn verify<'a>(bytes: &'a [u8], keys: &Keys, now: u64) -> Result<Verified<'a>> {
    let parts = Parts::read(bytes)?;
    let (statement, signature) = parts.signed.ok_or_else(|| refused("it is not signed"))?;
    let key = keys.check(statement, signature)?;
    let statement = Statement::read(statement)?;
    if statement.bundle != parts.id() {
        return Err(refused("its content is not what was signed"));
    }
    if statement.expires_at <= now {
        return Err(refused(format!(
            "it expired {} seconds ago",
            now - statement.expires_at
        ))
        .hint("sign it again: `lks-ctl bundle sign`"));
    }
    let index = Index::read(parts.index)?;
    let files = index.split(parts.files)?;
    Ok(Verified {
        id: parts.id(),
        statement,
        key,
        index,
        files,
    })
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::host(format!("the bundle is refused: {why}"))
}

#[cfg(test)]
mod tests;
