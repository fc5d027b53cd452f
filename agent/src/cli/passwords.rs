//! Secrets that flags name: asked for on the terminal, read from files, printed by programs.

use super::run::RunOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::host::here;
use crate::playbook::vault::{DEFAULT_ID, VaultKeys};
use crate::secret::Secret;
use std::path::Path;

/// The keys of vaults: `--vault-id [LABEL@]SOURCE`, `--vault-password-file`, `--ask-vault-password`.
///
/// # Errors
/// When a source cannot be read, or there is no terminal to ask on.
pub fn vault_keys(options: &RunOptions) -> Result<VaultKeys> {
    let mut sources: Vec<(String, String)> = Vec::new();
    for given in &options.vault_ids {
        let (label, source) = given.split_once('@').unwrap_or(("", given));
        sources.push((label.into(), source.into()));
    }
    for file in &options.vault_password_files {
        sources.push((String::new(), file.clone()));
    }
    if options.ask_vault_password {
        sources.push((String::new(), "prompt".into()));
    }
    let mut keys = VaultKeys::none();
    for (label, source) in sources {
        let id = if label.is_empty() { DEFAULT_ID } else { &label };
        keys.add(id, vault_secret(&label, &source)?);
    }
    Ok(keys)
}

fn vault_secret(label: &str, source: &str) -> Result<Secret<String>> {
    if !matches!(source, "prompt" | "prompt_ask_vault_pass") {
        return secret_from(source, Some(label));
    }
    let prompt = match label {
        "" => "Vault password: ".to_string(),
        label => format!("Vault password ({label}): "),
    };
    ask(&prompt)
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
    file.map(|f| secret_from(f, None)).transpose()
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
    file.map(|f| secret_from(f, None)).transpose()
}

fn ask(prompt: &str) -> Result<Secret<String>> {
    match here::ask(prompt, false, None)? {
        Some(text) => Ok(Secret::new(text)),
        None => Err(Error::new(
            ErrorKind::Usage,
            "a password is needed, but there is no terminal to ask on",
        )
        .hint("name a file or a program that gives it")),
    }
}

/// A secret in a file, or printed by a program (a file that may be executed), or from standard input.
fn secret_from(source: &str, label: Option<&str>) -> Result<Secret<String>> {
    let line = |text: &str| Secret::new(text.trim_end_matches(['\r', '\n']).to_string());
    if source == "-" {
        return Ok(line(&here::read_stdin()?));
    }
    let path = here::expand_home(source);
    if here::is_executable(&path) {
        return secret_of_program(&path, label);
    }
    match here::read_text(&path)? {
        Some(text) => Ok(line(&text)),
        None => Err(Error::new(
            ErrorKind::Usage,
            format!("the password file {source} does not exist"),
        )),
    }
}

/// Programs whose name ends in `-client` are told which label is asked for, as Ansible does.
fn secret_of_program(path: &Path, label: Option<&str>) -> Result<Secret<String>> {
    let mut argv = vec![here::absolute(path).display().to_string()];
    let is_client = path
        .file_stem()
        .is_some_and(|s| s.to_string_lossy().ends_with("-client"));
    if let (true, Some(label)) = (is_client, label.filter(|l| !l.is_empty())) {
        argv.extend(["--vault-id".to_string(), label.to_string()]);
    }
    let done = here::run(&argv)?;
    if done.success() {
        let out = done.out();
        return Ok(Secret::new(out.trim_end_matches(['\r', '\n']).to_string()));
    }
    Err(Error::host(format!(
        "the password program {} failed with status {}: {}",
        path.display(),
        done.rc,
        done.err().trim()
    )))
}
