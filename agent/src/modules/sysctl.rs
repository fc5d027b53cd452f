//! `ansible.posix.sysctl`.

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, Outcome};
use crate::module::command::complaint;
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::{choices, params};
use std::path::{Path, PathBuf};

choices! {
    /// Whether the setting is in the file.
    pub enum State { Present = "present", Absent = "absent" }
}

params! {
    /// Keeps settings of the kernel in `sysctl.conf`, and in force.
    ///
    /// ```yaml
    /// - ansible.posix.sysctl:
    ///     name: net.ipv4.ip_forward
    ///     value: "1"
    ///     sysctl_set: true
    /// ```
    pub struct Sysctl {
        /// The setting, with dots or slashes.
        required name | "key": String,
        /// Its value.
        optional value | "val": Option<String>,
        /// Whether it is in the file.
        default(State::Present) state: State,
        /// Whether settings that the kernel does not know are passed over.
        default(false) ignoreerrors: bool,
        /// Whether the file is loaded when it changed.
        default(true) reload: bool,
        /// The file.
        default(HostPath("/etc/sysctl.conf".to_string())) sysctl_file: HostPath,
        /// Whether the running kernel's value is looked at and set, too.
        default(false) sysctl_set: bool,
    }
    rules [Rule::If("state", "present", &["value"])]
}

impl Module for Sysctl {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let value = self.checked_value()?;
        let path = self.sysctl_file.expand(cx.host)?;
        let mut plan = Plan::default();
        if self.sysctl_set && self.state == State::Present {
            self.set_now(cx.host, &value, &mut plan)?;
        }
        let bytes = cx.host.read(&path)?.unwrap_or_default();
        let before = String::from_utf8_lossy(&bytes).into_owned();
        let after = self.rewrite(&before, &value);
        if before != after {
            plan.change(
                Diff::new(path.to_string_lossy(), before, after.clone()),
                Effect::WriteFile {
                    path: path.clone(),
                    content: Content::Bytes(after.into_bytes()),
                    attrs: Attrs::default(),
                    backup: false,
                    validate: None,
                    in_place: false,
                },
            );
            if self.reload {
                plan.act(self.sysctl(&["-p", &path.to_string_lossy()]).effect());
            }
        }
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            if let Outcome::Ran(output) = outcome
                && !output.success()
            {
                returns.fail(format!("Failed to reload sysctl: {}", complaint(output)));
            }
        }
        Ok(())
    }
}

impl Sysctl {
    fn checked_value(&self) -> Result<String> {
        let value = self.value.as_deref().unwrap_or_default().trim();
        if self.name.trim().is_empty() {
            return Err(Error::params("name cannot be blank"));
        }
        if self.state == State::Present && value.is_empty() {
            return Err(Error::params("value cannot be blank"));
        }
        // Ansible writes truth values as the kernel knows them.
        Ok(match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" => "1".into(),
            "false" | "no" | "off" | "n" | "f" => "0".into(),
            _ => value.into(),
        })
    }

    /// `sysctl` with the option that passes over unknown settings, if it is wanted.
    fn sysctl(&self, args: &[&str]) -> Command {
        let ignore = self.ignoreerrors.then_some("-e");
        Command::new(
            ["sysctl"]
                .into_iter()
                .chain(ignore)
                .chain(args.iter().copied()),
        )
    }

    /// Where the kernel shows the setting: dots are slashes, unless slashes were written.
    fn running(&self) -> PathBuf {
        let name = match self.name.split_once(['.', '/']) {
            // `net.ipv4.conf.eth0/100.forwarding`: the slash stands for a dot in a name.
            Some((first, _)) if self.name[first.len()..].starts_with('.') => self
                .name
                .chars()
                .map(|c| match c {
                    '.' => '/',
                    '/' => '.',
                    c => c,
                })
                .collect(),
            _ => self.name.clone(),
        };
        Path::new("/proc/sys").join(name.trim_start_matches('/'))
    }

    fn set_now(&self, host: &dyn HostView, value: &str, plan: &mut Plan) -> Result<()> {
        let path = self.running();
        let bytes = host.read(&path)?;
        let current = bytes.map(|b| String::from_utf8_lossy(&b).trim().to_string());
        let same = |a: &str| a.split_whitespace().eq(value.split_whitespace());
        if current.as_deref().is_some_and(same) {
            return Ok(());
        }
        let setting = format!("{}={value}", self.name);
        let before = format!("{}={}\n", self.name, current.unwrap_or_default());
        plan.change(
            Diff::new("running kernel", before, format!("{setting}\n")),
            self.sysctl(&["-w", &setting])
                .then(vec![Consequence::PathUnknown { path }]),
        );
        Ok(())
    }

    /// The file with the setting once, or without it; what else is there stays as it is.
    fn rewrite(&self, text: &str, value: &str) -> String {
        let wanted = format!("{}={value}", self.name);
        let mut out = Vec::new();
        let mut done = self.state == State::Absent;
        for line in text.lines() {
            let bare = line.trim();
            let is_setting = !bare.starts_with(['#', ';']);
            match bare.split_once('=') {
                Some((name, old)) if is_setting && name.trim() == self.name => {
                    if !done {
                        let same = old.split_whitespace().eq(value.split_whitespace());
                        out.push(if same {
                            line.to_string()
                        } else {
                            wanted.clone()
                        });
                    }
                    done = true;
                }
                _ => out.push(line.into()),
            }
        }
        if !done {
            out.push(wanted);
        }
        let mut new = out.join("\n");
        if !new.is_empty() && (text.is_empty() || text.ends_with('\n') || new != text) {
            new.push('\n');
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Args, Params};
    use crate::value::{Key, Map, Value};

    fn sysctl(pairs: &[(&str, &str)]) -> Sysctl {
        let map: Map = pairs
            .iter()
            .map(|(k, v)| (Key::from(*k), Value::from(*v)))
            .collect();
        Sysctl::read(&Args::new(&map)).unwrap()
    }

    #[test]
    fn a_setting_is_in_the_file_once() {
        let set = sysctl(&[("name", "vm.swappiness"), ("value", "10")]);
        for (before, after) in [
            ("", "vm.swappiness=10\n"),
            (
                "# vm.swappiness=5\na=b\n",
                "# vm.swappiness=5\na=b\nvm.swappiness=10\n",
            ),
            ("vm.swappiness = 10\n", "vm.swappiness = 10\n"),
            ("vm.swappiness = 60\na=b", "vm.swappiness=10\na=b\n"),
            ("vm.swappiness=1\nvm.swappiness=2\n", "vm.swappiness=10\n"),
            ("vm.swappiness=10", "vm.swappiness=10"),
        ] {
            assert_eq!(set.rewrite(before, "10"), after, "{before:?}");
        }
        let gone = sysctl(&[("name", "a"), ("state", "absent")]);
        assert_eq!(gone.rewrite("a=1\nb=2\n", ""), "b=2\n");
        assert_eq!(gone.rewrite("a=1\n", ""), "");
    }

    #[test]
    fn settings_have_their_place_in_proc() {
        for (name, want) in [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            (
                "net.ipv4.conf.eth0/100.forwarding",
                "/proc/sys/net/ipv4/conf/eth0.100/forwarding",
            ),
            (
                "net/ipv4/conf/eth0.100/forwarding",
                "/proc/sys/net/ipv4/conf/eth0.100/forwarding",
            ),
        ] {
            let set = sysctl(&[("name", name), ("value", "1")]);
            assert_eq!(set.running(), Path::new(want));
        }
    }
}
