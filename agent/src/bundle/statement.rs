//! What an operator signs, and whose signatures count.

use super::{FORMAT, MAX_STATEMENT, refused};
use crate::error::{Error, Result};
use crate::host::{Digest, digest_of};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// Stands before the statement in what is signed: a signature made for something else means nothing here.
pub const SIGNED_PREFIX: &[u8] = b"lks bundle statement 1\n";

/// What an operator signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The version of this format.
    pub format: u32,
    /// The bundle's id.
    pub bundle: String,
    /// What the counter counts for: a bundle of this name replaces the older ones.
    pub name: String,
    /// Grows with every signature for the name.
    pub counter: u64,
    /// Seconds since 1970.
    pub signed_at: u64,
    /// Seconds since 1970; from then on it is refused.
    pub expires_at: u64,
}

impl Statement {
    /// Reads a statement (of which the signature was checked).
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let statement: Self = serde_json::from_slice(bytes)
            .map_err(|e| refused("its statement cannot be read").caused_by(e))?;
        if statement.format != FORMAT {
            return Err(refused(format!(
                "its statement is of format {}; this program reads {FORMAT}",
                statement.format
            )));
        }
        if !is_name(&statement.name) {
            return Err(refused("its name is none"));
        }
        Ok(statement)
    }

    /// As it is signed and stored.
    ///
    /// # Errors
    /// When the name is none.
    pub fn write(&self) -> Result<Vec<u8>> {
        if !is_name(&self.name) {
            return Err(Error::new(
                crate::error::ErrorKind::Usage,
                format!(
                    "`{}` cannot be a bundle's name: letters, digits, `.`, `_` and `-` can",
                    self.name
                ),
            ));
        }
        let bytes = serde_json::to_vec(self)
            .map_err(|e| Error::new(crate::error::ErrorKind::Internal, e.to_string()))?;
        debug_assert!(bytes.len() <= MAX_STATEMENT);
        Ok(bytes)
    }

    /// What the signature is made over.
    #[must_use]
    pub fn message(statement: &[u8]) -> Vec<u8> {
        [SIGNED_PREFIX, statement].concat()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// The id of a public key: the beginning of its SHA-256.
#[must_use]
pub fn key_id(public: &[u8]) -> String {
    digest_of(public, Digest::Sha256)[..16].to_string()
}

/// Public keys whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// From hex, one key a line; empty lines and what follows `#` count for nothing.
    ///
    /// # Errors
    /// When a line is no key, or there is none at all.
    pub fn read(text: &str) -> Result<Self> {
        let mut keys = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            match crate::encoding::unhex(line).filter(|k| k.len() == 32) {
                Some(key) => keys.push(key),
                None => {
                    return Err(Error::host(format!(
                        "`{line}` is no public key: 64 hex digits are one"
                    )));
                }
            }
        }
        if keys.is_empty() {
            return Err(Error::host("no public key that signs bundles is given"));
        }
        Ok(Self(keys))
    }

    /// The id of the key that made this signature.
    pub(super) fn check(&self, statement: &[u8], signature: &[u8]) -> Result<String> {
        self.signer(&Statement::message(statement), signature)
            .map(key_id)
            .ok_or_else(|| refused("no key that this host trusts has signed it"))
    }

    /// The key that signed a message.
    pub(super) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<&[u8]> {
        let signed = |key: &&Vec<u8>| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok()
        };
        self.0.iter().find(signed).map(Vec::as_slice)
    }
}
