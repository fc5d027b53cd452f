//! The commands of `lks-ctl`: one file for each that the agent does not have, too.

mod tour;

use lks_agent::cli::{self, App, Call, Io, SEAT, VERSION};
use lks_agent::engine::LocalConnector;
use lks_agent::error::Result;
use std::sync::Arc;

/// The program.
pub static APP: App = App {
    name: "lks-ctl",
    about: "Runs Ansible playbooks, without Python: on this machine, or on hosts of an inventory.",
    version: env!("CARGO_PKG_VERSION"),
    commands: &[
        cli::run_command(run),
        cli::lint_command(lint),
        cli::DOC,
        tour::TOUR,
        cli::COMPLETION,
        VERSION,
        SEAT,
    ],
};

fn run(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    cli::execute::run(call, io, Arc::new(LocalConnector))
}

fn lint(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    cli::execute::lint(call, io, Arc::new(LocalConnector))
}
