//! SELinux contexts, on whatever kernel this is: labels are extended attributes, and what says that the
//! kernel has SELinux is a file, which a mount namespace of the test's own has.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::options::agent;
use lks_tests::rig::setup;
use std::process::Command;

const PLAYBOOK: &str = "
- hosts: localhost
  gather_facts: false
  tasks:
    - file: {path: FOLDER/old, setype: httpd_sys_content_t, selevel: s0}
    - file: {path: FOLDER/old, setype: _default}
    - copy: {content: x, dest: FOLDER/old, seuser: system_u}
";

#[test]
fn a_context_is_set_part_by_part_and_a_second_run_changes_nothing() {
    if setup::root().is_err() {
        return eprintln!("skipped: only root can have a mount namespace and labels");
    }
    let folder = std::env::temp_dir().join(format!("lks-selinux-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let at = folder.display().to_string();
    std::fs::write(folder.join("old"), "x").expect("a file");
    std::fs::write(folder.join("play.yml"), PLAYBOOK.replace("FOLDER", &at)).expect("a playbook");
    // The policy of this machine that has none.
    let policy = "#!/bin/sh\necho staff_u:object_r:httpd_sys_content_t:s0\n";
    std::fs::write(folder.join("matchpathcon"), policy).expect("a program");
    let labelled = sh(&format!(
        "chmod 755 {at}/matchpathcon && chcon user_u:object_r:tmp_t:s1 {at}/old"
    ));
    if let Err(why) = labelled {
        return eprintln!("skipped: this file system keeps no labels: {why}");
    }
    let run = format!(
        "PATH={at}:$PATH unshare --mount sh -c 'mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && \
         touch /sys/fs/selinux/enforce && {} run {at}/play.yml'",
        agent().expect("the agent's binary").display()
    );
    let first = sh(&run).expect("the first run ends well");
    assert!(first.contains("changed=2"), "{first}");
    let label = sh(&format!("stat -c %C {at}/old")).expect("a label");
    assert_eq!(label.trim(), "system_u:object_r:httpd_sys_content_t:s0");
    let second = sh(&run).expect("the second run ends well");
    assert!(second.contains("changed=0"), "{second}");
    let _ = std::fs::remove_dir_all(&folder);
}

fn sh(script: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-c", script]).output();
    let output = output.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(text + &String::from_utf8_lossy(&output.stderr)),
    }
}
