//! What a run would do, printed instead of done: hosts, tasks, tags.

use super::{read_inventory, warn};
use crate::cli::app::Io;
use crate::cli::exit;
use crate::cli::list::{ListedPlay, ListedPlaybook, ListedTask, Listing};
use crate::cli::run::RunOptions;
use crate::cli::settings::Settings;
use crate::engine::Run;
use crate::engine::adhoc::Adhoc;
use crate::error::{Error, Result};
use crate::playbook::keyword::plain_text;
use crate::playbook::play::Play;
use crate::playbook::task::{Item, Task};
use std::sync::Arc;

/// `adhoc --list-hosts`.
///
/// # Errors
/// When inventory or pattern are wrong.
pub(in crate::cli) fn list_hosts(
    options: &RunOptions,
    settings: &Settings,
    task: &Adhoc,
    io: &mut Io<'_>,
) -> Result<i32> {
    let (groups, findings) = read_inventory(options, settings, std::slice::from_ref(&task.dir))?;
    warn(&findings, settings, io);
    let limit = options.limit.as_deref();
    let hosts = groups.matching(task.hosts(), limit, "")?;
    if hosts.is_empty() {
        for part in groups.unmatched(task.hosts())? {
            io.complain(&format!(
                "[WARNING]: Could not match supplied host pattern, ignoring: {part}\n"
            ));
        }
        if limit.is_some_and(|l| !l.is_empty()) {
            return Err(Error::host(
                "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
            ));
        }
        io.complain("[WARNING]: No hosts matched, nothing to do\n");
    }
    let mut text = format!("  hosts ({}):\n", hosts.len());
    for host in hosts {
        text.push_str(&format!("    {host}\n"));
    }
    io.print(&text);
    Ok(exit::OK)
}

pub(super) fn list(run: &Run, options: &RunOptions, io: &mut Io<'_>) -> Result<i32> {
    let listing = Listing {
        hosts: options.list_hosts,
        tasks: options.list_tasks,
        tags: options.list_tags,
    };
    // Without a choice of tags, `--list-tags` also shows those that never run by themselves.
    let every = options.list_tags && options.tags.is_empty() && options.skip_tags.is_empty();
    io.print(&listing.text(&listed(run, every)?));
    Ok(exit::OK)
}

/// What would run, for `--list-…`.
pub(super) fn listed(run: &Run, every: bool) -> Result<Vec<ListedPlaybook>> {
    let mut out = Vec::new();
    for (path, plays) in &run.playbooks {
        out.push(ListedPlaybook {
            path: path.clone(),
            plays: plays
                .iter()
                .map(|play| listed_play(run, every, play))
                .collect::<Result<_>>()?,
        });
    }
    Ok(out)
}

pub(super) fn listed_play(run: &Run, every: bool, play: &Arc<Play>) -> Result<ListedPlay> {
    let patterns = run.patterns_of(play);
    let limit = run.cx.options.limit.as_deref();
    let hosts = run.groups.matching(&patterns.join(","), limit, "")?;
    let mut tasks = Vec::new();
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        listed_tasks(run, every, play, section, &mut tasks);
    }
    Ok(ListedPlay {
        name: run.name_of(play),
        patterns,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        tags: run.listed_tags(play, &play.scope),
        tasks,
    })
}

pub(super) fn listed_tasks(
    run: &Run,
    every: bool,
    play: &Arc<Play>,
    items: &[Item],
    out: &mut Vec<ListedTask>,
) {
    for item in items {
        match item {
            // As Ansible: what may run only after a failure, or always, is not listed.
            Item::Block(block) => listed_tasks(run, every, play, &block.body, out),
            Item::Task(task) => {
                let tags = run.listed_tags(play, &task.scope);
                if every || run.cx.options.selects_tags(&tags) {
                    out.push(ListedTask {
                        name: listed_name(task),
                        tags,
                    });
                }
            }
        }
    }
}

pub(super) fn listed_name(task: &Task) -> String {
    let name = task.name().map(|s| plain_text(&s.value));
    match (name.filter(|n| !n.is_empty()), task.scope.role()) {
        (None, _) => task.written_module(),
        // As Ansible: the name of an included role stands for itself.
        (Some(name), Some(role)) if task.short_module() != "include_role" => {
            format!("{} : {name}", role.name)
        }
        (Some(name), _) => name,
    }
}
