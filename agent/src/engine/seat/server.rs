//! The answering side of a seat.

use super::{Ask, Asset, Say, map_of};
use crate::engine::background;
use crate::engine::perform::Performed;
use crate::engine::runner::{LocalRunner, ModuleCall, TaskRunner};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{RealHost, here};
use crate::modules;
use crate::value::{Key, Value};
use base64::Engine as _;
use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Serves calls from `input` until it ends.
///
/// # Errors
/// When the other end cannot be written to.
pub fn serve(input: impl BufRead, output: impl Write) -> Result<()> {
    let output = RefCell::new(output);
    let say = |say: &Say| -> Result<()> {
        let text = serde_json::to_string(say)
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot write an answer").caused_by(e))?;
        let mut out = output.borrow_mut();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(|e| Error::host("the asking side is gone").caused_by(e))
    };
    say(&Say::Ready {
        version: env!("CARGO_PKG_VERSION").into(),
    })?;
    let mut runner = LocalRunner::new();
    for line in input.lines() {
        let line = line.map_err(|e| Error::host("cannot read a call").caused_by(e))?;
        // A call is a mapping. Anything else is a password that nobody asked for.
        if !line.starts_with('{') {
            continue;
        }
        let progress = |news| {
            // News may be lost; the answer may not.
            let _ = say(&Say::from(news));
        };
        match answer(&line, &mut runner, &progress) {
            Ok(done) => say(&Say::Done(Box::new(done.into())))?,
            Err(error) => say(&Say::from(&error))?,
        }
    }
    Ok(())
}

/// Carries out what a line asks.
pub(in crate::engine) fn answer(
    line: &str,
    runner: &mut LocalRunner,
    progress: &dyn Fn(crate::host::Progress),
) -> Result<Performed> {
    let ask: Ask = serde_json::from_str(line)
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot read a call").caused_by(e))?;
    if let (Some(background), false) = (&ask.background, ask.check) {
        // With its files: they must outlive this call.
        let line = ask.clone().foreground().line()?;
        return background::start_line(&line, background, &RealHost::new());
    }
    let module = modules::find(&ask.module)
        .ok_or_else(|| Error::params(format!("no module is called `{}`", ask.module)))?;
    let mode = ask.mode();
    let mut args = map_of(ask.args);
    let folder = Unpacked::new(&ask.assets)?;
    for asset in &ask.assets {
        let mut path = folder.path(asset).display().to_string();
        if asset.slash {
            path.push('/');
        }
        args.insert(Key::from(asset.param.as_str()), Value::from(path));
    }
    let call = ModuleCall {
        module,
        args,
        mode,
        environment: ask.environment,
        probe: ask.probe,
        timeout: ask.timeout,
        background: ask.background,
    };
    runner.run(&call, progress)
}

/// Files that came with a call, in a folder that only this user can read; gone when dropped.
struct Unpacked(Option<PathBuf>);

impl Unpacked {
    fn new(assets: &[Asset]) -> Result<Self> {
        if assets.is_empty() {
            return Ok(Self(None));
        }
        let folder = Self(Some(here::private_folder()?));
        for asset in assets {
            let top = folder.path(asset);
            for entry in &asset.entries {
                let path = if entry.path.is_empty() {
                    top.clone()
                } else {
                    top.join(below(&entry.path)?)
                };
                match &entry.data {
                    None => here::make_dir(&path, entry.mode)?,
                    Some(data) => {
                        let bytes = base64::engine::general_purpose::STANDARD
                            .decode(data)
                            .map_err(|e| Error::host("a file came broken").caused_by(e))?;
                        here::write(&path, &bytes, entry.mode)?;
                    }
                }
            }
        }
        Ok(folder)
    }

    fn path(&self, asset: &Asset) -> PathBuf {
        let folder = self.0.clone().unwrap_or_default();
        folder.join(&asset.param).join(&asset.name)
    }
}

/// A path that stays below the folder it is joined to.
fn below(path: &str) -> Result<&Path> {
    let path = Path::new(path);
    let plain = path
        .components()
        .all(|c| matches!(c, std::path::Component::Normal(_)));
    if plain {
        Ok(path)
    } else {
        Err(Error::host(format!("{} leads elsewhere", path.display())))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            here::remove_folder(folder);
        }
    }
}
