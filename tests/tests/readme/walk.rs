//! The machines of the walk, and what is typed there.

use crate::steps::{At, Ends, Step};
use lks_tests::aws;
use lks_tests::postgres::{self, Postgres};
use lks_tests::rig::cloud::{self, Cloud};
use lks_tests::rig::container::Machine;
use lks_tests::rig::options::{agent, ctl};
use lks_tests::rig::services::Surroundings;
use lks_tests::rig::shell::Shell;
use lks_tests::rig::{Failure, Result, Rig, can_run, ensure, process, rootfs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The network's names: the controller's machine has all of them but AWS's.
const NAMES: &str = "127.0.0.1 localhost
10.77.0.1 ctl.example.org github.com db.example.org
10.77.0.40 sts.us-east-1.amazonaws.com s3.us-east-1.amazonaws.com
";

/// The playbook that the section calls `site.yml`; the README's own needs an NFS server and a package index.
const SITE: &str = "- hosts: all
  become: true
  tasks:
    - name: Note where the models are
      copy:
        content: \"{{ efs_ip }}:/\\n\"
        dest: /etc/models
    - name: Make the mount point
      file:
        path: /share
        state: directory
";

/// The operator, who is not root, in a folder with `lks-agent` and `site.yml` in it.
const OPERATOR: &str = "useradd -m -s /bin/bash ada && install -d -o ada /home/ada/fleet";
const FOLDER: &str = "/home/ada/fleet";

/// Everything there is. Fields are dropped in order: the network, which all of it lives in, at last.
pub struct Walk {
    /// Where the operator types.
    pub operator: Shell,
    /// Where root of the host types that is set up by hand.
    pub host: Option<Shell>,
    /// The controller's machine.
    pub controller: Machine,
    /// The hosts.
    pub hosts: BTreeMap<&'static str, Machine>,
    /// What a reader fills in.
    pub words: BTreeMap<&'static str, String>,
    /// What the operator typed.
    pub typed: Vec<String>,
    /// What a step leaves for a later one to compare with.
    pub noted: Value,
    /// The agent's program.
    pub agent: PathBuf,
    /// AWS.
    pub cloud: Cloud,
    /// The database of several controllers.
    pub database: Option<Postgres>,
    /// The network.
    pub around: Surroundings,
}

impl Walk {
    /// Boots the controller's machine; the error says why this machine cannot.
    pub fn begin() -> Result<Self> {
        can_run(Rig::Container)?;
        aws::python()?;
        ensure(postgres::is_installed(), "PostgreSQL is not installed")?;
        let agent = agent().expect("the agent's binary");
        let ctl = ctl().expect("lks-ctl's binary");
        Ok(Self::boot(agent, &ctl).expect("the machines"))
    }

    fn boot(agent: PathBuf, ctl: &Path) -> Result<Self> {
        let mut around = Surroundings::bare()?;
        let cloud = Cloud::on_loopback(&mut around)?;
        let controller = Machine::boot(&around.namespace, "controller", |root| {
            rootfs::write(root, "etc/hostname", "controller\n")?;
            rootfs::write(root, "etc/hosts", NAMES)
        })?;
        controller.exec(OPERATOR)?;
        controller.copy_in(ctl, "/usr/local/bin/lks-ctl")?;
        controller.copy_in(&agent, &format!("{FOLDER}/lks-agent"))?;
        rootfs::write(
            &controller.root(),
            &format!("{}/site.yml", &FOLDER[1..]),
            SITE,
        )?;
        Ok(Self {
            operator: operator(&controller)?,
            host: None,
            controller,
            hosts: BTreeMap::new(),
            words: BTreeMap::new(),
            typed: Vec::new(),
            noted: Value::Null,
            agent,
            cloud,
            database: None,
            around,
        })
    }

    /// Types a line as it is printed, but for what a reader fills in.
    pub fn carry_out(&mut self, step: &Step, line: &str) -> Result<()> {
        (step.before)(self)?;
        let line = self.fill(line);
        self.typed.push(line.clone());
        let shell = match (step.at, &mut self.host) {
            (At::Operator, _) => &mut self.operator,
            (At::Host, Some(host)) => host,
            (At::Host, None) => return Err(Failure::new("there is no host yet")),
        };
        let said = match step.ends {
            Ends::Well => {
                let (status, said) = shell.type_line(&line)?;
                ensure(status == 0, format_args!("status {status}: {said}"))?;
                said
            }
            Ends::Never(printed) => shell.type_until(&line, printed)?,
        };
        (step.after)(self, &said)
    }

    /// Whether a command of the text was typed: all of its words, in their order; what is written in capitals
    /// stands for any word.
    pub fn has_typed(&self, command: &str) -> bool {
        self.typed.iter().any(|line| {
            let mut words = line.split_whitespace().map(|word| word.trim_matches('\''));
            let stands = |word: &str| word.chars().all(|c| c.is_ascii_uppercase());
            command
                .split(' ')
                .all(|part| words.any(|word| word == part || stands(part)))
        })
    }

    fn fill(&self, line: &str) -> String {
        let words = self.words.iter();
        words.fold(line.to_owned(), |line, (word, what)| {
            line.replace(word, what)
        })
    }

    /// What the operator is told by a line of their own; a non-zero end is an error.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        self.typed.push(line.to_owned());
        let (status, said) = self.operator.type_line(line)?;
        ensure(
            status == 0,
            format_args!("`{line}`: status {status}: {said}"),
        )?;
        Ok(said)
    }

    /// The same, as JSON.
    pub fn json(&mut self, line: &str) -> Result<Value> {
        let said = self.ask(line)?;
        serde_json::from_str(&said).map_err(|e| Failure::new(format!("`{line}`: {e}: {said}")))
    }

    /// The row of a host in the controller's list.
    pub fn listed(&mut self, name: &str) -> Result<Value> {
        let hosts = self.json("lks-ctl hosts --json")?;
        let rows = hosts.as_array().cloned().unwrap_or_default();
        Ok(rows
            .into_iter()
            .find(|h| h["name"] == name)
            .unwrap_or_default())
    }

    /// Looks until it is so.
    pub fn until(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        while !look(self)? {
            ensure(
                start.elapsed() < Duration::from_secs(60),
                format_args!("not within a minute: {what}"),
            )?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Boots a host that knows nothing.
    pub fn boot_host(&mut self, name: &'static str) -> Result<()> {
        let host = Machine::boot(&self.around.namespace, name, |root| {
            rootfs::write(root, "etc/hostname", &format!("{name}\n"))?;
            rootfs::write(root, "etc/hosts", NAMES)
        })?;
        self.hosts.insert(name, host);
        Ok(())
    }

    /// Boots a host with cloud-init that is given the operator's `user-data`.
    pub fn launch(&mut self, name: &'static str) -> Result<()> {
        let user_data = self.controller.exec(&format!("cat {FOLDER}/user-data"))?;
        self.cloud.launch_with(&user_data)?;
        let host = Machine::boot(&self.around.namespace, name, |root| {
            cloud::container_image(root)?;
            rootfs::write(root, "etc/hostname", &format!("{name}\n"))?;
            let keep = "preserve_hostname: true\n";
            rootfs::write(root, "etc/cloud/cloud.cfg.d/95_name.cfg", keep)?;
            rootfs::write(root, "etc/hosts", NAMES)
        })?;
        self.hosts.insert(name, host);
        Ok(())
    }

    /// Starts the database at `db.example.org`, with the password that is filled in.
    pub fn start_database(&mut self, password: &str) -> Result<()> {
        let namespace = &self.around.namespace;
        let enter = |program: &str| namespace.command(program);
        let database = Postgres::start_at("10.77.0.1", 5432, "db.example.org", enter);
        let database = database.map_err(Failure::new)?;
        let made = database.psql("CREATE DATABASE lks");
        made.and_then(|_| database.wants_password(password))
            .map_err(Failure::new)?;
        self.controller
            .copy_in(&database.root(), "/etc/lks/db.crt")?;
        self.controller.exec("chmod 644 /etc/lks/db.crt")?;
        self.words.insert("PASSWORD", password.into());
        self.database = Some(database);
        Ok(())
    }

    /// Carries files of the operator's to a host, into root's home.
    pub fn carry(&self, files: &[&str], host: &str) -> Result<()> {
        for file in files {
            let from = self.controller.root().join(&FOLDER[1..]).join(file);
            self.hosts[host].copy_in(&from, &format!("/root/{file}"))?;
        }
        Ok(())
    }

    /// A shell of root's on a host.
    pub fn root_of(&self, host: &str) -> Result<Shell> {
        Shell::start(&mut self.hosts[host].command("bash"))
    }

    /// Another shell of the operator's, who knows the controller.
    pub fn second_terminal(&mut self) -> Result<()> {
        let mut shell = operator(&self.controller)?;
        shell.type_line("export LKS_CONTROLLER=~/lks-data/admin.json")?;
        // The first one goes on.
        let first = std::mem::replace(&mut self.operator, shell);
        self.host = Some(first);
        Ok(())
    }

    /// What the machines say of themselves, for whoever reads of a failure.
    pub fn state(&mut self) -> String {
        let mut told = format!("operator: {}\n", self.operator.said());
        if let Some(host) = &self.host {
            told += &format!("at the host: {}\n", host.said());
        }
        for (name, host) in &self.hosts {
            let script = "journalctl --no-pager -u lks-agent | tail -n 20; tail -n 20 /var/log/cloud-init-output.log";
            let said = host.try_exec(script);
            let said = said.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
            told += &format!("{name}: {}\n", process::tail(&said.unwrap_or_default()));
        }
        told
    }
}

fn operator(machine: &Machine) -> Result<Shell> {
    let enter = format!("cd {FOLDER} && exec bash");
    Shell::start(machine.command("runuser").args(["-l", "ada", "-c", &enter]))
}
