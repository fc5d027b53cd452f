//! Logging in: keys that are named, the keys of an agent, the user's own keys, a password.

use super::session::Client;
use super::target::Target;
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use russh::client::{Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that are tried when none is named.
const OWN_KEYS: &[&str] = &["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"];

/// A key that was read from a file.
#[derive(Clone)]
enum Loaded {
    Key(Arc<PrivateKey>),
    /// It needs a passphrase, and this is its text.
    Locked(String),
    Missing,
    Unusable(String),
}

/// Keys that were read already: a passphrase is asked for once.
#[derive(Default)]
pub struct Keyring(Mutex<HashMap<PathBuf, Loaded>>);

impl Keyring {
    fn load(&self, path: &Path) -> Loaded {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.entry(path.to_path_buf())
            .or_insert_with(|| read(path))
            .clone()
    }

    /// Asks for the passphrase of a key, if there is somebody to ask.
    fn unlock(&self, path: &Path) -> Result<Loaded> {
        // Held while the user types: two hosts never ask for the same key at once.
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Loaded::Locked(text)) = keys.get(path).cloned() else {
            return Ok(keys.get(path).cloned().unwrap_or(Loaded::Missing));
        };
        let prompt = format!("Enter passphrase for key '{}': ", path.display());
        let loaded = match here::ask(&prompt, false)? {
            None => return Ok(Loaded::Locked(text)),
            Some(phrase) => match russh::keys::decode_secret_key(&text, Some(&phrase)) {
                Ok(key) => Loaded::Key(Arc::new(key)),
                Err(_) => Loaded::Unusable("the passphrase does not open it".into()),
            },
        };
        keys.insert(path.to_path_buf(), loaded.clone());
        Ok(loaded)
    }
}

fn read(path: &Path) -> Loaded {
    let text = match here::read_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Loaded::Missing,
        Err(error) => return Loaded::Unusable(error.message()),
    };
    match russh::keys::decode_secret_key(&text, None) {
        Ok(key) => Loaded::Key(Arc::new(key)),
        // Files of the old form fail in other words when they are locked.
        Err(_) if text.contains("ENCRYPTED") => Loaded::Locked(text),
        Err(russh::keys::Error::KeyIsEncrypted) => Loaded::Locked(text),
        Err(error) => Loaded::Unusable(error.to_string()),
    }
}

/// One try to log in at one host.
pub struct Attempt<'a> {
    session: &'a mut Handle<Client>,
    target: &'a Target,
    keys: &'a Keyring,
    hash: Option<HashAlg>,
    /// What was offered, for the error.
    offered: Vec<String>,
}

/// Logs in.
///
/// # Errors
/// When the host takes nothing of what there is to offer.
pub async fn log_in(session: &mut Handle<Client>, target: &Target, keys: &Keyring) -> Result<()> {
    let mut attempt = Attempt {
        session,
        target,
        keys,
        hash: None,
        offered: Vec::new(),
    };
    match attempt.all().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(attempt.refused(None)),
        Err(error) => Err(attempt.refused(Some(error))),
    }
}

impl Attempt<'_> {
    async fn all(&mut self) -> Result<bool, russh::Error> {
        // Some hosts want nothing; the others say what they take.
        if self
            .session
            .authenticate_none(&self.target.user)
            .await?
            .success()
        {
            return Ok(true);
        }
        self.hash = self.session.best_supported_rsa_hash().await?.flatten();
        let named = !self.target.keys.is_empty();
        let mut files = self.target.keys.clone();
        let mut locked = Vec::new();
        if self.try_files(&files, named, &mut locked).await? || self.try_agent().await? {
            return Ok(true);
        }
        if !named {
            files = OWN_KEYS.iter().map(|f| here::expand_home(f)).collect();
            if self.try_files(&files, named, &mut locked).await? {
                return Ok(true);
            }
        }
        Ok(self.try_locked(&locked).await? || self.try_password().await?)
    }

    async fn try_files(
        &mut self,
        files: &[PathBuf],
        named: bool,
        locked: &mut Vec<PathBuf>,
    ) -> Result<bool, russh::Error> {
        for path in files {
            match self.keys.load(path) {
                Loaded::Key(key) if self.try_key(path, &key).await? => return Ok(true),
                Loaded::Key(_) => {}
                Loaded::Locked(_) => locked.push(path.clone()),
                Loaded::Missing if named => self.offer(path, "there is no such file"),
                Loaded::Missing => {}
                Loaded::Unusable(why) => self.offer(path, &why),
            }
        }
        Ok(false)
    }

    fn offer(&mut self, path: &Path, more: &str) {
        self.offered.push(format!("{} ({more})", path.display()));
    }

    /// A key, its certificate first if there is one beside it.
    async fn try_key(&mut self, path: &Path, key: &Arc<PrivateKey>) -> Result<bool, russh::Error> {
        self.offered.push(path.display().to_string());
        let beside = PathBuf::from(format!("{}-cert.pub", path.display()));
        let certificate = here::read_text(&beside).ok().flatten();
        if let Some(certificate) = certificate.and_then(|t| Certificate::from_openssh(&t).ok()) {
            let user = &self.target.user;
            let key = Arc::clone(key);
            let done = self
                .session
                .authenticate_openssh_cert(user, key, certificate)
                .await?;
            if done.success() {
                return Ok(true);
            }
        }
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), self.hash);
        let done = self
            .session
            .authenticate_publickey(&self.target.user, key)
            .await?;
        Ok(done.success())
    }

    async fn try_agent(&mut self) -> Result<bool, russh::Error> {
        let Ok(mut agent) = AgentClient::connect_env().await else {
            return Ok(false);
        };
        let only = self.target.only_these_keys.then(|| self.public_keys());
        for identity in agent.request_identities().await.unwrap_or_default() {
            let public = identity.public_key().into_owned();
            let is_named =
                |known: &Vec<PublicKey>| known.iter().any(|k| k.key_data() == public.key_data());
            if only.as_ref().is_some_and(|known| !is_named(known)) {
                continue;
            }
            self.offered
                .push(format!("{} of the agent", identity.comment()));
            let user = &self.target.user;
            let hash = self.hash.filter(|_| public.algorithm().is_rsa());
            let done = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    let agent = &mut agent;
                    self.session
                        .authenticate_publickey_with(user, key, hash, agent)
                        .await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    let agent = &mut agent;
                    self.session
                        .authenticate_certificate_with(user, certificate, hash, agent)
                        .await
                }
            };
            // An agent that does not sign (a key that must be confirmed) leaves the other ways open.
            if done.is_ok_and(|d| d.success()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The public halves of the named keys.
    fn public_keys(&self) -> Vec<PublicKey> {
        let files = self.target.keys.iter();
        files
            .filter_map(|path| {
                let text = here::read_text(&PathBuf::from(format!("{}.pub", path.display())));
                PublicKey::from_openssh(&text.ok()??).ok()
            })
            .collect()
    }

    async fn try_locked(&mut self, locked: &[PathBuf]) -> Result<bool, russh::Error> {
        for path in locked {
            match self.keys.unlock(path) {
                Ok(Loaded::Key(key)) if self.try_key(path, &key).await? => return Ok(true),
                Ok(Loaded::Key(_)) => {}
                Ok(Loaded::Unusable(why)) => self.offer(path, &why),
                Ok(_) => self.offer(
                    path,
                    "it needs a passphrase, and there is no terminal to ask on",
                ),
                Err(error) => self.offer(path, &error.message()),
            }
        }
        Ok(false)
    }

    async fn try_password(&mut self) -> Result<bool, russh::Error> {
        let Some(password) = &self.target.password else {
            return Ok(false);
        };
        self.offered.push("the password".into());
        let (user, text) = (&self.target.user, password.reveal());
        if self
            .session
            .authenticate_password(user, text)
            .await?
            .success()
        {
            return Ok(true);
        }
        let mut answer = self
            .session
            .authenticate_keyboard_interactive_start(user, None)
            .await?;
        // A host that asks for more than a password is not to be asked for ever.
        for _ in 0..3 {
            match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| text.clone()).collect();
                    answer = self
                        .session
                        .authenticate_keyboard_interactive_respond(answers)
                        .await?;
                }
            }
        }
        Ok(false)
    }

    fn refused(&self, cause: Option<russh::Error>) -> Error {
        let offered = match self.offered.as_slice() {
            [] => "there is no key and no password to offer".to_string(),
            some => format!("it takes none of what was offered: {}", some.join(", ")),
        };
        let Target {
            user,
            address,
            port,
            ..
        } = self.target;
        let error = self
            .target
            .unreachable(format!("logging in as {user} failed; {offered}"))
            .hint(format!("does `ssh -p {port} {user}@{address}` work?"))
            .hint("name a key with --private-key, a user with -u, or give a password with -k");
        match cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}
