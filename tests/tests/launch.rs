//! An EC2 instance from its launch to a report, in a systemd container: real cloud-init, a metadata service
//! that knows IMDSv2 only, a real controller. `rig launch` does the same with a kernel of its own.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::cloud::{self, Cloud};
use lks_tests::rig::container::Container;
use lks_tests::rig::controller::Controller;
use lks_tests::rig::options::agent;
use lks_tests::rig::services::Surroundings;
use lks_tests::rig::{Rig, can_run, process, reported};
use std::time::{Duration, Instant};

const SITE: &str = "- hosts: all
  tasks:
    - name: A command makes a file
      command: touch /var/lib/made
      args: {creates: /var/lib/made}
    - name: Others may read it, as if it had been made over SSH
      stat: {path: /var/lib/made}
      register: made
      failed_when: made.stat.mode != '0644'
";

#[test]
fn an_instance_configures_itself_from_its_user_data() {
    let ready = can_run(Rig::Container).and_then(|()| lks_tests::aws::python().map(drop));
    if let Err(why) = ready {
        return eprintln!("skipped: {why}");
    }
    let agent = agent().expect("the agent's binary");
    let mut around = Surroundings::bare().expect("a network");
    let mut cloud = Cloud::on_loopback(&mut around).expect("a region");
    let controller = Controller::start(&mut around, &agent).expect("a controller");
    let site = controller.site().join("site.yml");
    std::fs::write(&site, SITE).expect("a playbook");
    let call = |words: &[&str]| controller.call(&around, words).expect("lks-ctl");
    call(&[
        "bundle",
        "assign",
        "--hosts",
        "i-*",
        &site.display().to_string(),
    ]);
    let path = agent.display().to_string();
    let user_data = call(&["bootstrap", "--agent", &path, "--agent-url", "controller"]);
    cloud.launch_with(&user_data).expect("user-data");

    let mut host = Container::boot_in(around, cloud::container_image).expect("the container boots");
    let end = Instant::now() + Duration::from_secs(120);
    let (run, status) = loop {
        if let Some((run, Some(status))) = controller.run(host.around()).expect("the controller") {
            break (run, status);
        }
        assert!(
            Instant::now() < end,
            "{}\n{}",
            process::tail(&host.console()),
            host.exec("cloud-init status --long; tail -n 30 /var/log/cloud-init.log")
                .unwrap_or_else(|failure| failure.to_string())
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    let events = controller.events(host.around(), &run).expect("events");
    let told = controller.call(host.around(), &["events", &run]);
    assert_eq!(status, 0, "{told:?}");
    let tasks = reported::complete(&events).expect("all of it is there");
    let told: Vec<_> = tasks.iter().map(|t| (&*t.name, &*t.status)).collect();
    assert_eq!(
        told,
        [
            ("Gathering Facts", "ok"),
            ("A command makes a file", "changed"),
            ("Others may read it, as if it had been made over SSH", "ok"),
        ]
    );
    assert_eq!(
        controller.hosts(host.around()).expect("hosts"),
        [cloud.instance]
    );
    let told = host
        .exec("cloud-init status --wait; cloud-id")
        .expect("cloud-init");
    assert!(
        told.contains("status: done") && told.ends_with("aws\n"),
        "{told}"
    );

    // Stopped and started, it is who it was, and nothing is given to it again.
    host.reboot().expect("the container comes up again");
    host.exec("systemctl is-active lks-agent")
        .expect("the agent is there");
    let run = controller.run(host.around()).expect("one run");
    assert_eq!(run.map(|(_, status)| status), Some(Some(0)));
}
