//! Ansible Vault: reading and writing format 1.1 and 1.2, cipher AES256.
//!
//! From `ansible/parsing/vault/__init__.py` of ansible-core 2.19: PBKDF2-HMAC-SHA256 with 10000
//! rounds gives two keys and a counter; AES-256-CTR over PKCS#7-padded text; HMAC-SHA256 over the
//! ciphertext; all of it twice in hex, in lines of 80.

use crate::encoding::{hex, unhex};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{self, Secret};
use crate::value::{Key, Map, Value};
use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use ring::rand::SecureRandom;
use ring::{hmac, pbkdf2, rand};
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

const HEADER: &str = "$ANSIBLE_VAULT";
const CIPHER: &str = "AES256";
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
const BLOCK: usize = 16;

/// The id of a password given without one.
pub const DEFAULT_ID: &str = "default";

/// Whether `text` is a vault, as a whole file or a value may be.
#[must_use]
pub fn is_vault(text: &str) -> bool {
    text.starts_with(HEADER)
}

/// The vault passwords of a run, each with its id.
#[derive(Clone, Debug, Default)]
pub struct VaultKeys {
    keys: Vec<(String, Secret<String>)>,
    /// Vaulted values stay as they are; whole files are opened all the same.
    sealed: bool,
    /// What was vaulted is hidden in all that the process says.
    hides: bool,
    /// Only a password of a vault's own id opens it (`DEFAULT_VAULT_ID_MATCH`).
    match_ids: bool,
    /// Digests of the values that were opened, whoever holds these keys: the test `vault_encrypted`.
    opened: Arc<Mutex<HashSet<[u8; 32]>>>,
}

/// Only digests are kept: the values themselves are secrets.
fn fingerprint(text: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

/// The key under which a value that stays vaulted is shown in JSON, as Ansible has it.
pub const SEALED: &str = "__ansible_vault";

/// A vaulted value that stays so: a mapping with its ciphertext.
#[must_use]
pub fn sealed(cipher: &str) -> Value {
    let entry = (Key::from(SEALED), Value::from(cipher));
    Value::map(Map::from([entry]))
}

impl VaultKeys {
    /// No passwords: every vaulted value is an error.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a password under an id ([`DEFAULT_ID`] if the user named none).
    pub fn add(&mut self, id: impl Into<String>, password: Secret<String>) {
        self.keys.push((id.into(), password));
    }

    /// The same passwords, for a reader who only shows values: vaulted ones stay vaulted.
    #[must_use]
    pub fn keeping_sealed(&self) -> Self {
        Self {
            sealed: true,
            ..self.clone()
        }
    }

    /// The same passwords, for a reader whose events leave the machine: what was vaulted is hidden in them.
    #[must_use]
    pub fn hiding(&self) -> Self {
        Self {
            hides: true,
            ..self.clone()
        }
    }

    /// Whether vaulted values stay so.
    #[must_use]
    pub fn keeps_sealed(&self) -> bool {
        self.sealed
    }

    /// From now on, only a password of a vault's own id opens it.
    pub fn match_ids(&mut self) {
        self.match_ids = true;
    }

    /// The ids of all passwords, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// Only the passwords of an id.
    #[must_use]
    pub fn of_id(&self, wanted: &str) -> Self {
        let mut some = self.clone();
        some.keys.retain(|(id, _)| id == wanted);
        some
    }

    /// Whether there are no passwords.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Decrypts a vault. Passwords with the id that its header names are tried first, then the
    /// others, as Ansible does.
    ///
    /// # Errors
    /// If it is not a vault, is damaged, or no password fits.
    pub fn decrypt(&self, vault: &str) -> Result<Vec<u8>> {
        self.open(vault).map(|opened| opened.plain)
    }

    /// As [`VaultKeys::decrypt`], with what is needed to encrypt again in the same way.
    ///
    /// # Errors
    /// As [`VaultKeys::decrypt`].
    pub fn open(&self, vault: &str) -> Result<Opened> {
        let envelope = Envelope::parse(vault)?;
        if self.keys.is_empty() {
            return Err(error(
                "this is vaulted, and no vault password was given: Attempting to decrypt but no vault secrets found",
            )
            .hint("give one with --vault-password-file, --vault-id or --ask-vault-pass"));
        }
        let own = envelope.id.unwrap_or(DEFAULT_ID);
        let named = |(id, _): &&(String, Secret<String>)| id.as_str() == own;
        let first = self.keys.iter().filter(named);
        let rest = self
            .keys
            .iter()
            .filter(|key| !named(key) && !self.match_ids);
        for (_, password) in first.chain(rest) {
            if let Some(plain) = envelope.open(password)? {
                return Ok(Opened {
                    plain,
                    id: own.to_owned(),
                    password: password.clone(),
                });
            }
        }
        Err(self.no_key_fits(envelope.id))
    }

    /// As [`VaultKeys::decrypt`], of text.
    ///
    /// # Errors
    /// Also if what comes out is not UTF-8.
    pub fn decrypt_text(&self, vault: &str) -> Result<String> {
        String::from_utf8(self.decrypt(vault)?)
            .map_err(|_| error("the decrypted value is not UTF-8 text"))
    }

    /// As [`VaultKeys::decrypt_text`], of a value within a file (`!vault`).
    ///
    /// # Errors
    /// As [`VaultKeys::decrypt_text`].
    pub fn decrypt_value(&self, vault: &str) -> Result<String> {
        let text = self.decrypt_text(vault)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(fingerprint(&text));
        if self.hides {
            secret::hide(&text);
        }
        Ok(text)
    }

    /// Whether a value is what a vaulted one of this run holds.
    #[must_use]
    pub fn was_vaulted(&self, text: &str) -> bool {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        !opened.is_empty() && opened.contains(&fingerprint(text))
    }

    /// The text itself, or what is in it if it is a vault: how variable files are read.
    ///
    /// # Errors
    /// As [`VaultKeys::decrypt_text`].
    pub fn open_text(&self, text: String) -> Result<String> {
        if is_vault(&text) {
            let plain = self.decrypt_text(&text)?;
            if self.hides
                && let Ok(values) = super::yaml::from_str::<serde_json::Value>(&plain)
            {
                secret::hide_all(&values);
            }
            Ok(plain)
        } else {
            Ok(text)
        }
    }

    fn no_key_fits(&self, id: Option<&str>) -> Error {
        let tried: Vec<&str> = self.keys.iter().map(|(id, _)| id.as_str()).collect();
        let error = error(format!(
            "no vault password fits (tried {}): Decryption failed (no vault secrets were found that could decrypt)",
            tried.join(", ")
        ));
        match id {
            Some(id) if !tried.contains(&id) => error.hint(format!(
                "it was encrypted with vault id `{id}`, for which no password was given"
            )),
            _ => error,
        }
    }

    /// Encrypts with the password of `id`, or with the first one.
    ///
    /// # Errors
    /// If there is no such password, or the system has no random numbers.
    pub fn encrypt(&self, plain: &[u8], id: Option<&str>) -> Result<String> {
        let mut salt = [0_u8; 32];
        rand::SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gave no random numbers"))?;
        self.encrypt_with_salt(plain, id, &salt)
    }

    /// As [`VaultKeys::encrypt`] with a salt of the caller's, so that the same input gives the
    /// same vault.
    ///
    /// # Errors
    /// If there is no such password.
    pub fn encrypt_with_salt(&self, plain: &[u8], id: Option<&str>, salt: &[u8]) -> Result<String> {
        let key = match id {
            Some(id) => self.keys.iter().find(|(name, _)| name == id),
            None => self.keys.first(),
        };
        let (name, password) = key.ok_or_else(|| match id {
            Some(id) => error(format!("no password was given for vault id `{id}`"))
                .did_you_mean(id, self.keys.iter().map(|(name, _)| name.as_str())),
            None => error("no vault password was given"),
        })?;
        Ok(seal(plain, name, password, salt))
    }
}

/// A vault that was opened.
pub struct Opened {
    /// What was in it.
    pub plain: Vec<u8>,
    /// The id in its header, or the default one.
    pub id: String,
    /// The password that opened it.
    pub password: Secret<String>,
}

/// A vault taken apart.
struct Envelope<'v> {
    id: Option<&'v str>,
    salt: Vec<u8>,
    signature: Vec<u8>,
    cipher: Vec<u8>,
}

impl<'v> Envelope<'v> {
    fn parse(vault: &'v str) -> Result<Self> {
        let (header, body) = vault.trim_start().split_once('\n').unwrap_or((vault, ""));
        let mut parts = header.trim().split(';').map(str::trim);
        if parts.next() != Some(HEADER) {
            return Err(error(format!("a vault starts with `{HEADER}`")));
        }
        let (version, cipher) = (parts.next(), parts.next());
        if !matches!(version, Some("1.1" | "1.2")) {
            let version = version.unwrap_or_default();
            return Err(error(format!("vault format `{version}` is not 1.1 or 1.2")));
        }
        if cipher != Some(CIPHER) {
            let cipher = cipher.unwrap_or_default();
            return Err(error(format!("vault cipher `{cipher}` is not `{CIPHER}`")));
        }
        let damaged = || error("this vault is damaged: it is not the hex that it should be");
        let hex: String = body.split_ascii_whitespace().collect();
        let inner = unhex(&hex).ok_or_else(|| not_hex(&hex))?;
        let inner = std::str::from_utf8(&inner).map_err(|_| damaged())?;
        let mut fields = inner.splitn(3, '\n').map(unhex);
        let mut field = || fields.next().flatten().ok_or_else(damaged);
        Ok(Self {
            id: parts.next(),
            salt: field()?,
            signature: field()?,
            cipher: field()?,
        })
    }

    /// The plain text, or nothing if the password does not fit.
    fn open(&self, password: &Secret<String>) -> Result<Option<Vec<u8>>> {
        let keys = Keys::derive(password, &self.salt);
        if hmac::verify(&keys.sign, &self.cipher, &self.signature).is_err() {
            return Ok(None);
        }
        let mut text = self.cipher.clone();
        keys.apply(&mut text);
        let padding = text.last().map_or(0, |last| usize::from(*last));
        if padding == 0 || padding > BLOCK || padding > text.len() {
            return Err(error("this vault is damaged: its padding is wrong"));
        }
        text.truncate(text.len() - padding);
        Ok(Some(text))
    }
}

fn seal(plain: &[u8], id: &str, password: &Secret<String>, salt: &[u8]) -> String {
    let keys = Keys::derive(password, salt);
    let padding = BLOCK - plain.len() % BLOCK;
    let mut text = plain.to_vec();
    text.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(0));
    keys.apply(&mut text);
    let signature = hmac::sign(&keys.sign, &text);
    let inner = [hex(salt), hex(signature.as_ref()), hex(&text)].join("\n");
    let mut out = match id {
        DEFAULT_ID => format!("{HEADER};1.1;{CIPHER}\n"),
        id => format!("{HEADER};1.2;{CIPHER};{id}\n"),
    };
    for (at, c) in hex(inner.as_bytes()).chars().enumerate() {
        if at > 0 && at.is_multiple_of(80) {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

struct Keys {
    crypt: [u8; 32],
    counter: [u8; 16],
    sign: hmac::Key,
}

impl Keys {
    fn derive(password: &Secret<String>, salt: &[u8]) -> Self {
        let mut derived = [0_u8; 80];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ROUNDS,
            salt,
            password.reveal().as_bytes(),
            &mut derived,
        );
        let (mut crypt, mut counter) = ([0; 32], [0; 16]);
        crypt.copy_from_slice(&derived[..32]);
        counter.copy_from_slice(&derived[64..]);
        Self {
            crypt,
            counter,
            sign: hmac::Key::new(hmac::HMAC_SHA256, &derived[32..64]),
        }
    }

    /// Encrypts or decrypts in place: in counter mode both are the same.
    fn apply(&self, text: &mut [u8]) {
        Ctr128BE::<Aes256>::new(&self.crypt.into(), &self.counter.into()).apply_keystream(text);
    }
}

/// In Ansible's words, by which playbooks know it.
fn not_hex(text: &str) -> Error {
    let why = if text.bytes().all(|c| c.is_ascii_hexdigit()) {
        "Odd-length string"
    } else {
        "Non-hexadecimal digit found"
    };
    error(format!(
        "this vault is damaged: Vault format unhexlify error: {why}"
    ))
}

fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Host, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        plain: String,
        password: String,
        id: String,
        salt: String,
        vault: String,
    }

    /// What `ansible-vault` of ansible-core 2.19.14 wrote.
    fn recorded() -> Vec<Case> {
        let cases = include_str!("tests/vault.jsonl").lines().map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| json[name].as_str().unwrap().to_owned();
            Case {
                plain: text("plain"),
                password: text("password"),
                id: text("id"),
                salt: text("salt"),
                vault: text("vault"),
            }
        });
        cases.collect()
    }

    fn keys(list: &[(&str, &str)]) -> VaultKeys {
        let mut keys = VaultKeys::none();
        for (id, password) in list {
            keys.add(*id, Secret::new((*password).to_owned()));
        }
        keys
    }

    #[test]
    fn vaults_of_ansible_are_read_and_written_alike() {
        for case in recorded() {
            let keys = keys(&[("other", "nope"), (&case.id, &case.password)]);
            assert_eq!(keys.decrypt_text(&case.vault).unwrap(), case.plain);
            let id = Some(case.id.as_str());
            let sealed = keys
                .encrypt_with_salt(case.plain.as_bytes(), id, case.salt.as_bytes())
                .unwrap();
            assert_eq!(sealed, case.vault);
            let fresh = keys.encrypt(case.plain.as_bytes(), id).unwrap();
            assert_ne!(fresh, case.vault);
            assert_eq!(keys.decrypt_text(&fresh).unwrap(), case.plain);
        }
    }

    #[test]
    fn a_vault_that_cannot_be_read_says_why() {
        let cases = recorded();
        let (plain, named) = (&cases[0].vault, &cases[1].vault);
        let flipped = plain.replace("3830", "3831");
        let some = keys(&[("dev", "x"), ("test", "y")]);
        for (vault, keys, want) in [
            (
                plain.as_str(),
                &VaultKeys::none(),
                "no vault password was given",
            ),
            (plain, &some, "no vault password fits (tried dev, test)"),
            (named, &some, "encrypted with vault id `prod`"),
            (
                &flipped,
                &keys(&[("default", "secret")]),
                "no vault password fits",
            ),
            ("hello", &some, "a vault starts with"),
            ("$ANSIBLE_VAULT;1.0;AES\n00\n", &some, "format `1.0`"),
            ("$ANSIBLE_VAULT;1.1;AES256\nzz\n", &some, "damaged"),
            ("$ANSIBLE_VAULT;1.1;AES256\n", &some, "damaged"),
            ("$ANSIBLE_VAULT", &some, "format `` is not"),
        ] {
            let error = keys.decrypt(vault).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        assert!(!format!("{some:?}").contains("\"x\""));
    }
}
