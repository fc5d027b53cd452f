//! The lighter rig boots, is a real systemd host, and goes.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::container::Container;
use lks_tests::rig::{Rig, can_run};

#[test]
fn a_container_is_a_systemd_host() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let mut host = Container::boot().expect("the container boots");
    let state = host.exec("systemctl is-active systemd-journald.service");
    assert_eq!(state.expect("the unit is active"), "active\n");
    assert_eq!(host.exec("cat /proc/1/comm").unwrap(), "systemd\n");
    assert_eq!(host.exec("echo $HOME; pwd").unwrap(), "/root\n/root\n");

    host.copy_in(std::path::Path::new("/bin/true"), "/opt/new/true")
        .expect("a file goes in");
    host.exec("/opt/new/true && touch /run/gone /etc/kept")
        .unwrap();
    host.reboot().expect("the container comes up again");
    host.exec("test -e /etc/kept && test ! -e /run/gone")
        .expect("a reboot keeps the disk and clears /run");
}
