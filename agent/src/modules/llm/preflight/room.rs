//! How much room there is for a file that is not there yet.

use crate::error::Result;
use crate::host::{HostView, Space};
use crate::module::llm::finding::Finding;
use crate::module::llm::share::{Health, is_remote, mount_of};
use std::path::Path;
use std::time::Duration;

const GIB: f64 = (1_u64 << 30) as f64;

/// Whether `need` GiB are free where `path` is or will be, and how many are.
pub fn finding(
    host: &dyn HostView,
    path: &Path,
    need: f64,
    limit: Duration,
) -> Result<(Finding, Option<f64>)> {
    let mount = mount_of(host, path)?;
    let space = match mount.filter(is_remote) {
        Some(mount) => match Health::of(host, &mount.target, limit)? {
            Health::Answers(space) => Some(space),
            silent => return Ok((silent.finding(&mount, limit), None)),
        },
        None => local(host, path)?,
    };
    let Some(space) = space else {
        let what = format!(
            "how much room there is at `{}` is not known",
            path.display()
        );
        return Ok((Finding::warn("disk", what, "look yourself (`df`)"), None));
    };
    let free = space.block as f64 * space.available as f64 / GIB;
    let what = format!(
        "{free:.1} GiB are free at `{}`, and {need:.1} are wanted",
        path.display()
    );
    let finding = match free < need {
        true => Finding::fail(
            "disk",
            what,
            "free some, or enlarge the volume: a fetch would end half-way",
        ),
        false => Finding::ok("disk", what),
    };
    Ok((finding, Some(free)))
}

/// The nearest folder that is there tells.
fn local(host: &dyn HostView, path: &Path) -> Result<Option<Space>> {
    for folder in path.ancestors() {
        if host.stat(folder)?.is_some() {
            return Ok(host.space(folder));
        }
    }
    Ok(None)
}
