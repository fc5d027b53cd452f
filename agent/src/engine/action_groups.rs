//! Groups of modules for `module_defaults: {group/NAME: …}`. ansible-core names groups that stand for
//! those of collections; a collection says in `meta/runtime.yml` what is in its own, and which other
//! groups each of them includes.

use super::load_yaml;
use crate::host::here;
use crate::playbook::vault::VaultKeys;
use crate::value::Value;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// ansible-core's own groups, and the groups of collections that they stand for
/// (`ansible_builtin_runtime.yml` of 2.19).
const BUILTIN: &[(&str, &[&str])] = &[
    ("acme", &["community.crypto.acme"]),
    ("aws", &["amazon.aws.aws", "community.aws.aws"]),
    ("azure", &["azure.azcollection.azure"]),
    ("cpm", &["wti.remote.cpm"]),
    (
        "docker",
        &["community.general.docker", "community.docker.docker"],
    ),
    ("gcp", &["google.cloud.gcp"]),
    (
        "k8s",
        &[
            "community.kubernetes.k8s",
            "community.general.k8s",
            "community.kubevirt.k8s",
            "community.okd.k8s",
            "kubernetes.core.k8s",
        ],
    ),
    ("os", &["openstack.cloud.os"]),
    ("ovirt", &["ovirt.ovirt.ovirt", "community.general.ovirt"]),
    ("vmware", &["community.vmware.vmware"]),
];

/// What is known of groups; each is read once.
#[derive(Debug, Default)]
pub struct ActionGroups {
    known: Mutex<HashMap<String, Arc<HashSet<String>>>>,
}

impl ActionGroups {
    /// Whether the module of this full name is in the group (`NAME` or `NAMESPACE.COLLECTION.NAME`);
    /// `dirs` are folders with collections.
    pub fn has(&self, group: &str, module: &str, dirs: &[PathBuf]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(group).cloned();
        drop(known);
        let members = found.unwrap_or_else(|| {
            let mut members = HashSet::new();
            read(group, dirs, &mut members, &mut HashSet::new());
            let members = Arc::new(members);
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(group.to_string(), Arc::clone(&members));
            members
        });
        members.contains(module)
    }
}

/// Adds the modules of a group, and of those that it includes, to `out`.
fn read(group: &str, dirs: &[PathBuf], out: &mut HashSet<String>, seen: &mut HashSet<String>) {
    if !seen.insert(group.to_string()) {
        return;
    }
    let short = group.strip_prefix("ansible.builtin.").unwrap_or(group);
    if let Some((_, stands_for)) = BUILTIN.iter().find(|(name, _)| *name == short) {
        stands_for.iter().for_each(|g| read(g, dirs, out, seen));
        return;
    }
    let mut parts = group.splitn(3, '.');
    let (Some(space), Some(collection), Some(name)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let inside = format!("ansible_collections/{space}/{collection}/meta/runtime.yml");
    let Some(runtime) = dirs.iter().find_map(|dir| {
        let path = dir.join(&inside);
        let text = here::read_text(&path).ok().flatten()?;
        load_yaml(&path.display().to_string(), text, &VaultKeys::none()).ok()
    }) else {
        return;
    };
    let groups = runtime.get("action_groups");
    let entries = groups.and_then(|g| g.get(name)).and_then(Value::as_list);
    for entry in entries.unwrap_or_default() {
        match entry {
            Value::Str(module) if module.matches('.').count() >= 2 => {
                out.insert(module.to_string());
            }
            Value::Str(module) => {
                out.insert(format!("{space}.{collection}.{module}"));
            }
            other => {
                let more = other.get("metadata").and_then(|m| m.get("extend_group"));
                for group in more.and_then(Value::as_list).unwrap_or_default() {
                    let Some(group) = group.as_str() else {
                        continue;
                    };
                    match group.contains('.') {
                        true => read(group, dirs, out, seen),
                        false => read(&format!("{space}.{collection}.{group}"), dirs, out, seen),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_modules_of_the_groups_that_it_includes() {
        let top = here::env("TMPDIR").unwrap_or_else(|| "/tmp".into());
        let dir = PathBuf::from(top).join(format!("lks-groups-{}", here::process_id()));
        let meta = dir.join("ansible_collections/community/docker/meta");
        here::make_dir(&meta, 0o755).unwrap();
        let text = "action_groups:\n  docker:\n    - docker_container\n    - metadata: {extend_group: [more]}\n  more: [a.b.c]\n";
        let mut file = here::create(&meta.join("runtime.yml")).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        drop(file);
        let groups = ActionGroups::default();
        let dirs = [dir.clone()];
        for (module, is_in) in [
            ("community.docker.docker_container", true),
            ("a.b.c", true),
            ("ansible.builtin.copy", false),
        ] {
            assert_eq!(groups.has("docker", module, &dirs), is_in, "{module}");
        }
        here::remove_folder(&dir);
    }
}
