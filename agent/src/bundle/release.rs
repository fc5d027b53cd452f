//! Releases: the agent's own program, signed by an operator as bundles are.
//!
//! ```text
//! "lks release 1\n"                       magic
//! u32 length, statement (JSON), 64 bytes of ed25519 signature
//! the program
//! ```

use super::statement::{Keys, key_id};
use super::{MAX_STATEMENT, SIGNATURE, counted};
use crate::error::{Error, Result};
use crate::host::{Digest, digest_of};
use serde::{Deserialize, Serialize};

/// The first bytes of a release.
pub const MAGIC: &[u8] = b"lks release 1\n";
/// No release is larger.
pub const MAX_RELEASE: usize = 64 << 20;
/// Stands before the statement in what is signed: a bundle's signature means nothing here.
const SIGNED_PREFIX: &[u8] = b"lks release statement 1\n";

/// What an operator signs of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of this format.
    pub format: u32,
    /// Grows with every release: none goes back.
    pub counter: u64,
    /// The program's version, for people.
    pub version: String,
    /// The architecture it is for, as Rust calls it (`x86_64`, `aarch64`).
    pub machine: String,
    /// Names of the hosts that take it, `*` for any letters.
    pub hosts: Vec<String>,
    /// The program's SHA-256.
    pub sha256: String,
    /// Seconds since 1970.
    pub signed_at: u64,
}

impl Release {
    /// What the signature is made over.
    #[must_use]
    pub fn message(statement: &[u8]) -> Vec<u8> {
        [SIGNED_PREFIX, statement].concat()
    }

    /// Puts a release together, signed by `sign`.
    ///
    /// # Errors
    /// When the program is too large.
    pub fn write(&self, program: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<Vec<u8>> {
        if program.len() > MAX_RELEASE - MAX_STATEMENT {
            return Err(refused(format!(
                "it is larger than {} MiB",
                MAX_RELEASE >> 20
            )));
        }
        let statement = serde_json::to_vec(self)
            .map_err(|e| Error::new(crate::error::ErrorKind::Internal, e.to_string()))?;
        let signature = sign(&Self::message(&statement));
        let length = (statement.len() as u32).to_le_bytes();
        Ok([MAGIC, &length, &statement, &signature, program].concat())
    }

    /// Takes a release apart: what it says of itself, believed by nobody yet, and the program.
    ///
    /// # Errors
    /// When it is none, or the program is not the one that it names.
    pub fn read(bytes: &[u8]) -> Result<(Self, Signed<'_>, &[u8])> {
        if bytes.len() > MAX_RELEASE {
            return Err(refused(format!(
                "it is larger than {} MiB",
                MAX_RELEASE >> 20
            )));
        }
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| refused("it does not begin as a release does"))?;
        let (statement, rest) = counted(rest, MAX_STATEMENT, "statement")?;
        let (signature, program) = rest
            .split_at_checked(SIGNATURE)
            .ok_or_else(|| refused("it ends within its signature"))?;
        let release: Self = serde_json::from_slice(statement)
            .map_err(|e| refused("its statement cannot be read").caused_by(e))?;
        if release.format != super::FORMAT {
            return Err(refused(format!(
                "its statement is of format {}",
                release.format
            )));
        }
        if digest_of(program, Digest::Sha256) != release.sha256 {
            return Err(refused("its program is not the one that was signed"));
        }
        Ok((
            release,
            Signed {
                statement,
                signature,
            },
            program,
        ))
    }
}

/// A statement with its signature.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    statement: &'a [u8],
    signature: &'a [u8],
}

impl Signed<'_> {
    /// The id of the key that signed it, which is one of these.
    ///
    /// # Errors
    /// When none of them did.
    pub fn by(&self, keys: &Keys) -> Result<String> {
        keys.signer(&Release::message(self.statement), self.signature)
            .map(key_id)
            .ok_or_else(|| refused("no key that this host trusts has signed it"))
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::host(format!("the new agent is refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn release(program: &[u8]) -> Release {
        Release {
            format: 1,
            counter: 5,
            version: "2".into(),
            machine: "x86_64".into(),
            hosts: vec!["*".into()],
            sha256: digest_of(program, Digest::Sha256),
            signed_at: 0,
        }
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_believed_and_only_whole() {
        let pair = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let keys = |seed: u8| {
            let hex = crate::encoding::hex(pair(seed).public_key().as_ref());
            Keys::read(&hex).expect("a key")
        };
        let sign = |message: &[u8]| pair(1).sign(message).as_ref().to_vec();
        let bytes = release(b"program")
            .write(b"program", sign)
            .expect("written");
        let (read, signed, program) = Release::read(&bytes).expect("read");
        assert_eq!((read.counter, program), (5, &b"program"[..]));
        assert!(signed.by(&keys(1)).is_ok());
        assert!(signed.by(&keys(2)).is_err(), "another's key");
        // Half of it, another program, and another statement under the same signature.
        for end in [0, 10, 40, bytes.len() - 1] {
            assert!(Release::read(&bytes[..end]).is_err(), "{end}");
        }
        let mut other = bytes.clone();
        *other.last_mut().expect("a byte") ^= 1;
        assert!(Release::read(&other).is_err());
        let forged = Release {
            counter: 9,
            ..release(b"program")
        };
        let forged = forged
            .write(b"program", |_| signed.signature.to_vec())
            .expect("written");
        let (_, signed, _) = Release::read(&forged).expect("whole");
        assert!(signed.by(&keys(1)).is_err());
    }
}
