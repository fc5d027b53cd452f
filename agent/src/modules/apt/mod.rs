//! `ansible.builtin.apt`.
//!
//! `spec` reads what the playbook writes for a package, `simulate` what apt would do about it, `run`
//! makes the commands; the script beside them tries an update out.

mod deb;
mod index;
mod run;
mod simulate;
mod spec;
mod version;

use crate::error::{Error, Result};
use crate::host::{Command, Consequence, HostView, Outcome, Output};
use crate::module::apt::{failed, lists_changed};
use crate::module::{Change, Diff, Module, Plan, PlanCx, Returns, Rule};
use crate::{choices, params};
use index::{has_archives, has_leftovers, lists_are_unknown, update_time};
use std::path::{Path, PathBuf};

choices! {
    /// How packages should be.
    pub enum State {
        Present = "present",
        Latest = "latest",
        Absent = "absent",
        BuildDep = "build-dep",
        Fixed = "fixed",
    }
}

choices! {
    /// How everything is upgraded.
    pub enum Upgrade {
        No = "no" | "False",
        Yes = "yes" | "True",
        Safe = "safe",
        Full = "full",
        Dist = "dist",
    }
}

params! {
    /// Installs, upgrades and removes Debian packages.
    ///
    /// It waits for other programs that hold apt's or dpkg's lock, tries again while the network is not
    /// up yet, and finishes what an interrupted dpkg left behind.
    ///
    /// `update_cache` alone reports a change only if the package index really changed. In check mode
    /// the index is fetched into a temporary folder, to tell what would be installed.
    ///
    /// ```yaml
    /// - name: Docker and NFS
    ///   apt:
    ///     name:
    ///       - docker.io
    ///       - nfs-common
    ///     update_cache: true
    ///     cache_valid_time: 3600
    ///
    /// - name: One version of it
    ///   apt:
    ///     name: nginx=1.22.*
    ///
    /// - name: Upgrade everything
    ///   apt:
    ///     upgrade: dist
    ///     autoremove: true
    ///
    /// - name: A package from the web
    ///   apt:
    ///     deb: https://example.com/tool_1.0_amd64.deb
    /// ```
    pub struct Apt {
        /// Packages: `name`, `name=1.2*`, `name>=1.2`, `name/release`, `lib*`; `*` with `state: latest` is all.
        default(Vec::new()) name | "package" | "pkg": Vec<String>,
        /// How they should be.
        default(State::Present) state: State,
        /// Whether the package index is updated first.
        optional update_cache | "update-cache": Option<bool>,
        /// Attempts of an update that cannot fetch the index (and of a download of packages).
        default(5) update_cache_retries: u64,
        /// Longest pause between these attempts, in seconds.
        default(12) update_cache_retry_max_delay: u64,
        /// Update the index only if it is older than this many seconds.
        optional cache_valid_time: Option<u64>,
        /// Whether configuration files of removed packages are removed too.
        default(false) purge: bool,
        /// Release to prefer (`-t`).
        optional default_release | "default-release": Option<String>,
        /// Whether recommended packages are installed too; as apt is configured if not given.
        optional install_recommends | "install-recommends": Option<bool>,
        /// Whether signatures, downgrades and holds are ignored. Dangerous.
        default(false) force: bool,
        /// Whether fetched package files are removed from the cache.
        default(false) clean: bool,
        /// Whether packages without a valid signature are accepted.
        default(false) allow_unauthenticated | "allow-unauthenticated": bool,
        /// Whether a lower version may take the place of a higher one.
        default(false) allow_downgrade | "allow-downgrade" | "allow_downgrades" | "allow-downgrades": bool,
        /// Whether packages on hold may change.
        default(false) allow_change_held_packages: bool,
        /// Whether everything is upgraded: `yes` and `safe` remove nothing, `dist` and `full` may.
        optional upgrade: Option<Upgrade>,
        /// Options of dpkg, without dashes, separated by commas.
        default("force-confdef,force-confold".to_string()) dpkg_options: String,
        /// Package files to install: paths on the host, or a URL.
        optional deb: Option<String>,
        /// Whether packages that nothing needs any more are removed.
        default(false) autoremove: bool,
        /// Whether package files that can no longer be fetched are removed from the cache.
        default(false) autoclean: bool,
        /// Status of `policy-rc.d` meanwhile: with 101, packages do not start their services.
        optional policy_rc_d: Option<i64>,
        /// Whether only packages that are installed already are upgraded.
        default(false) only_upgrade: bool,
        /// Whether it fails rather than remove a package.
        default(false) fail_on_autoremove: bool,
        /// Accepted for compatibility: aptitude is never used.
        default(false) force_apt_get: bool,
        /// Seconds to wait for a lock. If not given: 60, and 600 on a machine that has just booted.
        optional lock_timeout: Option<u64>,
        /// Accepted for compatibility: no Python library is needed.
        default(true) auto_install_module_deps: bool,
    }
    rules [Rule::Exclusive(&["deb", "name", "upgrade"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("cache_updated", "whether the package index was updated"),
    ("cache_update_time", "when that was, in seconds since 1970"),
    ("stdout", "what apt printed"),
    ("stdout_lines", "the same, line by line"),
    ("stderr", "what apt complained about"),
    ("stderr_lines", "the same, line by line"),
];

const LISTS: &str = "/var/lib/apt/lists";
const ARCHIVES: &str = "/var/cache/apt/archives";

impl Module for Apt {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if cx.stage == 0 {
            let mut plan = Plan::default();
            self.prepare(cx, &mut plan)?;
            if !plan.changes.is_empty() && !cx.check {
                plan.more = self.does_more();
                return Ok(plan);
            }
            return self.main(cx, plan);
        }
        if let Some(output) = failed(cx.outcomes) {
            return Ok(Plan::returning(self.failure(output)));
        }
        self.main(cx, Plan::default())
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let updated = lists_changed(outcomes);
        if !returns.failed
            && let Some(output) = failed(outcomes)
        {
            *returns = self.failure(output);
            return Ok(());
        }
        if !cx.check {
            returns.set("cache_updated", updated);
            if !self.does_more() && self.wants_update() && !self.clean {
                returns.changed = Some(updated);
            }
        }
        returns.set("cache_update_time", update_time(cx.host)? as i64);
        if returns.values.contains_key("stdout")
            && let Some(Outcome::Ran(output)) =
                outcomes.iter().rev().find(|o| matches!(o, Outcome::Ran(_)))
        {
            run::show(returns, output);
            if self.upgrade.is_some() {
                returns.set("msg", output.out());
            }
        }
        Ok(())
    }
}

impl Apt {
    fn wants_update(&self) -> bool {
        self.update_cache.unwrap_or(false) || self.cache_valid_time.is_some_and(|t| t > 0)
    }

    fn upgrade(&self) -> Option<Upgrade> {
        let all = self.state == State::Latest && self.name.iter().any(|n| n == "*");
        match self.upgrade {
            Some(Upgrade::No) | None => all.then_some(Upgrade::Yes),
            some => some,
        }
    }

    /// Whether there is more to it than the index and the cache.
    fn does_more(&self) -> bool {
        !self.name.is_empty()
            || self.upgrade().is_some()
            || self.deb.is_some()
            || self.autoremove
            || self.autoclean
            || self.state == State::Fixed
    }

    /// What comes before packages: an interrupted dpkg, the cache of package files, the index.
    fn prepare(&self, cx: &PlanCx<'_>, plan: &mut Plan) -> Result<()> {
        // Accepted, and without meaning here: neither aptitude nor Python is used.
        let _ = (self.force_apt_get, self.auto_install_module_deps);
        if cx.host.which("apt-get")?.is_none() {
            return Err(
                Error::host("Failed to find required executable \"apt-get\"")
                    .hint("`apt` needs a Debian or Ubuntu host; `package` works anywhere"),
            );
        }
        let journal = cx
            .host
            .list(Path::new("/var/lib/dpkg/updates"))?
            .unwrap_or_default();
        if journal
            .iter()
            .any(|n| n.chars().all(|c| c.is_ascii_digit()))
        {
            let mut argv: Vec<String> = ["dpkg", "--configure", "-a"].map(String::from).into();
            let options = self.dpkg_options.split(',').filter(|o| !o.is_empty());
            argv.extend(options.map(|o| format!("--{o}")));
            plan.change(
                Diff::new("dpkg", "interrupted\n", "configured\n"),
                self.patiently(cx.host, argv)?.effect(),
            );
        }
        if self.clean && has_archives(cx.host)? {
            let clean = ["apt-get", "clean"].map(String::from).into();
            plan.change(
                Diff::new(ARCHIVES, "package files\n", ""),
                self.patiently(cx.host, clean)?.effect(),
            );
        }
        if self.wants_update() && !cx.check && self.is_stale(cx.host)? {
            self.push_update(cx.host, plan)?;
        }
        Ok(())
    }

    fn is_stale(&self, host: &dyn HostView) -> Result<bool> {
        let valid = self.cache_valid_time.unwrap_or(0);
        Ok(update_time(host)? + valid as f64 <= host.now())
    }

    /// Together with packages, an update is no change of its own.
    fn push_update(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let argv = ["apt-get", "update", "-q"].map(String::from).into();
        let effect = self
            .patiently(host, argv)?
            .then(vec![Consequence::PathUnknown {
                path: PathBuf::from(LISTS),
            }]);
        plan.changes.push(Change {
            diff: None,
            effect,
            counts: !self.does_more(),
        });
        Ok(())
    }

    /// Asks apt what it would do. In check mode an update that would come first, or that an earlier
    /// task would have made, is tried out.
    fn ask(
        &self,
        cx: &PlanCx<'_>,
        argv: &[String],
        plan: &mut Plan,
    ) -> Result<Vec<simulate::Step>> {
        let updates_first = cx.check && (self.updates_in_check(cx)? || lists_are_unknown(cx.host));
        if !updates_first {
            return Ok(simulate::read(&run::simulate(cx.host, argv)?.out));
        }
        let answer = run::simulate_after_update(cx.host, argv)?;
        if answer.lists_change == Some(true) && self.updates_in_check(cx)? {
            self.push_update(cx.host, plan)?;
            plan.returns.set("cache_updated", true);
        }
        Ok(simulate::read(&answer.out))
    }

    fn updates_in_check(&self, cx: &PlanCx<'_>) -> Result<bool> {
        if !self.wants_update() {
            return Ok(false);
        }
        match self.is_stale(cx.host) {
            Err(e) if e.is_unknown() => Ok(self.cache_valid_time.unwrap_or(0) == 0),
            other => other,
        }
    }

    fn main(&self, cx: &PlanCx<'_>, mut plan: Plan) -> Result<Plan> {
        plan.returns.set("cache_updated", false);
        if !self.does_more() {
            if cx.check && self.updates_in_check(cx)? {
                self.ask(cx, &[], &mut plan)?;
            }
            return Ok(plan);
        }
        if let Some(upgrade) = self.upgrade() {
            if self.name.iter().any(|n| n != "*") {
                return Err(Error::params(
                    "unable to install additional packages when upgrading all installed packages",
                ));
            }
            let mut argv = self.apt_get(cx.host)?;
            argv.extend(self.upgrade_verb(upgrade));
            self.act(cx, argv, &mut plan)?;
        } else if let Some(deb) = &self.deb {
            self.plan_deb(cx, deb, &mut plan)?;
        } else if self.name.is_empty() && self.state != State::Fixed {
            self.plan_cleanup(cx, &mut plan)?;
        } else if self.state == State::Absent {
            self.plan_absent(cx, &mut plan)?;
        } else {
            self.plan_install(cx, &mut plan)?;
        }
        Ok(plan)
    }

    /// Adds the command, if apt says that it would do anything.
    fn act(&self, cx: &PlanCx<'_>, argv: Vec<String>, plan: &mut Plan) -> Result<()> {
        let steps = self.ask(cx, &argv, plan)?;
        if steps.is_empty() {
            return Ok(());
        }
        let starts = self.policy_rc_d.is_none_or(|status| status == 0);
        // Its place: what the command prints is put there when it has run.
        plan.returns.set("stdout", "").set("stderr", "");
        let then = simulate::consequences(&steps, starts, cx.host)?;
        plan.change(
            simulate::diff(&steps),
            self.patiently(cx.host, argv)?.then(then),
        );
        Ok(())
    }

    fn plan_install(&self, cx: &PlanCx<'_>, plan: &mut Plan) -> Result<()> {
        let specs = spec::read_all(&self.name, false, cx.host)?;
        let (mut wanted, mut automatic) = (Vec::new(), Vec::new());
        for spec in &specs {
            let installed = cx.host.package(&spec.name)?;
            let fits = installed
                .as_ref()
                .and_then(|package| match &package.version {
                    Some(version) => spec.accepts(version),
                    None => Some(spec.want == spec::Want::Any),
                });
            if installed.is_none() && self.only_upgrade {
                continue;
            }
            if installed.as_ref().is_some_and(|p| p.automatic) {
                automatic.push(spec.name.clone());
            }
            if self.state != State::Present || fits != Some(true) {
                wanted.push(spec.for_apt(cx.host)?);
            }
        }
        if !wanted.is_empty() || self.state == State::Fixed {
            let mut argv = self.apt_get(cx.host)?;
            match self.state {
                State::BuildDep => argv.push("build-dep".into()),
                State::Fixed => argv.extend(["--fix-broken", "install"].map(String::from)),
                _ => argv.push("install".into()),
            }
            if self.autoremove && self.state != State::BuildDep {
                argv.push("--auto-remove".into());
            }
            argv.append(&mut wanted);
            self.act(cx, argv, plan)?;
        }
        // What is asked for by name must not go away with what once pulled it in.
        if !automatic.is_empty() && self.state != State::BuildDep {
            let words = ["apt-mark".to_string(), "manual".into()];
            plan.act(Command::new(words.into_iter().chain(automatic)).effect());
        }
        Ok(())
    }

    fn plan_absent(&self, cx: &PlanCx<'_>, plan: &mut Plan) -> Result<()> {
        let mut gone = Vec::new();
        for spec in spec::read_all(&self.name, true, cx.host)? {
            let remove = match cx.host.package(&spec.name)? {
                Some(package) => package
                    .version
                    .is_none_or(|v| spec.accepts(&v) != Some(false)),
                None => self.purge && has_leftovers(cx.host, &spec.name)?,
            };
            if remove {
                gone.push(spec.name);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let mut argv = self.apt_get(cx.host)?;
        argv.push("remove".into());
        for (wanted, option) in [(self.purge, "--purge"), (self.autoremove, "--auto-remove")] {
            if wanted {
                argv.push(option.into());
            }
        }
        argv.append(&mut gone);
        self.act(cx, argv, plan)
    }

    fn plan_cleanup(&self, cx: &PlanCx<'_>, plan: &mut Plan) -> Result<()> {
        if self.autoclean {
            let mut argv = self.apt_get(cx.host)?;
            argv.push("autoclean".into());
            let answer = run::simulate(cx.host, &argv)?;
            let files: String = answer
                .out
                .lines()
                .filter(|l| l.starts_with("Del "))
                .map(|l| format!("{l}\n"))
                .collect();
            if !files.is_empty() {
                plan.change(
                    Diff::new(ARCHIVES, files, ""),
                    self.patiently(cx.host, argv)?.effect(),
                );
            }
        }
        if self.autoremove {
            let mut argv = self.apt_get(cx.host)?;
            argv.push("autoremove".into());
            if self.purge {
                argv.push("--purge".into());
            }
            self.act(cx, argv, plan)?;
        }
        Ok(())
    }

    fn failure(&self, output: &Output) -> Returns {
        let mut returns = Returns::default();
        run::show(&mut returns, output);
        let message = if self.does_more() {
            let verb = match (self.upgrade(), self.state) {
                (Some(_), _) => "upgrade",
                (None, State::Absent) => "remove",
                (None, State::BuildDep) => "build-dep",
                _ => "install",
            };
            run::failure(&["apt-get".into(), verb.into()], output)
        } else {
            let why = crate::module::command::complaint(output);
            let retries = self.update_cache_retries;
            format!("Failed to update apt cache after {retries} retries: {why}")
        };
        returns.set("rc", output.rc).fail(message);
        returns
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{Mode, Performed, perform};
    use crate::host::{FakeHost, Host, HostView, Overlay};
    use crate::module::Seat;
    use crate::value::{Map, Value};
    use std::sync::Arc;

    fn check(host: &mut dyn Host, name: &str, args: &str) -> Performed {
        let args: Value = serde_json::from_str(args).unwrap();
        let args: Map = args.as_map().cloned().unwrap();
        let def = crate::modules::find(name).unwrap();
        let Seat::Host(bind) = &def.seat else {
            unreachable!("it is a host module")
        };
        let mode = Mode {
            check: true,
            diff: true,
        };
        perform(&*bind(&args).unwrap(), host, mode, &|_| {}).unwrap()
    }

    fn fresh() -> FakeHost {
        FakeHost::new()
            .with_dir("/run/systemd/system")
            .with_file_attrs("/usr/bin/apt-get", "", 0o755, 0, 0)
            .with_file("/var/lib/apt/lists/x", "")
            .answering_prefix(
                &["apt-get", "-s"],
                0,
                "Inst docker.io (20.10 Debian:12 [amd64])\n",
                "",
            )
    }

    #[test]
    fn check_mode_knows_that_a_daemon_would_run_once_it_is_installed() {
        let mut host = Overlay::over(Arc::new(fresh()) as Arc<dyn HostView>);
        assert!(check(&mut host, "apt", r#"{"name": "docker.io"}"#).changed);
        assert!(!check(&mut host, "apt", r#"{"name": "docker.io"}"#).changed);
        let docker = r#"{"name": "docker", "state": "started", "enabled": true}"#;
        let done = check(&mut host, "systemd", docker);
        assert_eq!((done.changed, done.may_change), (false, None));
    }

    #[test]
    fn check_mode_tries_an_update_out() {
        for (says, changed, may_change) in [
            ("lks: lists changed\n", true, false),
            ("", false, false),
            ("lks: update failed\n", false, true),
        ] {
            let fake = fresh().answering_prefix(&["/bin/sh", "-c"], 0, says, "W: no network\n");
            let mut host = Overlay::over(Arc::new(fake) as Arc<dyn HostView>);
            let done = check(&mut host, "apt", r#"{"update_cache": true}"#);
            assert_eq!(
                (done.changed, done.may_change.is_some()),
                (changed, may_change),
                "{says}"
            );
        }
    }
}
