//! Challenges: good once and for minutes, and nothing is kept of those that nobody answers.

use lks_agent::encoding::{hex, unhex};
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use ring::hmac;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// For how many seconds one is good.
const LIFE: u64 = 120;

/// Makes challenges and knows its own again, also those of other controllers with the same secret.
pub struct Challenges {
    key: hmac::Key,
    /// Those that were answered here, until they expire. The store refuses those that were answered
    /// elsewhere.
    taken: Mutex<HashMap<String, u64>>,
}

impl Challenges {
    pub fn new(secret: &[u8]) -> Self {
        let derived = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            b"lks enrol challenge 1",
        );
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
            taken: Mutex::default(),
        }
    }

    pub fn issue(&self, now: u64) -> Result<String> {
        let text = format!("{}.{now}", hex(&here::random_bytes(16)?));
        let tag = hmac::sign(&self.key, text.as_bytes());
        Ok(format!("{text}.{}", hex(tag.as_ref())))
    }

    pub fn take(&self, challenge: &str, now: u64) -> Result<()> {
        let none = || Error::host("the challenge is none of this controller's");
        let (text, tag) = challenge.rsplit_once('.').ok_or_else(none)?;
        let tag = unhex(tag).ok_or_else(none)?;
        hmac::verify(&self.key, text.as_bytes(), &tag).map_err(|_| none())?;
        let made = text
            .rsplit_once('.')
            .and_then(|(_, n)| n.parse::<u64>().ok());
        let made = made.ok_or_else(none)?;
        // A controller whose clock is a little behind must know the other's challenges, too.
        if now > made + LIFE || made > now + LIFE {
            return Err(Error::host("the challenge has expired"));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, end| *end >= now);
        match taken.insert(challenge.to_owned(), made + 2 * LIFE) {
            None => Ok(()),
            Some(_) => Err(Error::host("the challenge was used before")),
        }
    }
}
