//! The virtual machine boots with its own kernel, answers on its console, and comes back from a reboot.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::vm::Vm;
use lks_tests::rig::{Rig, can_run};

#[test]
#[ignore = "takes a minute on a calm machine: `cargo test -p lks-tests --test vm_rig -- --ignored`"]
fn a_machine_comes_back_from_a_reboot() {
    if let Err(why) = can_run(Rig::Vm) {
        return eprintln!("skipped: {why}");
    }
    let mut host = Vm::boot().expect("the machine boots");
    let before = host.exec("cat /proc/sys/kernel/random/boot_id").unwrap();
    host.exec("touch /etc/kept /run/gone && sync").unwrap();
    host.reboot().expect("the machine comes up again");
    let after = host.exec("cat /proc/sys/kernel/random/boot_id").unwrap();
    assert_ne!(before, after);
    host.exec("test -e /etc/kept && test ! -e /run/gone")
        .expect("a reboot keeps the disk and clears /run");
}
