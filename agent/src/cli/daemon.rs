//! The command `daemon`: the agent as a service.

use super::app::{Args, Command};
use super::execute;
use super::flag::{Complete, Flag};
use super::parse::{Parsed, usage};
use super::run::RunOptions;
use super::run_flags::RUN_FLAGS;
use super::settings::{Settings, Sources};
use crate::bundle::Index;
use crate::engine::LocalConnector;
use crate::engine::job::Job;
use crate::error::Result;
use crate::host::here;
use crate::uplink::join::Join;
use crate::uplink::{self, Daemon, update};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `daemon`.
pub const DAEMON: Command = Command {
    name: "daemon",
    called_as: None,
    summary: "Enrol this host with a controller, and carry out what it is given",
    details: "Runs until it is killed, and goes on where it was killed: tasks that are done are not run \
again. Only bundles that one of the keys of `--bundle-keys` signed are run.\n",
    args: Args::NONE,
    flags: FLAGS,
    body: |call, _| {
        let value = |name: &str| call.parsed.value(name).map(String::from);
        let needed = |name: &str| value(name).ok_or_else(|| usage(format!("--{name} is missing")));
        let settings = uplink::Settings {
            controller: needed("controller")?,
            pin: needed("pin")?,
            name: value("name"),
            join: Join::named(value("join").as_deref().unwrap_or("auto"))
                .ok_or_else(|| usage("--join is one of auto, token, iam and iid"))?,
            token_file: value("token-file").map(PathBuf::from),
            bundle_keys: PathBuf::from(needed("bundle-keys")?),
            state: PathBuf::from(value("state").unwrap_or_else(|| "/var/lib/lks-agent".into())),
            notice: value("notice").map(PathBuf::from),
            probation: call
                .parsed
                .number("probation")?
                .unwrap_or(update::PROBATION),
            wire: value("wire"),
        };
        if call.parsed.has("trial") {
            Daemon::try_out(&settings)?;
        } else {
            Daemon::start(settings, prepare, prepare_local)?.work()?;
        }
        Ok(super::exit::OK)
    },
};

static FLAGS: &[Flag] = &[
    Flag::one(
        &["controller"],
        "URL",
        "The controller's address, https://HOST:PORT.",
    ),
    Flag::one(
        &["pin"],
        "SHA256",
        "SHA-256 of the certificate of the controller's authority; `lks-ctl serve` prints it.",
    ),
    Flag::one(
        &["name"],
        "NAME",
        "This host's name. If not given: the instance's id where AWS lets it in, else its name in the network.",
    ),
    Flag::one(
        &["join"],
        "METHOD",
        "How it is let in: by a token, by its role's signature (iam, with its identity document), or by its \
identity document alone (iid). If not given: by the token if there is one, by iam on EC2.",
    )
    .words(&["auto", "token", "iam", "iid"]),
    Flag::one(
        &["token-file"],
        "FILE",
        "A file with a join token: needed once, and removed when it is used.",
    )
    .complete(Complete::File),
    Flag::one(
        &["bundle-keys"],
        "FILE",
        "The public keys that sign bundles, one a line.",
    )
    .complete(Complete::File),
    Flag::one(
        &["state"],
        "DIR",
        "Where the agent keeps what it knows. /var/lib/lks-agent if not given.",
    )
    .complete(Complete::Directory),
    Flag::one(
        &["probation"],
        "SECONDS",
        "How long a new version of this program has to report before the old one is put back. 60 if not given.",
    ),
    Flag::switch(
        &["trial"],
        "Ask for work once as the enrolled host, and end: what a new version must be able to.",
    ),
    Flag::one(
        &["wire"],
        "VERSION",
        "The version of the protocol to name, to try an older or newer controller. Its own if not given.",
    ),
    Flag::one(
        &["notice"],
        "PLAYBOOK",
        "A playbook of this host that is run when EC2 gives notice (a spot interruption, or the recommendation \
to rebalance): `playbooks/drain.yml` takes it out of service. It sees `lks_notice` and `lks_notice_seconds`.",
    )
    .complete(Complete::File),
];

/// The job that a bundle describes, for the host of this name.
///
/// # Errors
/// When its flags are wrong.
pub fn prepare(index: &Index, root: &Path, name: &str) -> Result<Job> {
    let entry = &index.entry;
    let below = |path: &String| root.join(path).display().to_string();
    let mut arguments: Vec<String> = entry.flags.clone();
    for path in &entry.vars_files {
        arguments.push(format!("--extra-vars=@{}", below(path)));
    }
    for path in &entry.inventory {
        arguments.push(format!("--inventory={}", below(path)));
    }
    if entry.inventory.is_empty() {
        arguments.push(format!("--inventory={name},"));
    }
    arguments.push(format!("--limit={name}"));
    arguments.push("--connection=local".into());
    arguments.push("--".into());
    arguments.extend(entry.playbooks.iter().map(below));
    read(&arguments, root)
}

/// The job of a playbook that lies on this host, with more variables.
///
/// # Errors
/// When the settings beside it are wrong.
pub fn prepare_local(playbook: &Path, name: &str, variables: &[String]) -> Result<Job> {
    let mut arguments = vec![
        format!("--inventory={name},"),
        "--connection=local".to_owned(),
    ];
    arguments.extend(variables.iter().map(|v| format!("--extra-vars={v}")));
    arguments.extend(["--".to_owned(), playbook.display().to_string()]);
    read(&arguments, playbook.parent().unwrap_or(Path::new("/")))
}

fn read(arguments: &[String], root: &Path) -> Result<Job> {
    let parsed = Parsed::read(RUN_FLAGS, arguments)?;
    let file = here::read_text(&root.join("ansible.cfg"))?;
    let dir = root.display().to_string();
    // The bundle's settings, not the host's: what runs is what was signed.
    let settings = Settings::read(&Sources {
        file: file.as_deref().map(|text| (text, dir.as_str())),
        env: &|_| None,
    })?;
    let options = RunOptions::new(&parsed, &settings)?;
    let mut job = execute::job(&options, &settings, Arc::new(LocalConnector))?;
    job.vault = job.vault.hiding();
    Ok(job)
}
