//! What `vault` does with files.

use super::{Action, Done, Lock, Work, options, same_lock};
use crate::cli::app::Io;
use crate::error::{Error, Result};
use crate::host::here;
use crate::module::shlex;
use crate::playbook::vault::{Opened, VaultKeys, is_vault};
use std::path::{Path, PathBuf};

/// The permission bits of new files.
const PRIVATE: u32 = 0o600;

impl Work<'_> {
    pub(super) fn encrypt(&self, io: &mut Io<'_>) -> Done<()> {
        let lock = self.lock(io)?;
        self.announce("Reading plaintext input from stdin", io);
        for file in self.files() {
            let plain = read(file)?;
            if is_vault(&String::from_utf8_lossy(&plain)) {
                return Err(Error::host("input is already encrypted")
                    .context(file)
                    .into());
            }
            let sealed = self.seal(&plain, &lock)?;
            // The plain text is gone from where it was, if it was the same file.
            write(
                self.flag("output").unwrap_or(file),
                sealed.as_bytes(),
                true,
                io,
            )?;
        }
        self.success("Encryption successful", io);
        Ok(())
    }

    pub(super) fn decrypt(&self, io: &mut Io<'_>) -> Done<()> {
        let keys = self.keys(io)?;
        self.announce("Reading ciphertext input from stdin", io);
        for file in self.files() {
            let opened = open(file, &keys)?;
            write(
                self.flag("output").unwrap_or(file),
                &opened.plain,
                false,
                io,
            )?;
        }
        self.success("Decryption successful", io);
        Ok(())
    }

    pub(super) fn view(&self, io: &mut Io<'_>) -> Done<()> {
        let keys = self.keys(io)?;
        for file in self.args {
            let opened = open(file, &keys)?;
            page(&String::from_utf8_lossy(&opened.plain), io)?;
        }
        Ok(())
    }

    pub(super) fn create(&self, io: &mut Io<'_>) -> Done<()> {
        let [file] = self.args else {
            return options("ansible-vault create can take only one filename argument");
        };
        let lock = self.lock(io)?;
        if !here::stdout_is_terminal() && self.flag("skip-tty-check").is_none() {
            return options("not a tty, editor cannot be opened");
        }
        let path = here::expand_home(file);
        if here::is_file(&path) {
            return Err(Error::host(format!("{file} exists, please use 'edit' instead")).into());
        }
        let dir = path
            .parent()
            .filter(|d| !d.as_os_str().is_empty() && !here::is_dir(d));
        if let Some(dir) = dir {
            io.complain(&format!(
                "[WARNING]: {} does not exist, creating...\n",
                dir.display()
            ));
            here::make_dir(dir, 0o700)?;
        }
        let written = self.edited(&path, b"")?.unwrap_or_default();
        let sealed = self.seal(&written, &lock)?;
        here::rewrite(&path, sealed.as_bytes(), PRIVATE, false)?;
        Ok(())
    }

    pub(super) fn edit(&self, io: &mut Io<'_>) -> Done<()> {
        let keys = self.keys(io)?;
        for file in self.args {
            let opened = open(file, &keys)?;
            let path = here::real_path(&here::expand_home(file));
            // What was not changed is not encrypted anew.
            if let Some(changed) = self.edited(&path, &opened.plain)? {
                let sealed = self.seal(&changed, &same_lock(&opened))?;
                here::rewrite(&path, sealed.as_bytes(), PRIVATE, false)?;
            }
        }
        Ok(())
    }

    pub(super) fn rekey(&self, io: &mut Io<'_>) -> Done<()> {
        let keys = self.keys(io)?;
        let lock: Lock = self.new_lock(io)?;
        for file in self.args {
            let opened = open(file, &keys)?;
            let sealed = self.seal(&opened.plain, &lock)?;
            write(file, sealed.as_bytes(), false, io)?;
        }
        self.success("Rekey successful", io);
        Ok(())
    }

    /// The files to work on; without any, standard input.
    fn files(&self) -> impl Iterator<Item = &str> {
        let none = self.args.is_empty().then_some("-");
        self.args.iter().map(String::as_str).chain(none)
    }

    fn announce(&self, text: &str, io: &mut Io<'_>) {
        if self.args.is_empty() && here::stdin_is_terminal() {
            io.complain(&format!("{text}\n"));
        }
    }

    pub(super) fn success(&self, text: &str, io: &mut Io<'_>) {
        if here::stdout_is_terminal() {
            io.complain(&format!("{text}\n"));
        }
    }

    /// What the user's editor makes of a text; nothing if that is what it was. The text lies in a
    /// folder that nobody else can enter, and is overwritten afterwards, come what may.
    fn edited(&self, path: &Path, text: &[u8]) -> Result<Option<Vec<u8>>> {
        let folder = Folder(here::private_folder()?);
        let name = path.file_name().unwrap_or_default();
        let file = folder.0.join(name);
        here::write(&file, text, PRIVATE)?;
        let shown = file.display().to_string();
        let mut argv = shlex::split(&self.settings.editor).map_err(|why| {
            Error::host(format!("`{}` is no editor: {why}", self.settings.editor))
        })?;
        argv.push(shown);
        let status = here::run_interactive(&argv, None)?;
        if status != 0 {
            return Err(Error::host(format!(
                "Unable to execute the command \"{}\": it ended with {status}",
                argv.join(" ")
            )));
        }
        let now = here::read(&file)?.ok_or_else(|| Error::host("the editor left no file"))?;
        // A new vault is written even if nothing was.
        Ok((now != text || self.action == Action::Create).then_some(now))
    }
}

/// A folder of plain text, which does not outlive this.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        for name in here::list(&self.0).unwrap_or_default() {
            here::shred(&self.0.join(name));
        }
        here::remove_folder(&self.0);
    }
}

/// The content of a file, or of standard input (`-`).
fn read(file: &str) -> Result<Vec<u8>> {
    if file == "-" {
        return here::read_stdin_bytes();
    }
    here::read(&here::expand_home(file))?.ok_or_else(|| {
        Error::host(format!(
            "Unable to read source file ({file}): it does not exist"
        ))
    })
}

/// What is in a vault.
fn open(file: &str, keys: &VaultKeys) -> Result<Opened> {
    let text = read(file)?;
    let opened = String::from_utf8(text)
        .ok()
        .filter(|text| is_vault(text.trim_start()))
        .ok_or_else(|| Error::host("Input is not vault encrypted data."));
    opened
        .and_then(|text| keys.open(&text))
        .map_err(|error| error.context(file))
}

fn write(file: &str, bytes: &[u8], shred: bool, io: &mut Io<'_>) -> Result<()> {
    if file == "-" {
        // A reader that went away is no error.
        let _ = io.out.write_all(bytes).and_then(|()| io.out.flush());
        return Ok(());
    }
    here::rewrite(&here::expand_home(file), bytes, PRIVATE, shred)
}

/// Shows text, page by page on a terminal.
fn page(text: &str, io: &mut Io<'_>) -> Result<()> {
    if here::stdout_is_terminal() {
        let pager = here::env("PAGER").filter(|p| !p.is_empty());
        let pager = pager.or_else(|| here::has_program("less").then(|| "less -FRSX".to_owned()));
        if let Some(pager) = pager {
            let argv = ["/bin/sh", "-c", &pager].map(String::from);
            here::run_interactive(&argv, Some(text.as_bytes()))?;
            return Ok(());
        }
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    io.print(&format!("{text}{end}"));
    Ok(())
}
