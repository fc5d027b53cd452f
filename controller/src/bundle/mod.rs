//! Makes and signs bundles. Reading and verifying them is the agent's (`lks_agent::bundle`).

mod collect;
mod given;
mod keys;

pub use collect::{Source, make};
pub use given::Given;
pub use keys::SigningKey;

use lks_agent::bundle::{FORMAT, Parts, Statement};
use lks_agent::error::Result;
use lks_agent::host::here;

/// How long a signature holds if nothing is said: a day.
pub const LIFETIME: u64 = 24 * 60 * 60;

/// Signs a bundle, in the place of an earlier signature. The counter is the time in milliseconds, so
/// that it grows without being kept anywhere.
///
/// # Errors
/// When it is no bundle, or the name is none.
pub fn sign(bundle: &[u8], name: &str, lifetime: u64, key: &SigningKey) -> Result<Vec<u8>> {
    let parts = Parts::read(bundle)?;
    lks_agent::bundle::Index::read(parts.index)?.split(parts.files)?;
    let now = here::now();
    let statement = Statement {
        format: FORMAT,
        bundle: parts.id(),
        name: name.to_string(),
        counter: (now * 1000.0) as u64,
        signed_at: now as u64,
        expires_at: now as u64 + lifetime,
    }
    .write()?;
    let signature = key.sign(&Statement::message(&statement));
    Ok(Parts {
        signed: Some((&statement, &signature)),
        ..parts
    }
    .write())
}
