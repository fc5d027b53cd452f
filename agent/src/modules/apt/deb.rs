//! Package files, from the host or from the web.

use super::{ARCHIVES, Apt, State};
use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Download, Effect, HostView, Outcome, Request};
use crate::module::{Plan, PlanCx};
use std::path::{Path, PathBuf};

impl Apt {
    /// Package files: apt-get installs them with what they need.
    ///
    /// # Errors
    /// When a file is no package, or is not wanted in this state.
    pub(super) fn plan_deb(&self, cx: &PlanCx<'_>, deb: &str, plan: &mut Plan) -> Result<()> {
        if self.state != State::Present {
            return Err(Error::params("deb only supports state=present"));
        }
        let (mut paths, mut fetched) = (Vec::new(), Vec::new());
        for one in deb.split(',').map(str::trim).filter(|d| !d.is_empty()) {
            if !one.contains("://") {
                paths.push(PathBuf::from(one));
                continue;
            }
            let path = fetched_path(one);
            if cx.check {
                return Err(Error::unknown(format!(
                    "`{one}` is not fetched in check mode"
                )));
            }
            fetched.push((one, path.clone()));
            paths.push(path);
        }
        let missing: Vec<_> = fetched
            .iter()
            .filter(|_| !was_fetched(cx.outcomes))
            .collect();
        if !missing.is_empty() {
            for (url, path) in missing {
                plan.act(download(url, path));
            }
            plan.more = true;
            return Ok(());
        }
        let mut wanted = Vec::new();
        for path in &paths {
            if !is_installed(cx.host, path)? {
                wanted.push(path.to_string_lossy().into_owned());
            }
        }
        if !wanted.is_empty() {
            let mut argv = self.apt_get(cx.host)?;
            argv.push("install".into());
            argv.append(&mut wanted);
            self.act(cx, argv, plan)?;
        }
        for (_, path) in fetched {
            plan.act(Effect::Remove { path });
        }
        Ok(())
    }
}

/// Whether exactly this version of the package in the file is installed.
fn is_installed(host: &dyn HostView, path: &Path) -> Result<bool> {
    let words = [
        "dpkg-deb".to_string(),
        "--field".into(),
        path.to_string_lossy().into_owned(),
    ];
    let fields = ["Package", "Version"].map(String::from);
    let output =
        host.query(&Command::new(words.into_iter().chain(fields)).env("LC_ALL", "C.UTF-8"))?;
    if !output.success() {
        return Err(Error::host(format!(
            "Unable to install package: {}",
            output.err().trim()
        )));
    }
    let text = output.out();
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.map(|v| v.trim().to_string()).unwrap_or_default()
    };
    let installed = host.package(&field("Package:"))?;
    Ok(installed.is_some_and(|p| p.version.is_some_and(|v| v == field("Version:"))))
}

/// Where a package file from the web lies meanwhile: apt's own folder, which only root can write.
fn fetched_path(url: &str) -> PathBuf {
    let name = url
        .split(['?', '#'])
        .next()
        .and_then(|u| u.rsplit('/').next());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._+~-".contains(*c))
        .collect();
    Path::new(ARCHIVES)
        .join("partial")
        .join(format!("lks-{}.deb", name.trim_end_matches(".deb")))
}

fn was_fetched(outcomes: &[Outcome]) -> bool {
    outcomes
        .iter()
        .any(|o| matches!(o, Outcome::Downloaded { .. }))
}

fn download(url: &str, dest: &Path) -> Effect {
    Effect::Download(Box::new(Download {
        request: Request::new("GET", url),
        dest: dest.into(),
        checksum: None,
        attrs: Attrs {
            mode: Some(0o644),
            ..Attrs::default()
        },
        backup: false,
        tmp_dir: None,
        if_modified_since: None,
        attempts: 5,
        in_place: false,
    }))
}
