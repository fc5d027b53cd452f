//! What a fake host was told to answer, and what it was asked.

use super::digest::digest_of;
use super::tree::new_stat;
use super::*;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) type Answer = Box<dyn Fn(&Command) -> Option<Output> + Send + Sync>;

/// The bottom of a fake host.
#[derive(Default)]
pub(super) struct Script {
    state: Mutex<State>,
}

/// What a server answers.
#[derive(Clone, Default)]
pub(super) struct Served {
    /// Any, if empty.
    pub method: String,
    pub url: String,
    /// A part that the request's body must have.
    pub asked: String,
    /// A part of the body of a request that must have come before.
    pub after: String,
    pub response: Response,
}

impl Served {
    fn fits(&self, request: &Request, before: &[Request]) -> bool {
        let has = |request: &Request, part: &str| {
            let body = request.body.as_deref().unwrap_or_default();
            String::from_utf8_lossy(body).contains(part)
        };
        self.url == request.url
            && (self.method.is_empty() || self.method == request.method)
            && has(request, &self.asked)
            && (self.after.is_empty() || before.iter().any(|r| has(r, &self.after)))
    }
}

/// Answers and logs.
#[derive(Default)]
pub(super) struct State {
    pub answers: Vec<Answer>,
    pub responses: Vec<Served>,
    pub ports: BTreeSet<u16>,
    pub assets: BTreeMap<PathBuf, Vec<u8>>,
    pub environment: BTreeMap<String, String>,
    pub ran: Vec<Command>,
    pub queried: Vec<Command>,
    pub requested: Vec<Request>,
    pub now: f64,
    pub uid: u32,
}

impl Script {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn answer(&self, command: &Command) -> Option<Output> {
        let state = self.state();
        let mut output = state.answers.iter().rev().find_map(|a| a(command))?;
        (output.start, output.end) = (state.now, state.now);
        Some(output)
    }

    pub fn respond(&self, request: &Request) -> Result<Response> {
        let mut state = self.state();
        state.requested.push(request.clone());
        let found = state
            .responses
            .iter()
            .rev()
            .find(|served| served.fits(request, &state.requested));
        found.map(|served| served.response.clone()).ok_or_else(|| {
            Error::host(format!(
                "cannot connect to {}: connection refused",
                request.url
            ))
        })
    }
}

/// The bottom of a fake: an empty machine that answers what it was told to.
impl HostView for Script {
    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        let root = path == Path::new("/");
        Ok(root.then(|| new_stat(FileKind::Dir, 0o755, 0, 0, self.state().now)))
    }
    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.lstat(path)
    }
    fn read(&self, _: &Path) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn digest(&self, _: &Path, _: Digest) -> Result<Option<String>> {
        Ok(None)
    }
    fn read_link(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(None)
    }
    fn list(&self, _: &Path) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
    fn access(&self, path: &Path, _: u32) -> Result<bool> {
        Ok(path == Path::new("/"))
    }
    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }
    fn user(&self, _: &str) -> Result<Option<User>> {
        Ok(None)
    }
    fn user_by_id(&self, _: u32) -> Result<Option<User>> {
        Ok(None)
    }
    fn group(&self, _: &str) -> Result<Option<Group>> {
        Ok(None)
    }
    fn group_by_id(&self, _: u32) -> Result<Option<Group>> {
        Ok(None)
    }
    fn groups_of(&self, _: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn current_uid(&self) -> u32 {
        self.state().uid
    }
    fn package(&self, _: &str) -> Result<Option<Package>> {
        Ok(None)
    }
    fn unit(&self, _: UnitScope, name: &str) -> Result<Unit> {
        let mut unit = Unit::default();
        let properties = &mut unit.properties;
        properties.insert("Id".to_owned(), name.to_owned());
        properties.insert("LoadState".to_owned(), "not-found".to_owned());
        properties.insert("ActiveState".to_owned(), "inactive".to_owned());
        Ok(unit)
    }
    fn mounts(&self) -> Result<Vec<MountEntry>> {
        Ok(Vec::new())
    }
    fn query(&self, command: &Command) -> Result<Output> {
        self.state().queried.push(command.clone());
        self.answer(command).ok_or_else(|| {
            Error::host(format!(
                "no such program on the fake host: {}",
                command.argv.join(" ")
            ))
        })
    }
    fn fetch(&self, request: &Request) -> Result<Response> {
        self.respond(request)
    }
    fn which(&self, _: &str) -> Result<Option<PathBuf>> {
        Ok(None)
    }
    fn env(&self, name: &str) -> Option<String> {
        self.state().environment.get(name).cloned()
    }
    fn now(&self) -> f64 {
        self.state().now
    }
    fn asset(&self, path: &Path) -> Result<Option<Stat>> {
        let state = self.state();
        let stat = |kind, size| {
            let mode = if kind == FileKind::Dir { 0o755 } else { 0o644 };
            Stat {
                size,
                ..new_stat(kind, mode, 0, 0, state.now)
            }
        };
        if let Some(content) = state.assets.get(path) {
            return Ok(Some(stat(FileKind::File, content.len() as u64)));
        }
        let is_dir = state.assets.keys().any(|p| p.starts_with(path));
        Ok(is_dir.then(|| stat(FileKind::Dir, 0)))
    }
    fn asset_read(&self, path: &Path) -> Result<Vec<u8>> {
        let content = self.state().assets.get(path).cloned();
        content.ok_or_else(|| Error::host(format!("no such file: {}", path.display())))
    }
    fn asset_digest(&self, path: &Path, algorithm: Digest) -> Result<String> {
        Ok(digest_of(&self.asset_read(path)?, algorithm))
    }
    fn asset_list(&self, path: &Path) -> Result<Vec<String>> {
        let state = self.state();
        let names: BTreeSet<String> = state
            .assets
            .keys()
            .filter_map(|p| p.strip_prefix(path).ok()?.components().next())
            .map(|c| c.as_os_str().to_string_lossy().into_owned())
            .collect();
        Ok(names.into_iter().collect())
    }
}
