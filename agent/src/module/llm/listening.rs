//! Who listens on a TCP port of this host, from `/proc`: `proc(5)`, `/proc/net/tcp`.

use crate::error::Result;
use crate::host::HostView;
use std::path::{Path, PathBuf};

/// A process that listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Its number; nothing where this account may not see whose the socket is.
    pub pid: Option<u32>,
    /// Its command line, cut.
    pub command: String,
    /// The systemd unit that it belongs to.
    pub unit: Option<String>,
}

impl Listener {
    /// `python3 server.py (process 42, unit x.service)`.
    #[must_use]
    pub fn text(&self) -> String {
        let Some(pid) = self.pid else {
            return "a process that this account cannot see".into();
        };
        let unit = self.unit.as_ref().map(|u| format!(", unit {u}"));
        format!(
            "`{}` (process {pid}{})",
            self.command,
            unit.unwrap_or_default()
        )
    }
}

/// Who listens on a port, on whatever address; nothing if nobody does.
///
/// # Errors
/// When the host cannot be read.
pub fn listener(host: &dyn HostView, port: u16) -> Result<Option<Listener>> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = host.read(Path::new(table))?.unwrap_or_default();
        inodes.extend(sockets(&String::from_utf8_lossy(&text), port));
    }
    if inodes.is_empty() {
        return Ok(None);
    }
    let owner = pids(host)?.find(|pid| holds(host, *pid, &inodes));
    Ok(Some(
        owner.map_or_else(Listener::default, |pid| of(host, pid)),
    ))
}

/// Ports on which somebody listens, and who; those of whom nothing can be seen are left out.
///
/// # Errors
/// When the host cannot be read.
pub fn listeners(host: &dyn HostView) -> Result<Vec<(u16, Listener)>> {
    let mut ports: Vec<(u16, String)> = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = host.read(Path::new(table))?.unwrap_or_default();
        ports.extend(String::from_utf8_lossy(&text).lines().filter_map(listening));
    }
    let mut out: Vec<(u16, Listener)> = Vec::new();
    for pid in pids(host)? {
        let held = links(host, pid);
        for (port, inode) in &ports {
            if held.contains(inode) && !out.iter().any(|(p, _)| p == port) {
                out.push((*port, of(host, pid)));
            }
        }
    }
    out.sort_by_key(|(port, _)| *port);
    Ok(out)
}

/// Names of the sockets that listen on a port.
fn sockets(table: &str, port: u16) -> Vec<String> {
    let all = table.lines().filter_map(listening);
    all.filter(|(p, _)| *p == port).map(|(_, s)| s).collect()
}

/// Port and name of a listening socket: `0: 0100007F:1F90 00000000:0000 0A … INODE`.
fn listening(line: &str) -> Option<(u16, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    let listens = *fields.get(3)? == "0A";
    let name = format!("socket:[{}]", fields.get(9)?);
    let port = u16::from_str_radix(port, 16).ok()?;
    listens.then_some((port, name))
}

/// Numbers of all processes.
///
/// # Errors
/// When the host cannot be read.
pub fn pids(host: &dyn HostView) -> Result<impl Iterator<Item = u32>> {
    let names = host.list(Path::new("/proc"))?.unwrap_or_default();
    Ok(names.into_iter().filter_map(|name| name.parse().ok()))
}

fn holds(host: &dyn HostView, pid: u32, inodes: &[String]) -> bool {
    links(host, pid).iter().any(|link| inodes.contains(link))
}

/// Sockets that a process has open. Processes end while one looks: those are none.
fn links(host: &dyn HostView, pid: u32) -> Vec<String> {
    let dir = PathBuf::from(format!("/proc/{pid}/fd"));
    let names = host.list(&dir).ok().flatten().unwrap_or_default();
    let links = names
        .iter()
        .filter_map(|n| host.read_link(&dir.join(n)).ok()?);
    links
        .map(|link| link.to_string_lossy().into_owned())
        .filter(|link| link.starts_with("socket:"))
        .collect()
}

fn of(host: &dyn HostView, pid: u32) -> Listener {
    Listener {
        pid: Some(pid),
        command: command(host, pid).join(" ").chars().take(80).collect(),
        unit: unit(host, pid),
    }
}

/// A process's command line, word by word.
#[must_use]
pub fn command(host: &dyn HostView, pid: u32) -> Vec<String> {
    let bytes = host.read(Path::new(&format!("/proc/{pid}/cmdline")));
    let bytes = bytes.ok().flatten().unwrap_or_default();
    let words = bytes.split(|b| *b == 0).filter(|w| !w.is_empty());
    words
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect()
}

/// The systemd unit that a process belongs to, from its control group.
#[must_use]
pub fn unit(host: &dyn HostView, pid: u32) -> Option<String> {
    let bytes = host.read(Path::new(&format!("/proc/{pid}/cgroup")));
    let text = String::from_utf8_lossy(&bytes.ok()??).into_owned();
    let mut parts = text.lines().flat_map(|line| line.rsplit('/'));
    let unit = parts.find(|part| part.ends_with(".service"))?;
    Some(unit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeHost;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
        \x20  1: 0100007F:9C40 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n";

    #[test]
    fn the_process_behind_a_port_is_named_with_its_unit() {
        let host = FakeHost::new()
            .with_file("/proc/net/tcp", TABLE)
            .with_file("/proc/41/cmdline", "sleep\0")
            .with_file("/proc/42/cmdline", "python3\0server.py\0")
            .with_file("/proc/42/cgroup", "0::/system.slice/old.service\n")
            .with_link("/proc/42/fd/5", "socket:[4711]");
        let found = listener(&host, 8080).unwrap().unwrap();
        assert_eq!(
            found.text(),
            "`python3 server.py` (process 42, unit old.service)"
        );
        assert_eq!(listener(&host, 40000).unwrap(), None);
        let all = listeners(&host).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].0, 8080);
    }

    #[test]
    fn a_socket_of_another_account_is_told_as_such() {
        let host = FakeHost::new().with_file("/proc/net/tcp6", TABLE);
        let found = listener(&host, 8080).unwrap().unwrap();
        assert_eq!(found.text(), "a process that this account cannot see");
    }
}
