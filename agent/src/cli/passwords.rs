//! Secrets that flags name: asked for on the terminal, read from files, printed by programs.

use super::run::RunOptions;
use crate::error::{Error, Result};
use crate::host::here;
use crate::playbook::vault::{DEFAULT_ID, VaultKeys};
use crate::secret::Secret;
use std::path::Path;

/// Where vault passwords come from.
#[derive(Clone, Debug, Default)]
pub(super) struct VaultSources {
    /// `[LABEL@]SOURCE`.
    pub ids: Vec<String>,
    /// Files and programs.
    pub files: Vec<String>,
    /// Ask on the terminal.
    pub ask: bool,
    /// Ask if there is nothing else.
    pub ask_at_last: bool,
    /// The password is a new one: ask twice.
    pub new: bool,
    /// The label of passwords without one.
    pub identity: String,
    /// Only a password of a vault's own label opens it.
    pub match_ids: bool,
}

impl VaultSources {
    /// Those that a command's options name.
    pub fn of(options: &RunOptions) -> Self {
        Self {
            ids: options.vault_ids.clone(),
            files: options.vault_password_files.clone(),
            ask: options.ask_vault_password,
            identity: match options.vault_identity.as_str() {
                "" => DEFAULT_ID.to_owned(),
                identity => identity.to_owned(),
            },
            match_ids: options.vault_id_match,
            ..Self::default()
        }
    }

    /// Reads them all, in order; says which could not be read. As in Ansible, one that can be read is
    /// enough.
    ///
    /// # Errors
    /// When none can be read, or the user is to be asked and cannot be.
    pub fn read(&self, warn: &mut dyn FnMut(String)) -> Result<VaultKeys> {
        let mut keys = VaultKeys::none();
        if self.match_ids {
            keys.match_ids();
        }
        let split = |given: &String| match given.split_once('@') {
            Some((label, source)) => (label.to_owned(), source.trim().to_owned()),
            None => (String::new(), given.clone()),
        };
        let mut sources: Vec<(String, String)> = self.ids.iter().map(split).collect();
        sources.extend(self.files.iter().map(|f| (String::new(), f.clone())));
        if self.ask || (sources.is_empty() && self.ask_at_last) {
            sources.push((String::new(), ASK.into()));
        }
        let mut last = None;
        for (label, source) in sources {
            let label = label.trim();
            let id = if label.is_empty() {
                self.identity.as_str()
            } else {
                label
            };
            if matches!(source.as_str(), "prompt" | ASK) {
                keys.add(id, self.asked(id, &source)?);
                continue;
            }
            match secret_from(&source, Some(label), &keys) {
                Ok(secret) => keys.add(id, secret),
                Err((what, error)) => {
                    warn(format!(
                        "{what} ({}): {error}",
                        if label.is_empty() { "None" } else { label }
                    ));
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if keys.is_empty() => Err(error),
            _ => Ok(keys),
        }
    }

    fn asked(&self, id: &str, source: &str) -> Result<Secret<String>> {
        let prompts = match (self.new, source == ASK) {
            (false, true) => ["Vault password: ".to_owned(), String::new()],
            (false, false) => [format!("Vault password ({id}): "), String::new()],
            (true, true) => [
                "New Vault password: ".into(),
                "Confirm New Vault password: ".into(),
            ],
            (true, false) => [
                format!("New vault password ({id}): "),
                format!("Confirm new vault password ({id}): "),
            ],
        };
        let first = ask(&prompts[0])?;
        let first = Secret::new(first.reveal().trim().to_owned());
        if first.reveal().is_empty() {
            return Err(Error::host(
                "Invalid vault password was provided: it is empty",
            ));
        }
        if self.new && ask(&prompts[1])?.reveal().trim() != first.reveal() {
            return Err(Error::host("Passwords do not match"));
        }
        Ok(first)
    }
}

/// The source that `--ask-vault-password` stands for.
const ASK: &str = "prompt_ask_vault_pass";

/// The keys of vaults: `--vault-id [LABEL@]SOURCE`, `--vault-password-file`, `--ask-vault-password`.
///
/// # Errors
/// When no source can be read, or there is nobody to ask.
pub fn vault_keys(options: &RunOptions) -> Result<VaultKeys> {
    VaultSources::of(options).read(&mut |text| here::print_error(&format!("[WARNING]: {text}")))
}

/// The password for `become`, if one was asked for.
///
/// # Errors
/// As [`vault_keys`].
pub fn become_password(options: &RunOptions) -> Result<Option<Secret<String>>> {
    if options.ask_become_pass {
        return ask("BECOME password: ").map(Some);
    }
    let file = options.become_password_file.as_deref();
    file.map(plain_secret).transpose()
}

/// The password to log in with, if one was asked for (`-k`) or a file holds it.
///
/// # Errors
/// As [`vault_keys`].
pub fn login_password(options: &RunOptions) -> Result<Option<Secret<String>>> {
    if options.ask_pass {
        return ask("SSH password: ").map(Some);
    }
    let file = options.connection_password_file.as_deref();
    file.map(plain_secret).transpose()
}

fn ask(prompt: &str) -> Result<Secret<String>> {
    match here::ask_password(prompt)? {
        Some(text) => Ok(Secret::new(text)),
        None => Err(
            Error::host("a password is needed, but there is nobody to ask")
                .hint("name a file or a program that gives it"),
        ),
    }
}

/// A password for logging in or becoming.
fn plain_secret(source: &str) -> Result<Secret<String>> {
    secret_from(source, None, &VaultKeys::none()).map_err(|(_, error)| error)
}

/// What Ansible says of a source that is not there, and of one that cannot be read.
const GETTING: &str = "Error getting vault password file";
const LOADING: &str = "Error in vault password file loading";

/// A secret in a file, or printed by a program (a file that may be executed), or from standard input.
/// The file may be a vault for which `keys` has a password.
fn secret_from(
    source: &str,
    label: Option<&str>,
    keys: &VaultKeys,
) -> Result<Secret<String>, (&'static str, Error)> {
    let at = |what: &'static str| move |error: Error| (what, error);
    if source == "-" {
        return here::read_stdin()
            .and_then(|text| secret(&text, "standard input"))
            .map_err(at(LOADING));
    }
    // An empty name means the working directory, as a path does.
    let path = here::expand_home(if source.is_empty() { "." } else { source });
    if here::is_dir(&path) {
        return Err(at(GETTING)(Error::host(format!(
            "The vault password file provided '{}' can not be a directory",
            path.display()
        ))));
    }
    if here::is_executable(&path) {
        return secret_of_program(&path, label).map_err(at(LOADING));
    }
    let text = match here::read_text(&path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            return Err(at(GETTING)(Error::host(format!(
                "The password file {source} does not exist: the vault password file {source} was not found"
            ))));
        }
        Err(error) => return Err(at(LOADING)(error)),
    };
    let text = keys.open_text(text);
    text.and_then(|text| secret(&text, &format!("file ({source})")))
        .map_err(at(LOADING))
}

/// A password without the white space around it; an empty one is none.
fn secret(text: &str, whence: &str) -> Result<Secret<String>> {
    match text.trim() {
        "" => Err(Error::host(format!(
            "Invalid vault password was provided from {whence}: it is empty"
        ))),
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// Programs whose name ends in `-client` are told which label is asked for, as Ansible does.
fn secret_of_program(path: &Path, label: Option<&str>) -> Result<Secret<String>> {
    let mut argv = vec![here::absolute(path).display().to_string()];
    let is_client = path
        .file_stem()
        .is_some_and(|s| s.to_string_lossy().ends_with("-client"));
    let label = label.filter(|l| !l.is_empty());
    if let (true, Some(label)) = (is_client, label) {
        argv.extend(["--vault-id".to_string(), label.to_string()]);
    }
    let done = here::run_in_front(&argv)?;
    let shown = path.display();
    if done.success() {
        return secret(&done.out(), &format!("script ({shown})"));
    }
    let said = done.err();
    let said = said.trim();
    let what = format!("{shown} returned non-zero ({}): {said}", done.rc);
    Err(Error::host(match (is_client, label) {
        (true, Some(label)) if done.rc == 2 => format!(
            "Vault password client script {shown} did not find a secret for vault-id={label}: {said}"
        ),
        (true, _) => format!("Vault password client script {what}"),
        (false, _) => format!("Vault password script {what}"),
    }))
}
