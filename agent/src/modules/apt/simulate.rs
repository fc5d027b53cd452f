//! What apt would do, read from its simulation (`apt-get -s`).

use crate::error::Result;
use crate::host::{Consequence, HostView, UnitScope};
use crate::module::{Diff, systemd};

/// One package that would be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The package; its architecture only if it is a foreign one.
    pub name: String,
    /// The version that is there.
    pub from: Option<String>,
    /// The version that comes; nothing if it is removed.
    pub to: Option<String>,
}

/// Reads the `Inst`, `Remv` and `Purg` lines of a simulation.
#[must_use]
pub fn read(output: &str) -> Vec<Step> {
    output.lines().filter_map(step).collect()
}

/// `Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64]) []`, `Remv nginx [1.22]`, `Purg nginx`.
fn step(line: &str) -> Option<Step> {
    let (verb, rest) = line.split_once(' ')?;
    if !matches!(verb, "Inst" | "Remv" | "Purg") {
        return None;
    }
    let (name, rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    let between = |open: char, close: char| {
        let from = rest.find(open)? + 1;
        rest[from..].find(close).map(|to| &rest[from..from + to])
    };
    // The version in brackets comes before the candidate in parentheses, whose own brackets hold
    // the architecture.
    let before_candidate = rest.find('(').unwrap_or(rest.len());
    let installed = rest
        .find('[')
        .filter(|at| *at < before_candidate)
        .and_then(|_| between('[', ']'));
    let candidate = between('(', ')').and_then(|c| c.split_whitespace().next());
    Some(Step {
        name: name.into(),
        from: installed.map(String::from),
        to: candidate.filter(|_| verb == "Inst").map(String::from),
    })
}

/// The steps as a difference: packages with their versions, before and after.
#[must_use]
pub fn diff(steps: &[Step]) -> Diff {
    let side = |version: fn(&Step) -> Option<&String>| -> String {
        let lines = steps
            .iter()
            .filter_map(|s| version(s).map(|v| format!("{} {v}\n", s.name)));
        lines.collect()
    };
    Diff::new(
        "packages",
        side(|s| s.from.as_ref()),
        side(|s| s.to.as_ref()),
    )
}

/// What the machine is like afterwards. `starts`: whether packages may start their services.
///
/// # Errors
/// When the host cannot be read.
pub fn consequences(steps: &[Step], starts: bool, host: &dyn HostView) -> Result<Vec<Consequence>> {
    let active = starts && systemd::is_running(host)?;
    let mut out = Vec::new();
    for step in steps {
        let name = step.name.clone();
        let Some(version) = step.to.clone() else {
            out.push(Consequence::PackageRemoved { name });
            continue;
        };
        let is_new = step.from.is_none();
        for unit in units(&name).iter().filter(|_| is_new) {
            out.push(Consequence::Unit {
                scope: UnitScope::System,
                name: (*unit).into(),
                active: active.then_some(true),
                enabled: Some(true),
                masked: None,
            });
        }
        out.push(Consequence::PackageInstalled {
            name,
            version: Some(version),
        });
    }
    Ok(out)
}

/// Units that a package enables and starts when it is first installed, as Debian's daemons do.
/// What is not listed is not known: check mode says so of such a unit instead of guessing.
fn units(package: &str) -> &'static [&'static str] {
    const UNITS: &[(&str, &[&str])] = &[
        ("apache2", &["apache2.service"]),
        ("chrony", &["chrony.service"]),
        ("containerd", &["containerd.service"]),
        ("containerd.io", &["containerd.service"]),
        ("cron", &["cron.service"]),
        ("docker-ce", &["docker.service", "docker.socket"]),
        ("docker.io", &["docker.service", "docker.socket"]),
        ("fail2ban", &["fail2ban.service"]),
        ("haproxy", &["haproxy.service"]),
        ("lighttpd", &["lighttpd.service"]),
        ("mariadb-server", &["mariadb.service"]),
        ("memcached", &["memcached.service"]),
        ("mysql-server", &["mysql.service"]),
        ("netfilter-persistent", &["netfilter-persistent.service"]),
        ("nfs-kernel-server", &["nfs-server.service"]),
        ("nginx", &["nginx.service"]),
        ("openssh-server", &["ssh.service"]),
        ("postgresql", &["postgresql.service"]),
        (
            "prometheus-node-exporter",
            &["prometheus-node-exporter.service"],
        ),
        ("redis-server", &["redis-server.service"]),
        ("rpcbind", &["rpcbind.service", "rpcbind.socket"]),
        ("rsyslog", &["rsyslog.service"]),
        ("unattended-upgrades", &["unattended-upgrades.service"]),
    ];
    UNITS
        .iter()
        .find(|(name, _)| *name == package)
        .map_or(&[], |(_, units)| units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_is_read() {
        let output = "Reading package lists...\n\
            The following NEW packages will be installed:\n  rpcbind\n\
            Remv nginx [1.22.1-9]\n\
            Purg old [1.0]\n\
            Inst libc6 [2.36-9] (2.36-10 Debian:12.1/stable [amd64]) []\n\
            Inst rpcbind (1.2.6-6 Debian:12.1/stable [amd64])\n\
            Conf rpcbind (1.2.6-6 Debian:12.1/stable [amd64])\n";
        let steps = read(output);
        let want = [
            ("nginx", Some("1.22.1-9"), None),
            ("old", Some("1.0"), None),
            ("libc6", Some("2.36-9"), Some("2.36-10")),
            ("rpcbind", None, Some("1.2.6-6")),
        ];
        for (step, (name, from, to)) in steps.iter().zip(want) {
            assert_eq!(step.name, name);
            assert_eq!(step.from.as_deref(), from);
            assert_eq!(step.to.as_deref(), to);
        }
        assert_eq!(steps.len(), want.len());
        let diff = diff(&steps);
        assert_eq!(diff.after, "libc6 2.36-10\nrpcbind 1.2.6-6\n".into());
    }
}
