//! `tour`: the main job on a playbook of our own, in a folder of its own, anywhere.

use lks_agent::cli::{Args, Call, Command, Io, RunOptions, Settings, execute, exit};
use lks_agent::engine::LocalConnector;
use lks_agent::error::Result;
use lks_agent::host::here;
use std::sync::Arc;

/// The playbook of the tour.
const PLAYBOOK: &str = include_str!("../../../playbooks/tour.yml");

/// The command.
pub const TOUR: Command = Command {
    name: "tour",
    called_as: None,
    summary: "Show what lks does, on a small playbook in a temporary folder",
    details: "Checks the playbook with differences, runs it, and runs it again: the second run \
              changes nothing. Needs no root, no network and no inventory.\n",
    args: Args::NONE,
    flags: &[],
    body: tour,
};

fn tour(_: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let folder = here::private_folder()?;
    let playbook = folder.join("tour.yml");
    here::write(&playbook, PLAYBOOK.as_bytes(), 0o644)?;
    let mut options = RunOptions {
        playbooks: vec![playbook.display().to_string()],
        extra_vars: vec![format!("tour_dir={}/host", folder.display())],
        forks: 5,
        ..RunOptions::default()
    };
    for (title, check) in [
        ("What would change? (lks-ctl run --check --diff)", true),
        ("Change it (lks-ctl run)", false),
        ("Again: nothing left to do", false),
    ] {
        io.print(&format!("\n=== {title}\n"));
        (options.check, options.diff) = (check, check);
        let code = execute::run_with(&options, &Settings::default(), io, Arc::new(LocalConnector))?;
        if code != exit::OK {
            return Ok(code);
        }
    }
    io.print(&format!(
        "\nThe playbook and what it made are in {}; a file of yours runs the same way:\n  lks-ctl run site.yml\n",
        folder.display()
    ));
    Ok(exit::OK)
}
