//! Commands: those that say "changed" at every run, and those that a module does better.

use super::{command_text, is_core};
use crate::lint::Check::Task as Each;
use crate::lint::Found;
use lks_agent::playbook::keyword::Kw;
use lks_agent::playbook::task::Task;
use std::sync::Arc;

rules! {
    /// A command counts as changed at every run.
    ///
    /// It hides what really changed, and its handlers run every time. Say when it changes something:
    /// `creates:` or `removes:` for a file that it makes or takes away, `changed_when:` for all else.
    /// Handlers and tasks with a `when:` are left in peace.
    ALWAYS_CHANGED "always-changed" Warning on => Each(always_changed);

    /// A module does what this command does, and knows whether there is anything to do.
    COMMAND_NOT_MODULE "command-instead-of-module" Warning on => Each(module_instead);

    /// `shell` where `command` suffices.
    ///
    /// Without a pipe, a redirection, a variable or a pattern there is nothing for a shell to do, and
    /// words that hold quotes or spaces are safe from it.
    SHELL_NOT_COMMAND "shell-instead-of-command" Note on => Each(needless_shell);

    /// A failure at the beginning of a pipe is not seen.
    ///
    /// A pipe's status is that of its last command. Begin with `set -o pipefail`, and name a shell that
    /// has it with `executable: /bin/bash`.
    HIDDEN_PIPE_FAILURE "hidden-pipe-failure" Note on => Each(hidden_pipe);

    /// What the network sends is run unseen.
    ///
    /// `curl … | sh` runs whatever the other side sends today, also half of it when the connection
    /// breaks. Fetch it with `get_url` and its `checksum`, look at it, then run it with `creates:`.
    PIPED_INSTALLER "piped-installer" Warning on => Each(piped_installer);
}

const COMMANDS: &[&str] = &["command", "shell", "raw", "script"];

/// Commands that only look: they change nothing, but say so.
fn always_changed(task: &Arc<Task>, out: &mut Vec<Found>) {
    let guarded = ["creates", "removes"]
        .iter()
        .any(|p| task.args.get(p).is_some())
        || task.find(Kw::ChangedWhen).is_some()
        || task.handler
        || task.args.whole.is_some()
        || !task.scope.all(Kw::When).is_empty();
    if is_core(task, COMMANDS) && !guarded {
        // `raw` hands its line over and knows no parameters.
        let hint = match is_core(task, &["raw"]) {
            true => "add `changed_when:` or a `when:`",
            false => "add `creates:`, `removes:`, `changed_when:` or a `when:`",
        };
        out.push(
            Found::at(
                &task.module_span,
                "this command counts as changed at every run",
            )
            .hint(hint),
        );
    }
}

/// Beginnings of commands, and the module that does the same.
const MODULES: &[(&str, &str)] = &[
    ("apt-get install", "ansible.builtin.apt"),
    ("apt-get -y install", "ansible.builtin.apt"),
    ("apt-get update", "ansible.builtin.apt with `update_cache`"),
    ("apt-get upgrade", "ansible.builtin.apt with `upgrade`"),
    ("apt-get remove", "ansible.builtin.apt with `state: absent`"),
    ("apt install", "ansible.builtin.apt"),
    ("apt update", "ansible.builtin.apt with `update_cache`"),
    (
        "apt-key add",
        "ansible.builtin.deb822_repository with `signed_by`",
    ),
    ("add-apt-repository", "ansible.builtin.apt_repository"),
    ("yum install", "ansible.builtin.dnf"),
    ("yum -y install", "ansible.builtin.dnf"),
    ("dnf install", "ansible.builtin.dnf"),
    ("dnf -y install", "ansible.builtin.dnf"),
    ("pip install", "ansible.builtin.pip"),
    ("pip3 install", "ansible.builtin.pip"),
    ("git clone", "ansible.builtin.git"),
    ("git pull", "ansible.builtin.git"),
    ("wget", "ansible.builtin.get_url"),
    ("systemctl start", "ansible.builtin.systemd_service"),
    ("systemctl stop", "ansible.builtin.systemd_service"),
    ("systemctl restart", "ansible.builtin.systemd_service"),
    ("systemctl reload", "ansible.builtin.systemd_service"),
    ("systemctl enable", "ansible.builtin.systemd_service"),
    ("systemctl disable", "ansible.builtin.systemd_service"),
    ("systemctl mask", "ansible.builtin.systemd_service"),
    (
        "systemctl daemon-reload",
        "ansible.builtin.systemd_service with `daemon_reload`",
    ),
    ("service", "ansible.builtin.service"),
    ("mkdir", "ansible.builtin.file with `state: directory`"),
    ("rm", "ansible.builtin.file with `state: absent`"),
    ("touch", "ansible.builtin.file with `state: touch`"),
    ("ln -s", "ansible.builtin.file with `state: link`"),
    ("ln -sf", "ansible.builtin.file with `state: link`"),
    ("chmod", "ansible.builtin.file with `mode`"),
    ("chown", "ansible.builtin.file with `owner` and `group`"),
    ("cp", "ansible.builtin.copy with `remote_src`"),
    ("tar x", "ansible.builtin.unarchive"),
    ("tar -x", "ansible.builtin.unarchive"),
    ("unzip", "ansible.builtin.unarchive"),
    ("useradd", "ansible.builtin.user"),
    ("usermod", "ansible.builtin.user"),
    ("groupadd", "ansible.builtin.group"),
    (
        "sed -i",
        "ansible.builtin.lineinfile or ansible.builtin.replace",
    ),
    ("mount", "ansible.posix.mount"),
    ("umount", "ansible.posix.mount"),
    ("sysctl -w", "ansible.posix.sysctl"),
    ("hostnamectl set-hostname", "ansible.builtin.hostname"),
    ("hostname", "ansible.builtin.hostname"),
    ("modprobe", "community.general.modprobe"),
    ("ufw", "community.general.ufw"),
    ("crontab", "ansible.builtin.cron"),
    ("timedatectl set-timezone", "community.general.timezone"),
    ("docker run", "community.docker.docker_container"),
    ("docker pull", "community.docker.docker_image_pull"),
    ("docker compose up", "community.docker.docker_compose_v2"),
    ("docker-compose up", "community.docker.docker_compose_v2"),
    ("docker network create", "community.docker.docker_network"),
    ("docker volume create", "community.docker.docker_volume"),
    ("helm install", "kubernetes.core.helm"),
    ("helm upgrade", "kubernetes.core.helm"),
    ("helm repo add", "kubernetes.core.helm_repository"),
    ("kubectl apply", "kubernetes.core.k8s"),
    ("kubectl create", "kubernetes.core.k8s"),
    ("reboot", "ansible.builtin.reboot"),
];

fn module_instead(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(text) = command_text(task).filter(|_| is_core(task, &["command", "shell"])) else {
        return;
    };
    // Several commands, a pipe or a substitution: no single module does that.
    let text = text.trim();
    let compound = ["|", "&&", ";", "`", "$(", "\n", ">", "<"]
        .iter()
        .any(|s| text.contains(s));
    if compound {
        return;
    }
    let text = text.strip_prefix("sudo ").unwrap_or(text);
    let text: String = {
        let mut words = text
            .split_whitespace()
            .map(str::to_string)
            .collect::<Vec<_>>();
        if let Some(first) = words.first_mut() {
            *first = first.rsplit('/').next().unwrap_or(first).to_string();
        }
        words.join(" ")
    };
    let asks = |names: &[&str]| names.iter().any(|n| text.split(' ').any(|w| w == *n));
    // These also answer questions, which no module does.
    let question = asks(&[
        "--version",
        "--help",
        "-V",
        "--dry-run",
        "status",
        "-l",
        "--check",
    ]) || (text == "mount" || text == "hostname" || text.starts_with("hostname -"))
        || text.starts_with("ufw status");
    if question {
        return;
    }
    let begins = |start: &str| {
        text.strip_prefix(start).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(' ') || start.starts_with("tar ")
        })
    };
    let found = MODULES.iter().filter(|(start, _)| begins(start));
    if let Some((start, module)) = found.max_by_key(|(start, _)| start.len()) {
        let rest_matters = *start != "service"
            || ["start", "stop", "restart", "reload"]
                .iter()
                .any(|w| text.ends_with(w));
        if rest_matters {
            out.push(
                Found::at(
                    &task.module_span,
                    format!("a module does better what `{start}` does"),
                )
                .hint(format!("use {module}")),
            );
        }
    }
}

fn needless_shell(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(text) = command_text(task).filter(|_| is_core(task, &["shell"])) else {
        return;
    };
    // What a variable holds is not known.
    let special = "|&;<>()$`\\\"'*?[]#~=%!\n{}";
    let builtin = [
        "source", ".", "cd", "export", "ulimit", "set", "type", "command", "umask",
    ];
    let first = text.split_whitespace().next().unwrap_or("");
    if !text.contains(|c| special.contains(c))
        && !builtin.contains(&first)
        && task.args.get("executable").is_none()
    {
        out.push(
            Found::at(&task.module_span, "there is nothing for a shell to do here")
                .hint("use `ansible.builtin.command`"),
        );
    }
}

/// The text without what stands in quotes and templates.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut depth = 0_u32;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '{') if chars.peek() == Some(&'{') => depth += 1,
            (_, '}') if chars.peek() == Some(&'}') => depth = depth.saturating_sub(1),
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth == 0 => quote = Some(c),
            (None, '\\') => {
                chars.next();
            }
            (None, c) if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn has_pipe(text: &str) -> bool {
    let bare = bare(text).replace("||", "");
    bare.contains('|') && !bare.contains("case ")
}

fn hidden_pipe(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(text) = command_text(task).filter(|_| is_core(task, &["shell"])) else {
        return;
    };
    let judged = task.find(Kw::FailedWhen).is_some() || task.find(Kw::IgnoreErrors).is_some();
    let guarded = text.contains("pipefail") || text.contains("PIPESTATUS");
    // Of these first commands a failure says nothing that the last one does not.
    let harmless = ["echo", "printf", "yes", "true"];
    let first = text.split_whitespace().next().unwrap_or("");
    if has_pipe(&text) && !guarded && !judged && !harmless.contains(&first) {
        out.push(
            Found::at(
                &task.module_span,
                "a failure at the beginning of the pipe is not seen",
            )
            .hint("begin with `set -o pipefail`, with `executable: /bin/bash`"),
        );
    }
}

fn piped_installer(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(text) = command_text(task).filter(|_| is_core(task, &["shell", "raw"])) else {
        return;
    };
    let bare = bare(&text);
    let fetches = |part: &str| {
        part.split_whitespace()
            .any(|w| matches!(w, "curl" | "wget"))
    };
    let runs = |part: &str| {
        let mut words = part.split_whitespace();
        let first = words.find(|w| !w.contains('=') && !matches!(*w, "sudo" | "-E" | "env"));
        first.is_some_and(|w| {
            let name = w.rsplit('/').next().unwrap_or(w);
            matches!(name, "sh" | "bash" | "python" | "python3" | "perl")
        })
    };
    let parts: Vec<&str> = bare.split('|').collect();
    if parts.windows(2).any(|w| fetches(w[0]) && runs(w[1])) {
        out.push(
            Found::at(&task.module_span, "what the network sends is run unseen").hint(
                "fetch it with `get_url` and a `checksum`, then run the file with `creates:`",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_templates_are_no_shell() {
        assert!(!has_pipe("awk '{a|b}' x"));
        assert!(!has_pipe("echo {{ x | default('y') }}"));
        assert!(!has_pipe("a || b"));
        assert!(has_pipe("a | b"));
    }
}
