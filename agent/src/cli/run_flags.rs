//! The flags of `run`: those of `ansible-playbook` 2.19 with their meaning, and a few of ours.

use super::flag::{Complete, Flag};

const CONNECTION: &str = "Connection options";
const BECOME: &str = "Privilege escalation options";
const VAULT: &str = "Vault options";
const LISTING: &str = "Instead of running";
const OUTPUT: &str = "Output options";

/// One row for each flag, in the order of the help text.
pub const RUN_FLAGS: &[Flag] = &[
    Flag::many(
        &["inventory", "inventory-file"],
        "PATH|HOSTS",
        "An inventory file or directory, or host names with commas (`a,b,`). Without one, this machine is the only host.",
    )
    .short('i')
    .complete(Complete::File),
    Flag::one(&["limit"], "PATTERN", "Only hosts that this pattern matches, too; `@FILE` reads it from a file.").short('l'),
    Flag::many(
        &["extra-vars"],
        "VARS",
        "Variables above all others: `key=value`, YAML or JSON, or a file of them after `@`.",
    )
    .short('e')
    .complete(Complete::File),
    Flag::many(&["tags"], "TAGS", "Only plays and tasks with one of these tags.").short('t'),
    Flag::many(&["skip-tags"], "TAGS", "Leave out plays and tasks with one of these tags."),
    Flag::switch(
        &["check"],
        "Change nothing; say what would change, and where that cannot be known.",
    )
    .short('C'),
    Flag::switch(&["diff"], "Show the differences in files, templates and settings that change.").short('D'),
    Flag::one(&["forks"], "N", "How many hosts are worked on at once (default: 5).").short('f'),
    Flag::switch(&["force-handlers"], "Run notified handlers even on hosts where a task failed."),
    Flag::one(&["start-at-task"], "NAME", "Begin with the task of this name (`*` stands for anything)."),
    Flag::switch(&["step"], "Ask before each task."),
    Flag::switch(&["flush-cache"], "Forget cached facts of every host."),
    Flag::many(
        &["module-path"],
        "DIRS",
        "More folders with modules of your own, before those of `library` in the settings.",
    )
    .short('M')
    .complete(Complete::Directory),
    Flag::switch(&["yes"], "Answer questions of `--step` and `pause` with yes."),
    Flag::switch(&["list-hosts"], "Print the hosts that match.").group(LISTING),
    Flag::switch(&["list-tasks"], "Print the tasks that would run.").group(LISTING),
    Flag::switch(&["list-tags"], "Print the tags that there are.").group(LISTING),
    Flag::switch(&["syntax-check"], "Read and check everything.").group(LISTING),
    Flag::switch(&["version"], "Print the version.").group(LISTING),
    Flag::count(
        &["verbose"],
        "Say more: results at `-v`, files of tasks at `-vv`, arguments of modules at `-vvv`.",
    )
    .short('v')
    .group(OUTPUT),
    Flag::one(
        &["compat"],
        "VERSION",
        "Take conditions as this version of ansible-core did: up to 2.18, they may be of any type.",
    )
    .group(OUTPUT),
    Flag::one(
        &["output"],
        "FORM",
        "`human` (Ansible's text), `fleet` (a live line for each host), `json` (one document), `junit` (XML) or `events` (JSON, one event a line).",
    )
    .words(&["human", "fleet", "json", "junit", "events"])
    .group(OUTPUT),
    Flag::one(
        &["output-file"],
        "FILE",
        "Write that form to a file, and the human text to the terminal as usual.",
    )
    .complete(Complete::File)
    .group(OUTPUT),
    Flag::switch(&["color", "colour"], "Colours, even if the output is no terminal.")
        .not_with(&["no-color"])
        .group(OUTPUT),
    Flag::switch(&["no-color", "no-colour"], "No colours.").group(OUTPUT),
    Flag::one(&["connection"], "TYPE", "How hosts are reached: `ssh`, `local`.")
        .short('c')
        .group(CONNECTION),
    Flag::one(&["user"], "USER", "Log in as this user.")
        .short('u')
        .complete(Complete::User)
        .group(CONNECTION),
    Flag::one(&["timeout"], "SECONDS", "How long reaching a host may take (default: 10).")
        .short('T')
        .group(CONNECTION),
    Flag::one(&["private-key", "key-file"], "FILE", "The key to log in with.")
        .complete(Complete::File)
        .group(CONNECTION),
    Flag::switch(&["ask-pass"], "Ask for the password to log in with.")
        .short('k')
        .not_with(&["connection-password-file"])
        .group(CONNECTION),
    Flag::one(
        &["connection-password-file", "conn-pass-file"],
        "FILE",
        "Read the password to log in with from a file; a program's output counts if it is one.",
    )
    .complete(Complete::File)
    .group(CONNECTION),
    Flag::one(&["ssh-common-args"], "ARGS", "Options for every SSH connection (`-o ProxyJump=…`).").group(CONNECTION),
    Flag::one(&["ssh-extra-args"], "ARGS", "Options for commands over SSH.").group(CONNECTION),
    Flag::one(&["sftp-extra-args"], "ARGS", "Options for files over SFTP.").group(CONNECTION),
    Flag::one(&["scp-extra-args"], "ARGS", "Options for files over SCP.").group(CONNECTION),
    Flag::switch(&["become"], "Work as another user (root, if `--become-user` says nothing).")
        .short('b')
        .group(BECOME),
    Flag::one(&["become-method"], "METHOD", "How to become that user (default: sudo).").group(BECOME),
    Flag::one(&["become-user"], "USER", "The user to become (default: root).")
        .complete(Complete::User)
        .group(BECOME),
    Flag::switch(&["ask-become-pass"], "Ask for the password that becoming needs.")
        .short('K')
        .not_with(&["become-password-file"])
        .group(BECOME),
    Flag::one(
        &["become-password-file", "become-pass-file"],
        "FILE",
        "Read the password that becoming needs from a file.",
    )
    .complete(Complete::File)
    .group(BECOME),
    Flag::many(&["vault-id"], "LABEL@SOURCE", "A vault identity: where its password comes from (`prompt` or a file).").group(VAULT),
    Flag::switch(&["ask-vault-password", "ask-vault-pass"], "Ask for the vault's password.")
        .short('J')
        .not_with(&["vault-password-file"])
        .group(VAULT),
    Flag::many(
        &["vault-password-file", "vault-pass-file"],
        "FILE",
        "Read the vault's password from a file; a program's output counts if it is one.",
    )
    .complete(Complete::File)
    .group(VAULT),
];
