//! An EC2 instance from its launch to a report, in a systemd container: real cloud-init, a metadata service
//! that knows IMDSv2 only, a real controller. `rig launch` does the same with a kernel of its own.
//! The first instance joins by its role and has the agent from the controller; the second has to show its
//! identity document besides, and has the agent from S3.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::aws::Signer;
use lks_tests::rig::cloud::{self, Cloud};
use lks_tests::rig::container::Container;
use lks_tests::rig::controller::Controller;
use lks_tests::rig::options::agent;
use lks_tests::rig::services::Surroundings;
use lks_tests::rig::{Rig, can_run, process, reported};
use std::path::{Path, PathBuf};
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

/// The region and the controller before there is an instance; `None`, and why, where they cannot be.
struct Before {
    agent: PathBuf,
    around: Surroundings,
    cloud: Cloud,
}

impl Before {
    fn new() -> Option<Self> {
        let ready = can_run(Rig::Container).and_then(|()| lks_tests::aws::python().map(drop));
        if let Err(why) = ready {
            eprintln!("skipped: {why}");
            return None;
        }
        let mut around = Surroundings::bare().expect("a network");
        Some(Self {
            agent: agent().expect("the agent's binary"),
            cloud: Cloud::on_loopback(&mut around).expect("a region"),
            around,
        })
    }
}

/// Assigns the playbook to new hosts; user-data for them.
fn user_data(controller: &Controller, around: &Surroundings, agent: &Path, url: &str) -> String {
    let site = controller.site().join("site.yml");
    std::fs::write(&site, SITE).expect("a playbook");
    let call = |words: &[&str]| controller.call(around, words).expect("lks-ctl");
    let site = site.display().to_string();
    call(&["bundle", "assign", "--hosts", "i-*", &site]);
    let path = agent.display().to_string();
    call(&["bootstrap", "--agent", &path, "--agent-url", url])
}

/// Waits for the end of the one run, and gives its name.
fn ended(controller: &Controller, host: &mut Container) -> String {
    let run = until(host, |host| {
        let run = controller.run(host.around()).expect("the controller");
        run.and_then(|(run, status)| status.map(|status| (run, status)))
    });
    let (run, status) = run;
    let told = controller.call(host.around(), &["events", &run]);
    assert_eq!(status, 0, "{told:?}");
    run
}

/// Looks until there is something.
fn until<T>(host: &mut Container, mut look: impl FnMut(&mut Container) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look(host) {
            return found;
        }
        assert!(
            Instant::now() < end,
            "{}\n{}",
            process::tail(&host.console()),
            host.exec("cloud-init status --long; journalctl -u lks-agent; tail -n 30 /var/log/cloud-init.log")
                .unwrap_or_else(|failure| failure.to_string())
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_instance_configures_itself_from_its_user_data() {
    let Some(mut before) = Before::new() else {
        return;
    };
    let controller = Controller::start(&mut before.around, &before.agent).expect("a controller");
    let user_data = user_data(&controller, &before.around, &before.agent, "controller");
    before.cloud.launch_with(&user_data).expect("user-data");

    let mut host =
        Container::boot_in(before.around, cloud::container_image).expect("the container boots");
    let run = ended(&controller, &mut host);
    let events = controller.events(host.around(), &run).expect("events");
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
        [before.cloud.instance]
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

#[test]
fn an_instance_shows_its_identity_document_and_has_its_agent_from_s3() {
    let Some(mut before) = Before::new() else {
        return;
    };
    let region = before.around.namespace.dir().join("region");
    let region = Signer::make(&region).expect("openssl");
    let stranger = before.around.namespace.dir().join("stranger");
    let stranger = Signer::make(&stranger).expect("openssl");
    let (around, cloud) = (&mut before.around, &mut before.cloud);
    cloud
        .keep(around, "lks-boot", "agents/lks-agent", &before.agent)
        .expect("S3");
    let certificate = region.certificate().display().to_string();
    let flags = ["--join", "iam+iid", "--identity-certificates", &certificate];
    let controller = Controller::start_with(around, &before.agent, &flags).expect("a controller");
    let url = "s3://lks-boot/agents/lks-agent";
    let user_data = user_data(&controller, around, &before.agent, url);
    cloud.launch_with(&user_data).expect("user-data");
    // A document that somebody else signed, at first.
    cloud.sign_identity(&stranger).expect("openssl");

    let mut host =
        Container::boot_in(before.around, cloud::container_image).expect("the container boots");
    until(&mut host, |host| {
        let told = host.exec("journalctl --no-pager -u lks-agent").ok()?;
        told.contains("was not signed by its region's certificate")
            .then_some(())
    });
    let nobody = controller.hosts(host.around()).expect("hosts");
    assert!(nobody.is_empty(), "{nobody:?}");
    // The service goes on trying, and is let in with the region's.
    before.cloud.sign_identity(&region).expect("openssl");
    ended(&controller, &mut host);
    let audit = controller.audit(host.around()).expect("the audit log");
    assert!(audit.contains("iam and identity document"), "{audit}");
    assert_eq!(
        controller.hosts(host.around()).expect("hosts"),
        [before.cloud.instance]
    );
    let said = host
        .exec("cat /var/log/cloud-init-output.log")
        .expect("cloud-init's log");
    assert!(
        said.contains(&format!("lks: fetching {url}")) && !said.contains("nothing came"),
        "{said}"
    );
}
