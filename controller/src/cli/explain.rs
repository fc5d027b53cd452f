//! `explain`: where a variable comes from, or what a task would be told, for one host.

use crate::explain::{human, task, variable};
use lks_agent::cli::execute;
use lks_agent::cli::{Args, Call, Command, Complete, Flag, Io, exit};
use lks_agent::engine::Run;
use lks_agent::error::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The command.
pub const EXPLAIN: Command = Command {
    name: "explain",
    called_as: None,
    summary: "Show where a variable comes from, or what a task would be told",
    details: DETAILS,
    args: Args {
        usage: "VARIABLE|TASK PLAYBOOK...",
        complete: Complete::File,
    },
    flags: FLAGS,
    body,
};

const DETAILS: &str = "
A variable: every definition in order of precedence with its place, which one wins and why, and its \
value. A task (its name or a part of it, `FILE:LINE`, or its number in the order of `--list-tasks`): its \
arguments, conditions and loop after templating, and where each keyword comes from. What only a run can \
know (facts, results) is said to be unknown. Secrets are masked. Nothing runs.
";

static FLAGS: &[Flag] = &[
    Flag::one(
        &["host"],
        "HOST",
        "The host (default: the first one of the plays).",
    ),
    Flag::many(
        &["inventory", "inventory-file"],
        "PATH|HOSTS",
        "An inventory.",
    )
    .short('i')
    .complete(Complete::File),
    Flag::many(
        &["extra-vars"],
        "VARS",
        "Variables that a run will be given.",
    )
    .short('e')
    .complete(Complete::File),
    Flag::switch(
        &["variable"],
        "The name is that of a variable, even if a task has it, too.",
    ),
    Flag::switch(&["task"], "The name is that of a task."),
    Flag::switch(&["json"], "As JSON.").short('j'),
    Flag::many(
        &["vault-id"],
        "ID",
        "A vault's label and where its password is.",
    ),
    Flag::many(
        &["vault-password-file"],
        "FILE",
        "A file with a vault's password.",
    )
    .complete(Complete::File),
];

fn body(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let (name, playbooks) = match call.parsed.args.as_slice() {
        [name, playbooks @ ..] if !playbooks.is_empty() => (name, playbooks),
        _ => {
            return Err(Error::new(
                ErrorKind::Usage,
                "a variable or task, and a playbook are needed",
            ));
        }
    };
    let run = read(call, playbooks, io)?;
    let host = host(call, &run)?;
    let is_identifier = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    let tasks = || -> Result<(Json, String)> {
        let found = task::find(&run, name)?;
        let reports: Vec<Json> = found.iter().map(|p| task::report(&run, p, &host)).collect();
        let text = reports.iter().map(human::task).collect();
        Ok((json!({"tasks": reports}), text))
    };
    let variables = || -> Result<(Json, String)> {
        let report = variable::report(&run, name, &host)?;
        let text = human::variable(&report);
        Ok((report, text))
    };
    let parsed = &call.parsed;
    let (report, text) = if parsed.has("task") {
        tasks()?
    } else if parsed.has("variable") {
        variables()?
    } else if is_identifier {
        // A task may have a name of one word; that there is no such variable is the better answer.
        variables().or_else(|error| tasks().map_err(|_| error))?
    } else {
        tasks()?
    };
    if parsed.has("json") {
        io.print(&format!("{report:#}\n"));
    } else {
        io.print(&text);
    }
    Ok(exit::OK)
}

fn read(call: &Call<'_>, playbooks: &[String], io: &mut Io<'_>) -> Result<Run> {
    let settings = execute::read_settings()?;
    let (run, mut findings) = super::looked_at(call, &settings, playbooks.to_vec())?;
    match run {
        // Mistakes elsewhere do not keep what could be read from being explained.
        Some(run) if !run.playbooks.is_empty() => {
            for error in &findings.errors {
                io.complain(&format!("[ERROR]: {error}\n\n"));
            }
            Ok(run)
        }
        _ => Err(if findings.errors.is_empty() {
            Error::new(ErrorKind::Syntax, "nothing could be read")
        } else {
            findings.errors.swap_remove(0)
        }),
    }
}

fn host(call: &Call<'_>, run: &Run) -> Result<Arc<str>> {
    let hosts: Vec<Arc<str>> = run.groups.matching("all", None, "")?;
    let Some(wanted) = call.parsed.value("host") else {
        let plays = run.playbooks.iter().flat_map(|(_, plays)| plays);
        let first = plays.flat_map(|p| run.hosts_in(p)).next();
        return first.or_else(|| hosts.first().cloned()).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the inventory has no hosts")
                .hint("name one with `-i HOST,`")
        });
    };
    let found = hosts.iter().find(|h| &***h == wanted).cloned();
    found.ok_or_else(|| {
        Error::new(ErrorKind::Usage, format!("no host is called `{wanted}`"))
            .did_you_mean(wanted, hosts.iter().map(|h| &**h))
    })
}
