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

/// Short names that ansible-core still sends to collections (`plugin_routing` of its
/// `ansible_builtin_runtime.yml`), as far as hosts of our kind use them.
const SHORT: &[(&str, &str)] = &[
    (
        "ansible.posix",
        "acl at authorized_key firewalld mount patch seboolean selinux synchronize sysctl",
    ),
    (
        "community.general",
        "alternatives apache2_module apk archive bower bundler bzr capabilities composer consul \
         consul_kv cpanm cronvar crypttab dconf django_manage etcd3 facter filesystem flatpak gem \
         git_config github_release haproxy helm hg homebrew homebrew_cask homebrew_tap htpasswd \
         ini_file interfaces_file ip_netns iso_extract java_cert jenkins_job jenkins_plugin jira \
         kernel_blacklist ldap_attr ldap_attrs ldap_entry ldap_passwd locale_gen lvg lvol \
         lxc_container lxd_container mail make mattermost maven_artifact modprobe monit nagios nmcli \
         npm nsupdate ohai opkg osx_defaults pacman pam_limits pamd parted pear pids pip_package_info \
         pkgng proxmox puppet redhat_subscription redis rhsm_repository rundeck_job sefcontext selinux_permissive \
         slack snap ssh_config sudoers supervisorctl svc swupd syslogger terraform timezone ufw \
         xattr xfs_quota xml yarn zfs zypper zypper_repository",
    ),
    (
        "kubernetes.core",
        "k8s k8s_info k8s_facts k8s_raw k8s_scale k8s_service k8s_exec",
    ),
    ("community.libvirt", "virt virt_net virt_pool"),
    (
        "amazon.aws",
        "aws_s3 ec2 s3_bucket cloudformation rds route53 lambda",
    ),
    ("community.crypto", "get_certificate luks_device x509_crl"),
];

/// Beginnings of short names that belong to one collection.
const PREFIXES: &[(&str, &str)] = &[
    ("docker_", "community.docker"),
    ("podman_", "containers.podman"),
    ("aws_", "amazon.aws"),
    ("ec2_", "amazon.aws"),
    ("rds_", "amazon.aws"),
    ("elb_", "amazon.aws"),
    ("iam_", "amazon.aws"),
    ("azure_rm_", "azure.azcollection"),
    ("gcp_", "google.cloud"),
    ("os_", "openstack.cloud"),
    ("win_", "ansible.windows"),
    ("vmware_", "community.vmware"),
    ("mysql_", "community.mysql"),
    ("postgresql_", "community.postgresql"),
    ("mongodb_", "community.mongodb"),
    ("rabbitmq_", "community.rabbitmq"),
    ("zabbix_", "community.zabbix"),
    ("grafana_", "community.grafana"),
    ("openssl_", "community.crypto"),
    ("openssh_", "community.crypto"),
    ("acme_", "community.crypto"),
    ("ipa_", "community.general"),
    ("influxdb_", "community.general"),
    ("gitlab_", "community.general"),
    ("nios_", "infoblox.nios_modules"),
    ("ios_", "cisco.ios"),
    ("nxos_", "cisco.nxos"),
    ("eos_", "arista.eos"),
    ("junos_", "junipernetworks.junos"),
    ("vyos_", "vyos.vyos"),
];

/// The collection that has a module of this name, if it is a name that Ansible users know. A name
/// with a collection before it is believed, but for those of ansible-core, which are all known.
#[must_use]
pub fn collection_of(name: &str) -> Option<String> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."));
    if let Some(short) = short.or((!name.contains('.')).then_some(name))
        && has(BUILTIN, short)
    {
        return Some("ansible.builtin".into());
    }
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [short] => {
            let listed = SHORT.iter().find(|(_, names)| has(names, short));
            let begun = || PREFIXES.iter().find(|(start, _)| short.starts_with(start));
            listed
                .map(|(collection, _)| (*collection).to_string())
                .or_else(|| begun().map(|(_, collection)| (*collection).to_string()))
        }
        ["ansible", "builtin" | "legacy", ..] => None,
        [namespace, collection, .., last]
            if parts.len() > 2 && [namespace, collection, last].iter().all(|p| is_name(p)) =>
        {
            Some(format!("{namespace}.{collection}"))
        }
        _ => None,
    }
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
            ("ansible.builtin.dnff", None),
            ("commnad", None),
            ("one.two", None),
        ] {
            assert_eq!(collection_of(name).as_deref(), want, "{name}");
        }
    }
}
