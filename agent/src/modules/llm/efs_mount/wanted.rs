//! What is to be mounted, and whether it is.

use super::{EfsMount, target};
use crate::error::{Error, Result};
use crate::host::{HostView, MountEntry};
use crate::module::Plan;

/// AWS, "Recommended NFS mount settings".
const RECOMMENDED: &str =
    "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev";

/// What is to be mounted, decided.
pub struct Wanted {
    pub source: String,
    pub fstype: &'static str,
    pub options: String,
    pub address: Option<String>,
}

impl EfsMount {
    pub(super) fn wanted(&self, host: &dyn HostView, plan: &mut Plan) -> Result<Wanted> {
        if !self.tls && (self.iam || self.access_point.is_some()) {
            return Err(Error::params("`iam` and `access_point` need `tls`"));
        }
        if self.zone.is_some() && (self.address.is_some() || self.file_system.is_none()) {
            return Err(Error::params(
                "`zone` chooses among the mount targets of a `file_system`, and `address` names one",
            ));
        }
        if self.tls && self.options.is_some() {
            return Err(Error::params("`options` are efs-utils' own with `tls`"));
        }
        let export = format!("/{}", self.export.trim_matches('/'));
        if self.tls {
            return self.wanted_tls(host, plan, &export);
        }
        let address = match (&self.address, &self.file_system) {
            (Some(address), _) => address.clone(),
            (None, Some(id)) => {
                let found = target::find(host, id, self.region.as_deref(), self.zone.as_deref())?;
                plan.returns.set("zone", found.zone.as_str());
                plan.returns.warnings.extend(found.warning);
                found.address
            }
            (None, None) => {
                return Err(Error::params(
                    "one of the following is required: address, file_system",
                ));
            }
        };
        let options = match &self.options {
            None => RECOMMENDED.to_owned(),
            Some(own) if own.split(',').any(|o| o == "_netdev") => own.clone(),
            Some(own) => format!("{own},_netdev"),
        };
        let source = match address.contains(':') {
            true => format!("[{address}]:{export}"),
            false => format!("{address}:{export}"),
        };
        plan.returns
            .set("source", source.as_str())
            .set("options", options.as_str())
            .set("address", address.as_str());
        Ok(Wanted {
            source,
            fstype: "nfs4",
            options,
            address: Some(address),
        })
    }

    fn wanted_tls(&self, host: &dyn HostView, plan: &mut Plan, export: &str) -> Result<Wanted> {
        let Some(id) = &self.file_system else {
            return Err(Error::params(
                "missing parameter(s) required by 'tls': file_system",
            ));
        };
        if host.which("mount.efs")?.is_none() {
            return Err(Error::host("there is no `mount.efs` on this host")
                .context("TLS goes through Amazon's efs-utils, which no distribution ships: install its package (amazon-efs-utils), or leave `tls` out"));
        }
        let mut options = "_netdev,noresvport,tls".to_owned();
        if self.iam {
            options.push_str(",iam");
        }
        for (name, value) in [
            ("accesspoint", &self.access_point),
            ("mounttargetip", &self.address),
        ] {
            if let Some(value) = value {
                options.push_str(&format!(",{name}={value}"));
            }
        }
        let source = format!("{id}:{export}");
        plan.returns
            .set("source", source.as_str())
            .set("options", options.as_str());
        Ok(Wanted {
            source,
            fstype: "efs",
            options,
            address: None,
        })
    }

    /// Whether what is mounted is what is wanted. A server may grant smaller reads than were asked for, so
    /// sizes are only compared by what the fstab says.
    pub(super) fn is_right(&self, current: &MountEntry, wanted: &Wanted, known: bool) -> bool {
        // efs-utils mounts its own end of the tunnel.
        let source = match self.tls {
            true => current.source.starts_with("127.0.0.1:/") || current.source == wanted.source,
            false => current.source == wanted.source,
        };
        let in_force: Vec<String> = current.options.split(',').map(plain).collect();
        let matters = |option: &str| {
            let ours = ["_netdev", "defaults", "nofail", "noauto", "tls", "iam"].contains(&option)
                || option.starts_with("x-")
                || ["accesspoint=", "mounttargetip=", "rsize=", "wsize="]
                    .iter()
                    .any(|p| option.starts_with(p));
            !ours
        };
        let differs = wanted
            .options
            .split(',')
            .filter(|o| matters(o))
            .any(|o| !in_force.contains(&plain(o)));
        let sizes = wanted.options.split(',').filter(|o| o.contains("size="));
        let same_sizes = sizes.map(plain).all(|o| in_force.contains(&o));
        // The kernel does not show every option: what the fstab says of this source was mounted so.
        source && (known || (!differs && same_sizes))
    }
}

/// An option as the kernel's table writes it.
fn plain(option: &str) -> String {
    match option.strip_prefix("nfsvers=") {
        Some(version) => format!("vers={version}"),
        None => option.to_owned(),
    }
}
