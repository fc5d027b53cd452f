//! Modules that lks does not have: to whom they belong. A playbook that uses one is not wrong, it
//! only cannot run here; a name that nobody has is a slip.

/// Modules of ansible-core itself (2.19), whether lks has them or not.
const BUILTIN: &str = "add_host apt apt_key apt_repository assemble assert async_status blockinfile \
    command copy cron deb822_repository debconf debug dnf dnf5 dpkg_selections expect fail fetch file \
    find gather_facts get_url getent git group group_by hostname import_playbook import_role \
    import_tasks include_role include_tasks include_vars iptables known_hosts lineinfile meta \
    mount_facts package package_facts pause ping pip raw reboot replace rpm_key script service \
    service_facts set_fact set_stats setup shell slurp stat subversion systemd systemd_service sysvinit \
    tempfile template unarchive uri user validate_argument_spec wait_for wait_for_connection yum \
    yum_repository";

/// What ansible-core once had and still finds by its short name: kind, collection, names (its
/// `plugin_routing` of 2.19, of modules, lookups and filters).
const MOVED: &str = include_str!("moved.txt");

/// The collection that has a module of this name, if it is a name that Ansible users know. A name
/// with a collection before it is believed, but for those of ansible-core, which are all known.
#[must_use]
pub fn collection_of(name: &str) -> Option<String> {
    if has(BUILTIN, core_name(name).unwrap_or(name)) {
        return Some("ansible.builtin".into());
    }
    plugin_collection_of("module", name)
}

/// The same of a `module`, `lookup`, `filter` or `test` that is none of ansible-core.
#[must_use]
pub fn plugin_collection_of(kind: &str, name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    match (core_name(name), parts.as_slice()) {
        (Some(short), _) | (_, &[short]) => moved_to(kind, short).map(str::to_owned),
        (_, [namespace, collection, .., last])
            if parts.len() > 2 && [namespace, collection, last].iter().all(|p| is_name(p)) =>
        {
            Some(format!("{namespace}.{collection}"))
        }
        _ => None,
    }
}

/// A name that stands for one of ansible-core, without what says so.
fn core_name(name: &str) -> Option<&str> {
    name.strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
}

fn moved_to(kind: &str, short: &str) -> Option<&'static str> {
    MOVED.lines().find_map(|line| {
        let (of, rest) = line.split_once(' ')?;
        let (collection, names) = rest.split_once(' ')?;
        (of == kind && has(names, short)).then_some(collection)
    })
}

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|n| n == name)
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_belongs_to_a_collection_or_is_a_slip() {
        for (name, want) in [
            ("ansible.builtin.dnf5", Some("ansible.builtin")),
            ("reboot", Some("ansible.builtin")),
            (
                "community.docker.docker_container",
                Some("community.docker"),
            ),
            ("docker_container", Some("community.docker")),
            ("modprobe", Some("community.general")),
            ("k8s", Some("kubernetes.core")),
            ("a.b.deep.name", Some("a.b")),
            ("ansible.builtin.ini_file", Some("community.general")),
            ("efs", Some("community.aws")),
            ("listen_ports_facts", Some("community.general")),
            ("ansible.builtin.dnff", None),
            ("commnad", None),
            ("one.two", None),
        ] {
            assert_eq!(collection_of(name).as_deref(), want, "{name}");
        }
    }
}
