//! How this host stands with its controller: the identity that is in use, and clients that speak by it.
//! The identity changes while the service runs; who has a client of the old one asks for another.

use super::client::Client;
use super::identity::Identity;
use super::wire;
use crate::error::Result;
use crate::host::here;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The identity in use.
pub(super) struct Standing {
    controller: String,
    pin: String,
    state: PathBuf,
    /// Version and digest of this program.
    agent: String,
    wire: Option<String>,
    name: String,
    identity: Mutex<Identity>,
    turn: AtomicU64,
}

/// A client, and which identity it speaks by.
pub(super) struct Spoken {
    pub client: Client,
    turn: u64,
}

impl Standing {
    pub fn new(settings: &super::Settings, identity: Identity) -> Self {
        Self {
            controller: settings.controller.clone(),
            pin: settings.pin.clone(),
            state: settings.state.clone(),
            agent: super::update::describe(),
            wire: settings.wire.clone(),
            name: identity.name.clone(),
            identity: Mutex::new(identity),
            turn: AtomicU64::new(0),
        }
    }

    /// The host's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client that speaks as this host.
    pub fn client(&self) -> Result<Spoken> {
        let turn = self.turn.load(Ordering::SeqCst);
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let certificate = identity.certificate.as_deref().unwrap_or_default();
        let own = (certificate, identity.key.reveal().as_slice());
        let mut client = Client::new(&self.controller, &self.pin, Some(own))?
            .with_header(wire::AGENT_HEADER, &self.agent);
        if let Some(version) = &self.wire {
            client = client.with_header(wire::HEADER, version);
        }
        Ok(Spoken { client, turn })
    }

    /// Takes another client if the identity was changed meanwhile.
    pub fn refresh(&self, spoken: &mut Spoken) -> Result<()> {
        if spoken.turn != self.turn.load(Ordering::SeqCst) {
            *spoken = self.client()?;
        }
        Ok(())
    }

    /// Gets a new key and certificate, and speaks by them from then on. A kill at any point leaves one of
    /// the two identities whole, and both are good until the new one was used.
    pub fn renew(&self, client: &Client) -> Result<()> {
        let old = self
            .identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let new = old.renewed(client)?;
        new.save(&self.state)?;
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = new;
        self.turn.fetch_add(1, Ordering::SeqCst);
        here::print("this host has a new key");
        Ok(())
    }
}
