//! The commands of `lks-ctl`: one file for each that the agent does not have, too.

mod agents;
mod bootstrap;
mod bundle;
mod connection;
mod explain;
mod lint;
mod look;
mod release;
mod serve;
mod table;
mod tour;

use crate::ssh::{SshConnector, SshOptions};
use lks_agent::cli::{self, AdhocOptions, App, Call, Io, JOB, RunOptions, SEAT, Settings, VERSION};
use lks_agent::engine::job::Findings;
use lks_agent::engine::{LocalConnector, Run};
use lks_agent::error::Result;
use std::sync::Arc;

/// The program.
pub static APP: App = App {
    name: "lks-ctl",
    about: "Runs Ansible playbooks, without Python: on this machine, or on hosts of an inventory.",
    version: env!("CARGO_PKG_VERSION"),
    commands: &[
        cli::run_command(run),
        cli::adhoc_command(adhoc),
        cli::INVENTORY,
        cli::VAULT,
        cli::CONFIG,
        lint::LINT,
        explain::EXPLAIN,
        cli::DOC,
        serve::SERVE,
        bootstrap::BOOTSTRAP,
        bundle::BUNDLE,
        look::TOKEN,
        look::HOSTS,
        look::RUNS,
        look::EVENTS,
        look::FACTS,
        release::AGENT,
        look::OPERATOR,
        tour::TOUR,
        cli::COMPLETION,
        VERSION,
        SEAT,
        JOB,
    ],
};

fn run(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    if agents::is_meant(&call.parsed) {
        return agents::run(call, io);
    }
    let settings = cli::execute::read_settings()?;
    let options = RunOptions::new(&call.parsed, &settings)?;
    let connector = SshConnector::new(ssh_options(&options, &settings)?);
    cli::execute::run_with(&options, &settings, io, Arc::new(connector))
}

fn adhoc(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let settings = cli::execute::read_settings()?;
    let options = AdhocOptions::new(&call.parsed, &settings)?;
    let connector = SshConnector::new(ssh_options(&options.run, &settings)?);
    cli::adhoc_with(&options, &settings, call, io, Arc::new(connector))
}

/// What flags and settings say of connections.
fn ssh_options(options: &RunOptions, settings: &Settings) -> Result<SshOptions> {
    Ok(SshOptions {
        private_key: options.private_key.clone(),
        password: cli::login_password(options)?,
        timeout: options.timeout.unwrap_or(10),
        retries: settings.ssh_retries,
        port: settings.remote_port.and_then(|p| u16::try_from(p).ok()),
        args: settings.ssh_args.clone(),
        common_args: options.ssh_common_args.clone(),
        extra_args: options.ssh_extra_args.clone(),
        host_key_checking: settings.host_key_checking,
    })
}

/// Playbooks read with the command line's inventory, variables and vaults, to look at and not to run.
fn looked_at(
    call: &Call<'_>,
    settings: &Settings,
    playbooks: Vec<String>,
) -> Result<(Option<Run>, Findings)> {
    let mut options = RunOptions {
        playbooks,
        inventory: call.parsed.values("inventory"),
        extra_vars: call.parsed.values("extra-vars"),
        vault_ids: call.parsed.values("vault-id"),
        vault_password_files: call.parsed.values("vault-password-file"),
        forks: 1,
        ..RunOptions::default()
    };
    if options.inventory.is_empty() {
        options.inventory.clone_from(&settings.inventory);
    }
    if options.vault_password_files.is_empty() {
        options
            .vault_password_files
            .extend(settings.vault_password_file.clone());
    }
    let job = cli::execute::job(&options, settings, Arc::new(LocalConnector))?;
    Ok(job.look(Arc::new(cli::execute::Silent)))
}
