//! Facts about a host, under Ansible's names.
//!
//! To add some: write `facts/NAME.rs` with `fn collect(cx: &Cx<'_>, out: &mut Map)`, and add its row to
//! [`COLLECTORS`]. A collector reads files through the host and starts no program where a file tells;
//! what cannot be read is left out, since facts must never make a play fail.

mod cloud;
mod cx;
mod date_time;
mod devices;
mod distribution;
mod dmi;
mod dns;
mod env;
mod gpu;
mod llm;
mod local;
mod memory;
mod mounts;
mod network;
mod platform;
mod processor;
mod python;
mod security;
mod services;
mod ssh;
mod storage;
mod user;
mod virtualization;

use crate::error::{Error, Result};
use crate::host::HostView;
use crate::value::{Map, Value};
use cx::Cx;
use std::collections::BTreeSet;

/// A part of the facts that can be asked for on its own.
struct Collector {
    /// Names in `gather_subset`; the first is the collector's own.
    names: &'static [&'static str],
    /// Larger subsets that it belongs to.
    groups: &'static [&'static str],
    collect: fn(&Cx<'_>, &mut Map),
}

/// Every collector. Those of the group `min` are gathered unless `!min` is asked.
static COLLECTORS: &[Collector] = &[
    row(&["apparmor"], &["min"], security::apparmor),
    row(&["chroot", "is_chroot"], &[], platform::chroot),
    row(&["cmdline"], &["min"], env::cmdline),
    row(&["date_time"], &["min"], date_time::collect),
    row(
        &[
            "distribution",
            "os_family",
            "distribution_version",
            "distribution_release",
            "distribution_major_version",
        ],
        &["min"],
        distribution::collect,
    ),
    row(&["dns"], &["min"], dns::collect),
    row(&["env"], &["min"], env::collect),
    row(&["fips"], &["min"], security::fips),
    row(&["loadavg"], &[], platform::loadavg),
    row(&["local"], &["min"], local::collect),
    row(&["lsb"], &["min"], distribution::lsb),
    row(&["pkg_mgr"], &["min"], services::pkg_mgr),
    row(
        &[
            "platform",
            "system",
            "kernel",
            "kernel_version",
            "machine",
            "architecture",
            "machine_id",
        ],
        &["min"],
        platform::collect,
    ),
    row(&["python", "python_version"], &["min"], python::collect),
    row(&["selinux"], &["min"], security::selinux),
    row(&["service_mgr"], &["min"], services::service_mgr),
    row(
        &[
            "ssh_pub_keys",
            "ssh_host_pub_keys",
            "ssh_host_key_rsa_public",
            "ssh_host_key_ecdsa_public",
            "ssh_host_key_ed25519_public",
        ],
        &["min"],
        ssh::collect,
    ),
    row(
        &[
            "user",
            "user_id",
            "user_uid",
            "user_gid",
            "user_gecos",
            "user_dir",
            "user_shell",
            "real_user_id",
            "effective_user_id",
            "effective_group_ids",
        ],
        &["min"],
        user::collect,
    ),
    row(&["devices"], &["hardware"], devices::collect),
    row(&["dmi"], &["hardware"], dmi::collect),
    row(&["memory"], &["hardware"], memory::collect),
    row(&["mounts"], &["hardware"], mounts::collect),
    row(
        &["processor", "processor_cores", "processor_count"],
        &["hardware"],
        processor::collect,
    ),
    row(&["uptime"], &["hardware"], platform::uptime),
    row(
        &[
            "interfaces",
            "default_ipv4",
            "default_ipv6",
            "all_ipv4_addresses",
            "all_ipv6_addresses",
        ],
        &["network"],
        network::collect,
    ),
    row(
        &["fibre_channel_wwn", "iscsi", "nvme"],
        &["network"],
        devices::initiators,
    ),
    row(
        &[
            "virtualization_type",
            "virtualization_role",
            "virtualization_tech_guest",
            "virtualization_tech_host",
        ],
        &["virtual"],
        virtualization::collect,
    ),
    // Ours: gathered only when they are asked for by name, as Ansible does not have them.
    row(&["lks.cloud"], &["lks"], cloud::collect),
    row(&["lks.gpu"], &["lks"], gpu::collect),
    row(&["lks.llm"], &["lks"], llm::collect),
    row(&["lks.storage"], &["lks"], storage::collect),
];

const fn row(
    names: &'static [&'static str],
    groups: &'static [&'static str],
    collect: fn(&Cx<'_>, &mut Map),
) -> Collector {
    Collector {
        names,
        groups,
        collect,
    }
}

/// Names that Ansible knows and that mean nothing here: other programs' facts, and what is not gathered.
const EMPTY: &[&str] = &[
    "facter",
    "ohai",
    "caps",
    "systemd",
    "system_capabilities",
    "system_capabilities_enforced",
];

/// Which facts are gathered (`gather_subset`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    asked: Vec<String>,
    chosen: BTreeSet<usize>,
}

impl Default for Subset {
    /// All.
    fn default() -> Self {
        Self {
            asked: vec!["all".into()],
            chosen: (0..COLLECTORS.len()).filter(|i| is_usual(*i)).collect(),
        }
    }
}

impl Subset {
    /// Reads `gather_subset`: names add, `!` before a name takes away; the minimal facts stay unless
    /// `!min` is said too.
    ///
    /// # Errors
    /// When a name is not known.
    pub fn parse(asked: &[String]) -> Result<Self> {
        let (mut added, mut removed, mut explicit) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for word in asked.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
            match word.strip_prefix('!') {
                Some("all") => removed.extend((0..COLLECTORS.len()).filter(|i| !is_minimal(*i))),
                Some(name) => removed.extend(matching(name)?),
                None => {
                    let found = matching(word)?;
                    if word != "all" {
                        explicit.extend(found.iter().copied());
                    }
                    added.extend(found);
                }
            }
        }
        let adds = asked
            .iter()
            .any(|w| !w.trim().is_empty() && !w.starts_with('!'));
        if !adds {
            added.extend((0..COLLECTORS.len()).filter(|i| is_usual(*i)));
        }
        added.extend((0..COLLECTORS.len()).filter(|i| is_minimal(*i)));
        Ok(Self {
            asked: asked.to_vec(),
            chosen: added
                .into_iter()
                .filter(|i| !removed.contains(i) || explicit.contains(i))
                .collect(),
        })
    }
}

fn is_minimal(index: usize) -> bool {
    COLLECTORS[index].groups.contains(&"min")
}

/// Whether a collector belongs to all that Ansible gathers.
fn is_usual(index: usize) -> bool {
    !COLLECTORS[index].groups.contains(&"lks")
}

/// The collectors that a name of `gather_subset` stands for.
fn matching(name: &str) -> Result<Vec<usize>> {
    if name == "all" {
        return Ok((0..COLLECTORS.len()).filter(|i| is_usual(*i)).collect());
    }
    let found: Vec<usize> = COLLECTORS
        .iter()
        .enumerate()
        .filter(|(_, c)| c.names.contains(&name) || c.groups.contains(&name))
        .map(|(i, _)| i)
        .collect();
    if found.is_empty() && !EMPTY.contains(&name) {
        let mut known: Vec<&str> = COLLECTORS
            .iter()
            .flat_map(|c| c.names.iter().chain(c.groups))
            .copied()
            .collect();
        known.extend(["all"]);
        known.extend(EMPTY);
        known.sort_unstable();
        known.dedup();
        return Err(Error::params(format!(
            "Bad subset '{name}' given to Ansible. gather_subset options allowed: {}",
            known.join(", ")
        ))
        .did_you_mean(name, known));
    }
    Ok(found)
}

/// Gathers facts, under Ansible's names without the `ansible_` before them.
///
/// # Errors
/// Never for something that cannot be read: it is left out.
pub fn gather(host: &dyn HostView, subset: &Subset) -> Result<Map> {
    let cx = Cx::new(host, "/etc/ansible/facts.d");
    Ok(gather_with(&cx, subset))
}

/// As [`gather`], with another folder of local facts, and the Python that the inventory names.
///
/// # Errors
/// As there.
pub fn gather_from(
    host: &dyn HostView,
    subset: &Subset,
    local: &str,
    python: Option<&str>,
) -> Result<Map> {
    let mut cx = Cx::new(host, local);
    cx.python = python;
    Ok(gather_with(&cx, subset))
}

fn gather_with(cx: &Cx<'_>, subset: &Subset) -> Map {
    let mut out = Map::new();
    for index in &subset.chosen {
        (COLLECTORS[*index].collect)(cx, &mut out);
    }
    out.insert("gather_subset".into(), Value::from(subset.asked.clone()));
    out.insert("module_setup".into(), Value::Bool(true));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Vec<&'static str> {
        let asked: Vec<String> = asked.iter().map(|s| (*s).into()).collect();
        let chosen = Subset::parse(&asked).unwrap().chosen;
        chosen.into_iter().map(|i| COLLECTORS[i].names[0]).collect()
    }

    #[test]
    fn subsets_are_chosen_as_ansible_does() {
        let usual = (0..COLLECTORS.len()).filter(|i| is_usual(*i)).count();
        assert_eq!(names(&["all"]).len(), usual);
        assert_eq!(names(&[]).len(), usual);
        assert_eq!(Subset::default().chosen.len(), usual);
        assert_eq!(names(&["!all", "!min", "lks.gpu"]), ["lks.gpu"]);
        assert_eq!(names(&["!all", "!min"]), [""; 0]);
        assert_eq!(
            names(&["!all", "!min", "network"]),
            ["interfaces", "fibre_channel_wwn"]
        );
        assert_eq!(names(&["!all", "!min", "os_family"]), ["distribution"]);
        let min = names(&["!all"]);
        assert!(min.contains(&"platform") && !min.contains(&"mounts"));
        assert!(!names(&["!hardware"]).contains(&"mounts"));
        assert!(names(&["!hardware"]).contains(&"interfaces"));
        assert_eq!(names(&["network"]).len(), min.len() + 2);
        assert!(
            Subset::parse(&["netwrok".into()])
                .unwrap_err()
                .to_string()
                .contains("did you mean `network`")
        );
    }
}
