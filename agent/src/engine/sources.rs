//! What inventories ask of the machine where commands are typed: files, scripts, EC2.

use super::parallel;
use crate::caller::Caller;
use crate::cloud::{self, Cloud};
use crate::error::Result;
use crate::host::{RealHost, here};
use crate::inventory::{AskEc2, Files, ScriptOutput};
use crate::value::Map;
use std::path::Path;

/// How many regions are asked at the same time.
const AT_ONCE: usize = 16;

/// Files as inventories ask for them.
#[derive(Clone, Copy, Debug)]
pub struct InventoryFiles;

impl Files for InventoryFiles {
    fn read(&self, path: &Path) -> Result<Option<String>> {
        if here::is_dir(path) {
            return Ok(None);
        }
        here::read_text(path)
    }
    fn list(&self, dir: &Path) -> Result<Option<Vec<String>>> {
        Ok(here::list(dir))
    }
    fn is_executable(&self, path: &Path) -> bool {
        here::is_executable(path)
    }
    fn run(&self, script: &Path, arguments: &[&str]) -> Result<ScriptOutput> {
        let mut argv = vec![here::absolute(script).display().to_string()];
        argv.extend(arguments.iter().map(ToString::to_string));
        let done = here::run(&argv)?;
        Ok(ScriptOutput {
            status: Some(done.rc),
            stdout: done.stdout.clone(),
            stderr: done.err(),
        })
    }
    fn instances(&self, asked: &AskEc2) -> Result<Vec<Map>> {
        // One for all: whom HTTPS trusts is read once.
        let host = RealHost::new();
        let found = parallel::map(asked.regions.len(), AT_ONCE, |i| {
            let cloud = Cloud::of(&asked.caller, &host);
            match cloud::instances(&cloud, &asked.regions[i], &asked.filters) {
                Err(e) if asked.skip_denied && cloud::is_denied(&e) => Ok(Vec::new()),
                found => found,
            }
        });
        let found: Vec<Vec<Map>> = found.into_iter().collect::<Result<_>>()?;
        Ok(found.concat())
    }

    fn regions(&self, caller: &Caller) -> Result<Vec<String>> {
        cloud::regions(&Cloud::of(caller, &RealHost::new()))
    }
}
