//! Help texts, made of the tables.

use super::app::{App, Command};
use super::flag::{Complete, Flag, HELP, Takes};
use super::markdown::{render, wrap};

/// Columns of the text.
const WIDTH: usize = 80;
/// Where the explanation of a flag begins.
const COLUMN: usize = 26;

/// What the program can do.
#[must_use]
pub fn overview(app: &App) -> String {
    let mut out = format!(
        "{}\n\nUsage: {} COMMAND [options]\n\nCommands:\n",
        app.about, app.name
    );
    for command in app.commands {
        row(&mut out, command.name, command.summary);
    }
    out.push_str("\nOptions:\n");
    row(&mut out, "-h, --help", "Show this text.");
    row(&mut out, "-V, --version", "Print the version.");
    out.push_str(&format!(
        "\n`{} COMMAND --help` tells more about a command.\n",
        app.name
    ));
    out
}

/// How a command is used, in a line.
#[must_use]
pub fn usage_line(command: &Command, typed: &str) -> String {
    let options = if command.flags.is_empty() {
        ""
    } else {
        " [options]"
    };
    let args = if command.args.usage.is_empty() {
        ""
    } else {
        " "
    };
    format!("{typed}{options}{args}{}", command.args.usage)
}

/// All about a command.
#[must_use]
pub fn command_help(command: &Command, typed: &str) -> String {
    let mut out = format!(
        "{}.\n\nUsage: {}\n",
        command.summary,
        usage_line(command, typed)
    );
    let mut groups: Vec<&str> = vec![""];
    for flag in command.flags {
        if !groups.contains(&flag.group) {
            groups.push(flag.group);
        }
    }
    for group in groups {
        let title = if group.is_empty() { "Options" } else { group };
        out.push_str(&format!("\n{title}:\n"));
        for flag in command.flags.iter().filter(|f| f.group == group) {
            flag_rows(&mut out, flag);
        }
        if group.is_empty() {
            flag_rows(&mut out, &HELP);
        }
    }
    if !command.details.is_empty() {
        out.push('\n');
        out.push_str(&render(command.details, WIDTH, 0));
    }
    out
}

fn flag_rows(out: &mut String, flag: &Flag) {
    let mut left = match flag.short {
        Some(short) => format!("-{short}, --{}", flag.name()),
        None => format!("    --{}", flag.name()),
    };
    if let Some(value) = flag.value() {
        left.push_str(&format!(" {value}"));
    }
    let mut doc = flag.doc.to_string();
    if let Complete::Words(words) = flag.complete
        && !words.iter().all(|w| doc.contains(w))
    {
        doc.push_str(&format!(" One of: {}.", words.join(", ")));
    }
    if let [_, others @ ..] = flag.names
        && !others.is_empty()
    {
        let others: Vec<String> = others.iter().map(|n| format!("--{n}")).collect();
        doc.push_str(&format!(" Also {}.", others.join(", ")));
    }
    if matches!(flag.takes, Takes::Many(_)) {
        doc.push_str(" May be repeated.");
    }
    row(out, &left, &doc);
}

/// A name and what it means, in two columns.
fn row(out: &mut String, left: &str, right: &str) {
    let mut lines = wrap(right, WIDTH - COLUMN).into_iter();
    if left.len() + 4 > COLUMN {
        out.push_str(&format!("  {left}\n"));
    } else {
        let first = lines.next().unwrap_or_default();
        let width = COLUMN - 2;
        out.push_str(&format!("  {left:width$}{first}\n"));
    }
    for line in lines {
        out.push_str(&format!("{:COLUMN$}{line}\n", ""));
    }
}
