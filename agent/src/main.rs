//! `lks-agent`: playbooks on the host itself, with no controller.

use lks_agent::cli::{self, AdhocOptions, App, Call, Io, JOB, SEAT, VERSION};
use lks_agent::engine::LocalConnector;
use lks_agent::error::Result;
use lks_agent::host::{complete_environment, here};
use std::sync::Arc;

static APP: App = App {
    name: "lks-agent",
    about: "Runs Ansible playbooks on its own host: no Python, no SSH, nothing to install.",
    version: env!("CARGO_PKG_VERSION"),
    commands: &[
        cli::run_command(run),
        cli::adhoc_command(adhoc),
        cli::INVENTORY,
        cli::VAULT,
        cli::CONFIG,
        cli::DAEMON,
        cli::DOC,
        cli::COMPLETION,
        VERSION,
        SEAT,
        JOB,
    ],
};

fn run(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    cli::execute::run(call, io, Arc::new(LocalConnector))
}

fn adhoc(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let settings = cli::execute::read_settings()?;
    let options = AdhocOptions::new(&call.parsed, &settings)?;
    cli::adhoc_with(&options, &settings, call, io, Arc::new(LocalConnector))
}

fn main() {
    complete_environment();
    std::process::exit(cli::main(&APP, &here::arguments()));
}
