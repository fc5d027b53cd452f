//! Whether the host is a virtual machine or a container, and whether it can run some.

use super::cx::{Cx, put};
use crate::value::Map;
use std::collections::BTreeSet;

struct Found {
    kind: Option<(String, &'static str)>,
    guest: BTreeSet<String>,
    host: BTreeSet<String>,
}

impl Found {
    fn guest(&mut self, kind: &str) {
        self.guest.insert(kind.into());
        self.kind.get_or_insert_with(|| (kind.into(), "guest"));
    }
    fn host(&mut self, kind: &str) {
        self.host.insert(kind.into());
        self.kind.get_or_insert_with(|| (kind.into(), "host"));
    }
}

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut found = Found {
        kind: None,
        guest: BTreeSet::new(),
        host: BTreeSet::new(),
    };
    containers(cx, &mut found);
    if cx.exists("/proc/xen") {
        match cx
            .text("/proc/xen/capabilities")
            .is_some_and(|t| t.contains("control_d"))
        {
            true => found.host("xen"),
            false => found.kind = found.kind.take().or(Some(("xen".into(), "guest"))),
        }
    }
    firmware(cx, &mut found);
    let cpus = cx.text("/proc/cpuinfo").unwrap_or_default();
    let model = |text: &str| {
        cpus.lines()
            .any(|l| l.starts_with("model name") && l.contains(text))
    };
    if model("QEMU Virtual CPU") {
        found.guest("kvm");
    }
    let modules = cx.text("/proc/modules").unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|l| l.split(' ').next() == Some(name));
    if loaded("kvm") || cx.exists("/dev/kvm") {
        found.host("kvm");
    }
    if loaded("vboxdrv") {
        found.host("virtualbox");
    }
    if loaded("virtio") {
        found.host.insert("kvm".into());
        found.kind.get_or_insert_with(|| ("kvm".into(), "guest"));
    }
    let (kind, role) = found.kind.unwrap_or_else(|| ("NA".into(), "NA"));
    put(out, "virtualization_type", kind);
    put(out, "virtualization_role", role);
    put(
        out,
        "virtualization_tech_guest",
        found.guest.into_iter().collect::<Vec<_>>(),
    );
    put(
        out,
        "virtualization_tech_host",
        found.host.into_iter().collect::<Vec<_>>(),
    );
}

fn containers(cx: &Cx<'_>, found: &mut Found) {
    let groups = cx.text("/proc/1/cgroup").unwrap_or_default();
    for (sign, kind) in [
        ("/docker/", "docker"),
        ("/docker-", "docker"),
        ("/lxc/", "lxc"),
        ("/machine.slice/machine-lxc", "lxc"),
        ("/system.slice/containerd.service", "containerd"),
    ] {
        if groups.contains(sign) {
            found.guest(kind);
        }
    }
    // Only root may read it.
    for pair in cx.text("/proc/1/environ").unwrap_or_default().split('\0') {
        match pair.strip_prefix("container=") {
            Some("lxc") => found.guest("lxc"),
            Some("podman") => found.guest("podman"),
            Some("") | None => {}
            Some(_) => found.guest("container"),
        }
    }
    let named = cx.word("/run/systemd/container");
    if let Some(kind) = &named {
        found.guest(kind);
    }
    if cx.exists("/.dockerenv") || cx.exists("/.dockerinit") {
        found.guest("docker");
    }
    let engines = ["docker", "lxc", "podman", "openvz", "containerd"];
    if named.is_some() || engines.iter().any(|k| found.guest.contains(*k)) {
        found.guest.insert("container".into());
    }
}

fn firmware(cx: &Cx<'_>, found: &mut Found) {
    let read = |name: &str| {
        cx.word(format!("/sys/devices/virtual/dmi/id/{name}"))
            .unwrap_or_default()
    };
    let (product, vendor, bios) = (
        read("product_name"),
        read("sys_vendor"),
        read("bios_vendor"),
    );
    match product.as_str() {
        "KVM" | "KVM Server" | "Bochs" | "AHV" | "CloudStack KVM Hypervisor" => found.guest("kvm"),
        "OpenStack Compute" | "OpenStack Nova" => found.guest("openstack"),
        name if name.starts_with("VMware") => found.guest("VMware"),
        _ => {}
    }
    match bios.as_str() {
        "Xen" => found.guest("xen"),
        "innotek GmbH" => found.guest("virtualbox"),
        "Amazon EC2" | "DigitalOcean" | "Hetzner" | "Linode" => found.guest("kvm"),
        _ => {}
    }
    match vendor.as_str() {
        "QEMU" | "Amazon EC2" | "DigitalOcean" | "Google" | "Scaleway" | "Nutanix" => {
            found.guest("kvm")
        }
        "oVirt" | "KubeVirt" => found.guest(&vendor),
        "Red Hat" if read("product_family") == "RHV" => found.guest("RHV"),
        "Microsoft Corporation" => found.guest("VirtualPC"),
        "Parallels Software International Inc." => found.guest("parallels"),
        "OpenStack Foundation" => found.guest("openstack"),
        _ => {}
    }
}
