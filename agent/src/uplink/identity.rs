//! Who this host is to its controller: a name, a key of its own, and the certificate for it.

use super::client::Client;
use super::join::Ticket;
use super::wire::{EnrolAnswer, EnrolRequest, RenewRequest};
use crate::encoding::{hex, unhex};
use crate::error::{Error, ErrorKind, Result};
use crate::host::here::{self, durable};
use crate::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Who this host is. On disk for its owner alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its private key (PKCS#8).
    pub key: Secret<Vec<u8>>,
    /// Its certificate (DER); none before it is enrolled.
    pub certificate: Option<Vec<u8>>,
    /// The machine on which the key was made: an image of this host is another machine.
    pub machine: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    key: String,
    certificate: Option<String>,
    machine: String,
}

impl Identity {
    /// Makes a key for a host of this name.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(name: &str) -> Result<Self> {
        if !super::wire::is_name(name) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("`{name}` cannot be a host's name: letters, digits, `.`, `_` and `-` can"),
            ));
        }
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::host("no key could be made"))?;
        Ok(Self {
            name: name.to_string(),
            key: Secret::new(key.as_ref().to_vec()),
            certificate: None,
            machine: machine()?,
        })
    }

    fn path(dir: &Path) -> PathBuf {
        dir.join("identity.json")
    }

    /// Reads the identity kept in a folder. One that was made on another machine (an image was taken of
    /// an enrolled host) is none, and is removed with all that belonged to it.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let path = Self::path(dir);
        let Some(bytes) = here::read(&path)? else {
            return Ok(None);
        };
        let broken = || Error::host(format!("{} holds no identity", path.display()));
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| broken().caused_by(e))?;
        if stored.machine != machine()? {
            here::print_error(
                "this machine is not the one that was enrolled: it enrols as a new host",
            );
            here::remove_file(&path);
            here::remove_folder(&dir.join("runs"));
            return Ok(None);
        }
        let certificate = match &stored.certificate {
            Some(text) => Some(unhex(text).ok_or_else(broken)?),
            None => None,
        };
        Ok(Some(Self {
            name: stored.name,
            key: Secret::new(unhex(&stored.key).ok_or_else(broken)?),
            certificate,
            machine: stored.machine,
        }))
    }

    /// Keeps it in a folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let stored = Stored {
            name: self.name.clone(),
            key: hex(self.key.reveal()),
            certificate: self.certificate.as_deref().map(hex),
            machine: self.machine.clone(),
        };
        let bytes = serde_json::to_vec(&stored)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        durable::replace(&Self::path(dir), &bytes, 0o600)
    }

    /// Asks the controller in, and keeps the certificate. The key was kept before, so that a kill in
    /// between leaves a host that can ask again with the same token.
    ///
    /// # Errors
    /// When the controller refuses, or cannot be reached.
    pub fn enrol(&mut self, client: &Client, ticket: &Ticket, dir: &Path) -> Result<()> {
        let pair = Ed25519KeyPair::from_pkcs8(self.key.reveal())
            .map_err(|_| Error::host("this host's key is none"))?;
        let public_key = hex(pair.public_key().as_ref());
        let (token, aws) = match ticket {
            Ticket::Token(token) => (token.reveal().clone(), None),
            Ticket::Aws(way) => (
                String::new(),
                Some(way.proof(client, &self.name, &public_key)?),
            ),
        };
        let secret = aws.as_ref().map_or(&token, |proof| &proof.challenge);
        let message = EnrolRequest::message(secret, &self.name, &public_key);
        let request = EnrolRequest {
            token,
            aws,
            name: self.name.clone(),
            proof: hex(pair.sign(&message).as_ref()),
            public_key,
            version: env!("CARGO_PKG_VERSION").to_string(),
        };
        let answer: EnrolAnswer = client.post("/v1/enrol", &request)?.json()?;
        let certificate = unhex(&answer.certificate)
            .ok_or_else(|| Error::host("the controller's certificate cannot be read"))?;
        self.name = answer.name;
        self.certificate = Some(certificate);
        self.save(dir)
    }
}

impl Identity {
    /// The same host with a new key and a certificate for it; the old ones are good until the controller
    /// has seen the new ones in use.
    ///
    /// # Errors
    /// When the controller refuses, or cannot be reached.
    pub fn renewed(&self, client: &Client) -> Result<Self> {
        let mut new = Self::new(&self.name)?;
        let pair = Ed25519KeyPair::from_pkcs8(new.key.reveal())
            .map_err(|_| Error::host("no key could be made"))?;
        let public_key = hex(pair.public_key().as_ref());
        let message = RenewRequest::message(&self.name, &public_key);
        let request = RenewRequest {
            proof: hex(pair.sign(&message).as_ref()),
            public_key,
        };
        let answer: EnrolAnswer = client.post("/v1/agent/key", &request)?.json()?;
        new.certificate = Some(
            unhex(&answer.certificate)
                .ok_or_else(|| Error::host("the controller's certificate cannot be read"))?,
        );
        Ok(new)
    }
}

/// What tells this machine from others: the id that its hypervisor gave it, else the system's own.
fn machine() -> Result<String> {
    for path in ["/sys/class/dmi/id/product_uuid", "/etc/machine-id"] {
        if let Ok(Some(text)) = here::read_text(Path::new(path)) {
            let text = text.trim().to_ascii_lowercase();
            if !text.is_empty() {
                return Ok(text);
            }
        }
    }
    Ok(String::from("unknown"))
}

/// The name that this host has in its network.
#[must_use]
pub fn host_name() -> String {
    let read = here::read_text(Path::new("/proc/sys/kernel/hostname"));
    let name = read.ok().flatten().unwrap_or_default();
    name.trim().to_string()
}
