//! The keys that operators sign with. They lie where operators are, never on a controller.

use lks_agent::encoding::{hex, unhex};
use lks_agent::error::{Error, Result};
use lks_agent::host::here::{self, durable};
use lks_agent::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::path::{Path, PathBuf};

/// A key that signs bundles.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Where the key lies if nothing is said.
    #[must_use]
    pub fn default_path() -> PathBuf {
        here::env("LKS_SIGN_KEY").map_or_else(
            || here::expand_home("~/.config/lks/sign.key"),
            PathBuf::from,
        )
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When there is none, or others may read it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = here::read_text(path)?.ok_or_else(|| {
            Error::host(format!("there is no signing key at {}", path.display()))
                .hint("make one: `lks-ctl bundle key`")
        })?;
        let mode = here::mode(path)?;
        if mode & 0o077 != 0 {
            return Err(Error::host(format!(
                "others may read the signing key {} (mode {:o})",
                path.display(),
                mode & 0o777
            ))
            .hint(format!("chmod 600 {}", path.display())));
        }
        let bytes = unhex(text.trim()).map(Secret::new);
        bytes
            .and_then(|b| Ed25519KeyPair::from_pkcs8(b.reveal()).ok())
            .map(Self)
            .ok_or_else(|| Error::host(format!("{} is no signing key", path.display())))
    }

    /// Reads the key, or makes one. `true` if it was made.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn read_or_make(path: &Path) -> Result<(Self, bool)> {
        if here::exists(path) {
            return Ok((Self::read(path)?, false));
        }
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::host("no key could be made"))?;
        durable::write_new(path, hex(key.as_ref()).as_bytes(), 0o600)?;
        Ok((Self::read(path)?, true))
    }

    /// The public key, in hex: what hosts are given.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}
