//! Scripts that complete a program's command line in a shell, made of the tables.

use super::app::{App, Args, Command};
use super::exit;
use super::flag::{Complete, Flag, HELP};
use super::parse::usage;

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// The command.
pub const COMPLETION: Command = Command {
    name: "completion",
    called_as: None,
    summary: "Print a script that completes this program's command line",
    details: "    bash: source <(PROGRAM completion bash)\n    zsh:  PROGRAM completion zsh > ~/.zfunc/_PROGRAM\n    fish: PROGRAM completion fish | source",
    args: Args {
        usage: "bash|zsh|fish",
        complete: Complete::Words(SHELLS),
    },
    flags: &[],
    body: |call, io| {
        let shell = match call.parsed.args.as_slice() {
            [one] => one.as_str(),
            _ => return Err(usage("which shell? bash, zsh or fish")),
        };
        let shell = match shell {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            "fish" => Shell::Fish,
            other => {
                return Err(usage(format!("no completion for `{other}`"))
                    .did_you_mean(other, SHELLS.iter().copied()));
            }
        };
        let modules: Vec<&str> = crate::modules::MODULES
            .iter()
            .map(|m| m.short_name())
            .collect();
        io.print(&script(call.app, shell, &modules));
        Ok(exit::OK)
    },
};

/// The script for a shell. `modules` are the names that stand for [`Complete::Module`].
#[must_use]
pub fn script(app: &App, shell: Shell, modules: &[&str]) -> String {
    match shell {
        Shell::Bash => bash(app, modules),
        Shell::Zsh => zsh(app, modules),
        Shell::Fish => fish(app, modules),
    }
}

/// The name as part of a function's name.
fn ident(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn flags(command: &Command) -> impl Iterator<Item = &Flag> {
    command.flags.iter().chain(std::iter::once(&HELP))
}

/// Bash: one function that looks at the command and at the word before.
fn bash(app: &App, modules: &[&str]) -> String {
    let names: Vec<&str> = app.commands.iter().map(|c| c.name).collect();
    let mut out = format!(
        "# Completion of {0} for bash. Made by `{0} completion bash`.\n\
         _{1}() {{\n    \
             local cur=\"${{COMP_WORDS[COMP_CWORD]}}\" prev=\"${{COMP_WORDS[COMP_CWORD-1]}}\" cmd=\"${{COMP_WORDS[1]}}\"\n    \
             COMPREPLY=()\n    \
             if [[ $COMP_CWORD -eq 1 ]]; then\n        \
                 COMPREPLY=($(compgen -W \"{2} help --help --version\" -- \"$cur\"))\n        \
                 return\n    \
             fi\n    \
             case \"$cmd\" in\n",
        app.name,
        ident(app.name),
        names.join(" ")
    );
    out.push_str(&format!(
        "    help)\n        COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n        ;;\n",
        names.join(" ")
    ));
    for command in app.commands {
        out.push_str(&format!(
            "    {})\n        case \"$prev\" in\n",
            command.name
        ));
        for flag in flags(command).filter(|f| f.value().is_some()) {
            out.push_str(&format!(
                "        {}) {} return ;;\n",
                flag.spellings().join("|"),
                bash_words(flag.complete, modules)
            ));
        }
        let all: Vec<String> = flags(command).flat_map(Flag::spellings).collect();
        out.push_str(&format!(
            "        esac\n        if [[ $cur == -* ]]; then\n            COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n        else\n            {}\n        fi\n        ;;\n",
            all.join(" "),
            bash_words(command.args.complete, modules).trim_end_matches(';'),
        ));
    }
    out.push_str(&format!(
        "    esac\n}}\ncomplete -F _{} -o filenames {}\n",
        ident(app.name),
        app.name
    ));
    out
}

fn bash_words(complete: Complete, modules: &[&str]) -> String {
    let words = |w: &[&str]| format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"));", w.join(" "));
    match complete {
        Complete::Nothing => ":;".into(),
        Complete::File => "COMPREPLY=($(compgen -f -- \"$cur\"));".into(),
        Complete::Directory => "COMPREPLY=($(compgen -d -- \"$cur\"));".into(),
        Complete::User => "COMPREPLY=($(compgen -u -- \"$cur\"));".into(),
        Complete::Module => words(modules),
        Complete::Words(list) => words(list),
    }
}

/// Zsh: `_arguments` for each command.
fn zsh(app: &App, modules: &[&str]) -> String {
    let mut out = format!(
        "#compdef {0}\n# Completion of {0} for zsh. Made by `{0} completion zsh`.\n_{1}() {{\n    local -a commands\n    commands=(\n",
        app.name,
        ident(app.name)
    );
    for command in app.commands {
        let summary = zsh_text(command.summary);
        out.push_str(&format!("        '{}:{summary}'\n", command.name));
    }
    out.push_str(
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n",
    );
    for command in app.commands {
        out.push_str(&format!("    {})\n        _arguments -s -S", command.name));
        for flag in flags(command) {
            for spelling in flag.spellings() {
                out.push_str(&format!(
                    " \\\n            {}",
                    zsh_flag(flag, &spelling, modules)
                ));
            }
        }
        if !command.args.usage.is_empty() {
            let action = zsh_action(command.args.complete, modules);
            let name = zsh_text(command.args.usage);
            out.push_str(&format!(" \\\n            '*:{name}:{action}'"));
        }
        out.push_str("\n        ;;\n");
    }
    out.push_str(&format!("    esac\n}}\n_{} \"$@\"\n", ident(app.name)));
    out
}

fn zsh_flag(flag: &Flag, spelling: &str, modules: &[&str]) -> String {
    let star = if flag.takes.repeats() { "*" } else { "" };
    let doc = zsh_text(&short_doc(flag.doc));
    match flag.value() {
        None => format!("'{star}{spelling}[{doc}]'"),
        Some(value) => {
            let joined = if spelling.starts_with("--") { "=" } else { "+" };
            let action = zsh_action(flag.complete, modules);
            let value = zsh_text(value);
            format!("'{star}{spelling}{joined}[{doc}]:{value}:{action}'")
        }
    }
}

fn zsh_action(complete: Complete, modules: &[&str]) -> String {
    match complete {
        Complete::Nothing => String::new(),
        Complete::File => "_files".into(),
        Complete::Directory => "_files -/".into(),
        Complete::User => "_users".into(),
        Complete::Module => format!("({})", modules.join(" ")),
        Complete::Words(words) => format!("({})", words.join(" ")),
    }
}

/// Text within single quotes, in brackets and between colons.
fn zsh_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\'' => out.push_str("'\\''"),
            '[' | ']' | ':' | '\\' | '`' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Fish: one line for each flag.
fn fish(app: &App, modules: &[&str]) -> String {
    let mut out = format!(
        "# Completion of {0} for fish. Made by `{0} completion fish`.\ncomplete -c {0} -f\n",
        app.name
    );
    for command in app.commands {
        out.push_str(&format!(
            "complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n",
            app.name,
            command.name,
            fish_text(command.summary)
        ));
    }
    for command in app.commands {
        let start = format!(
            "complete -c {} -n '__fish_seen_subcommand_from {}'",
            app.name, command.name
        );
        if let Some(action) = fish_action(command.args.complete, modules) {
            out.push_str(&format!("{start} {action}\n"));
        }
        for flag in flags(command) {
            let mut line = start.clone();
            line.extend(flag.short.map(|c| format!(" -s {c}")));
            line.extend(flag.names.iter().map(|n| format!(" -l {n}")));
            if flag.value().is_some() {
                line.push_str(" -r");
                line.extend(fish_action(flag.complete, modules).map(|a| format!(" {a}")));
            }
            out.push_str(&format!(
                "{line} -d '{}'\n",
                fish_text(&short_doc(flag.doc))
            ));
        }
    }
    out
}

fn fish_action(complete: Complete, modules: &[&str]) -> Option<String> {
    match complete {
        Complete::Nothing => None,
        Complete::File => Some("-F".into()),
        Complete::Directory => Some("-a '(__fish_complete_directories)'".into()),
        Complete::User => Some("-a '(__fish_complete_users)'".into()),
        Complete::Module => Some(format!("-a '{}'", modules.join(" "))),
        Complete::Words(words) => Some(format!("-a '{}'", words.join(" "))),
    }
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// As much of a text as fits beside a flag, without Markdown's marks.
fn short_doc(text: &str) -> String {
    let end = text
        .find(". ")
        .or_else(|| text.find("; "))
        .unwrap_or(text.len());
    text[..end].trim_end_matches('.').replace('`', "")
}
