//! `--list-hosts`, `--list-tasks`, `--list-tags`: what would run, without running it.

use super::execute::Request;
use crate::engine::Run;
use crate::error::Result;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::play::Play;
use crate::playbook::task::{Item, Task};
use std::fmt::Write;

/// The listing that was asked for, as `ansible-playbook` prints it.
///
/// # Errors
/// When a play's pattern of hosts cannot be read.
pub fn list(run: &Run, request: &Request) -> Result<String> {
    let mut out = String::new();
    for (name, plays) in &run.playbooks {
        let _ = writeln!(out, "\nplaybook: {name}");
        for (i, play) in plays.iter().enumerate() {
            one_play(run, request, i + 1, play, &mut out)?;
        }
    }
    Ok(out)
}

fn one_play(
    run: &Run,
    request: &Request,
    number: usize,
    play: &Play,
    out: &mut String,
) -> Result<()> {
    let pattern = play
        .get(Kw::Hosts)
        .map(|s| s.words_kept().join(","))
        .unwrap_or_default();
    let tags = play.scope.tags();
    let _ = write!(
        out,
        "\n  play #{number} ({pattern}): {}\tTAGS: [{}]",
        play.name(),
        tags.join(",")
    );
    if request.list_hosts {
        let hosts = run
            .groups
            .matching(&pattern, request.options.limit.as_deref(), "")?;
        let patterns: Vec<String> = pattern.split(',').map(|p| format!("'{p}'")).collect();
        let _ = write!(
            out,
            "\n    pattern: [{}]\n    hosts ({}):",
            patterns.join(", "),
            hosts.len()
        );
        for host in hosts {
            let _ = write!(out, "\n      {host}");
        }
    }
    if request.list_tasks {
        out.push_str("\n    tasks:");
    }
    let mut all_tags: Vec<String> = Vec::new();
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        items(request, section, &mut all_tags, out);
    }
    if request.list_tags {
        all_tags.sort();
        all_tags.dedup();
        let _ = write!(out, "\n      TASK TAGS: [{}]", all_tags.join(", "));
    }
    out.push('\n');
    Ok(())
}

fn items(request: &Request, list: &[Item], all_tags: &mut Vec<String>, out: &mut String) {
    for item in list {
        match item {
            Item::Block(block) => {
                for part in [&block.body, &block.rescue, &block.always] {
                    items(request, part, all_tags, out);
                }
            }
            Item::Task(task) => one_task(request, task, all_tags, out),
        }
    }
}

fn one_task(request: &Request, task: &Task, all_tags: &mut Vec<String>, out: &mut String) {
    let tags = task.scope.tags();
    if task.short_module() == "meta" || !request.options.selects_tags(&tags) {
        return;
    }
    if request.list_tasks {
        let own = task
            .name()
            .map_or_else(|| task.short_module().to_string(), |s| plain_text(&s.value));
        let name = match task.scope.role() {
            Some(role) => format!("{} : {own}", role.name),
            None => own,
        };
        let mut sorted = tags.clone();
        sorted.sort();
        let _ = write!(out, "\n      {name}\tTAGS: [{}]", sorted.join(", "));
    }
    all_tags.extend(tags);
}
