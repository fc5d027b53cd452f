//! `lint`: looks at playbooks, roles and files of tasks, and runs nothing.

use crate::lint::project::{Project, Target, targets};
use crate::lint::{self, Choice, Level, Report, Rule, human, json, rules, sarif};
use lks_agent::cli::execute;
use lks_agent::cli::{Args, Call, Command, Complete, Flag, Io, Settings, exit};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use std::path::Path;

/// The command.
pub const LINT: Command = Command {
    name: "lint",
    called_as: None,
    summary: "Look for mistakes in playbooks and roles without running anything",
    details: DETAILS,
    args: Args {
        usage: "[PLAYBOOK|ROLE|TASKS|FOLDER...]",
        complete: Complete::File,
    },
    flags: FLAGS,
    body,
};

const DETAILS: &str = "
Everything that `run` would refuse, and what works, but not as meant. A folder is a role, or holds \
playbooks and roles; without a path, it is the one you are in. With an inventory (`-i`), variables that \
nothing defines are told, too.

A comment `# noqa: RULE` silences a rule in its line, `# noqa` all of them. `ansible.cfg` may hold \
`select` and `ignore` under `[lint]` (also `LKS_LINT_SELECT`, `LKS_LINT_IGNORE`); flags go over both.

Exit codes: 0 no errors (with `--strict`: nothing at all but notes), 2 the command line is wrong, or with \
`--strict` there are warnings, 4 there are errors: a run would be refused.
";

const RULES: &str = "Rules";

static FLAGS: &[Flag] = &[
    Flag::many(
        &["inventory", "inventory-file"],
        "PATH|HOSTS",
        "An inventory: then every variable must be known.",
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
    Flag::one(
        &["format"],
        "FORMAT",
        "The form of the output (default: human).",
    )
    .words(&["human", "json", "sarif"]),
    Flag::one(&["output-file"], "FILE", "Write the findings there.").complete(Complete::File),
    Flag::switch(
        &["strict"],
        "Warnings count as errors do: the exit code is 2.",
    ),
    Flag::many(
        &["select"],
        "RULES",
        "Only these rules; `all` means every one, also those that are off.",
    )
    .group(RULES),
    Flag::many(&["ignore"], "RULES", "All but these rules.").group(RULES),
    Flag::switch(&["list-rules"], "Print all rules in a line each.").group(RULES),
    Flag::one(&["explain-rule"], "RULE", "Print a rule's page.").group(RULES),
    Flag::many(
        &["vault-id"],
        "ID",
        "A vault's label and where its password is.",
    )
    .group("Vault options"),
    Flag::many(
        &["vault-password-file"],
        "FILE",
        "A file with a vault's password.",
    )
    .complete(Complete::File)
    .group("Vault options"),
];

fn body(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let parsed = &call.parsed;
    if parsed.has("list-rules") {
        io.print(&list());
        return Ok(exit::OK);
    }
    if let Some(id) = parsed.value("explain-rule") {
        io.print(&page(lint::rule(id)?));
        return Ok(exit::OK);
    }
    let settings = execute::read_settings()?;
    let choice = choice(call, &settings)?;
    let report = look(call, &settings, &choice)?;
    let text = match parsed.value("format") {
        Some("json") => format!("{:#}\n", json::report(&report)),
        Some("sarif") => format!("{:#}\n", sarif::report(&report)),
        _ => human::report(&report),
    };
    match parsed.value("output-file") {
        Some(path) => here::write(Path::new(path), text.as_bytes(), 0o644)?,
        None => io.print(&text),
    }
    Ok(if report.count(Level::Error) > 0 {
        exit::SYNTAX
    } else if parsed.has("strict") && report.count(Level::Warning) > 0 {
        exit::HOST_FAILED
    } else {
        exit::OK
    })
}

/// Flags over settings; names may be joined by commas.
fn choice(call: &Call<'_>, settings: &Settings) -> Result<Choice> {
    let words = |flag: &str, setting: &[String]| -> Vec<String> {
        let given = call.parsed.values(flag);
        let list = if given.is_empty() { setting } else { &given };
        let words = list.iter().flat_map(|v| v.split(','));
        words
            .map(|w| w.trim().to_string())
            .filter(|w| !w.is_empty())
            .collect()
    };
    let choice = Choice {
        select: words("select", &settings.lint_select),
        ignore: words("ignore", &settings.lint_ignore),
    };
    choice.check()?;
    Ok(choice)
}

fn look(call: &Call<'_>, settings: &Settings, choice: &Choice) -> Result<Report> {
    let given = &call.parsed.args;
    let here = [".".to_string()];
    let paths = if given.is_empty() { &here[..] } else { given };
    let targets = targets(paths)?;
    if targets.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("there is no playbook and no role in {}", paths.join(", ")),
        ));
    }
    let playbooks: Vec<String> = targets
        .iter()
        .filter_map(|t| match t {
            Target::Playbook(path) => Some(path.display().to_string()),
            _ => None,
        })
        .collect();
    let (run, findings) = super::looked_at(call, settings, playbooks)?;
    let project = Project::of(run.as_ref(), findings, &targets);
    Ok(lint::look(&project, choice))
}

fn list() -> String {
    let width = rules::all().map(|r| r.id.len()).max().unwrap_or(0);
    let line = |r: &Rule| {
        let off = if r.on { "" } else { " (off)" };
        let level = r.level.name();
        format!("{:width$}  {level:7}  {}{off}\n", r.id, r.summary())
    };
    rules::all().map(line).collect()
}

fn page(rule: &Rule) -> String {
    let state = if rule.on { "on" } else { "off: `--select` it" };
    let text: Vec<&str> = rule
        .doc
        .lines()
        .map(|l| l.strip_prefix(' ').unwrap_or(l))
        .collect();
    format!(
        "{} ({}, {state})\n\n{}\n",
        rule.id,
        rule.level.name(),
        text.join("\n").trim()
    )
}
