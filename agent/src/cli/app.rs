//! A program of several commands: which one is meant, and what happens when it is not clear.

use super::exit;
use super::flag::{Complete, Flag, HELP};
use super::help;
use super::parse::{Parsed, usage};
use crate::error::{Error, ErrorKind, Result};
use crate::host::here;
use crate::{ANSIBLE_VERSION, secret};
use std::io::Write;

/// A program and its commands.
#[derive(Debug)]
pub struct App {
    /// The program's name.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its commands, in the order of the help text.
    pub commands: &'static [Command],
}

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// A program name that means this command when the binary is called by it (a symlink).
    pub called_as: Option<&'static str>,
    /// What it does, in one line.
    pub summary: &'static str,
    /// More for its help text, in Markdown.
    pub details: &'static str,
    /// What it takes besides flags.
    pub args: Args,
    /// Its flags.
    pub flags: &'static [Flag],
    /// What it does.
    pub body: Body,
}

/// What a command takes besides flags.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// As shown in its usage line; empty if it takes nothing.
    pub usage: &'static str,
    /// What they can be completed to.
    pub complete: Complete,
}

impl Args {
    /// Nothing.
    pub const NONE: Self = Self {
        usage: "",
        complete: Complete::Nothing,
    };
}

/// The body of a command. It gives the exit code; an error is printed by its caller.
pub type Body = fn(&Call<'_>, &mut Io<'_>) -> Result<i32>;

/// Where a command writes.
pub struct Io<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

impl Io<'_> {
    /// Writes text to standard output. A reader that went away is no error.
    pub fn print(&mut self, text: &str) {
        let _ = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
    }

    /// Writes text to standard error.
    pub fn complain(&mut self, text: &str) {
        let _ = self
            .err
            .write_all(text.as_bytes())
            .and_then(|()| self.err.flush());
    }
}

/// One call of a command.
pub struct Call<'a> {
    /// The program.
    pub app: &'a App,
    /// The command.
    pub command: &'a Command,
    /// What was typed to get here: `lks-ctl run`, or `ansible-playbook`.
    pub typed: String,
    /// Flags and arguments.
    pub parsed: Parsed,
}

impl App {
    /// Does what the arguments say; the first one is the program's own path. Gives the exit code.
    pub fn run(&self, argv: &[String], io: &mut Io<'_>) -> i32 {
        let program = argv.first().map_or(self.name, |path| base_name(path));
        let rest = argv.get(1..).unwrap_or_default();
        let alias = self.commands.iter().find(|c| c.called_as == Some(program));
        if let Some(command) = alias {
            return self.call(command, program.to_string(), rest, io);
        }
        match rest {
            [] => {
                io.complain(&help::overview(self));
                exit::USAGE
            }
            [first, rest @ ..] => self.first(first, rest, io),
        }
    }

    /// The first word is a command, or a flag of the program itself.
    fn first(&self, first: &str, rest: &[String], io: &mut Io<'_>) -> i32 {
        match first {
            "-h" | "--help" => io.print(&help::overview(self)),
            "-V" | "--version" => io.print(&format!("{} {}\n", self.name, self.version)),
            "help" => {
                let Some(name) = rest.first() else {
                    io.print(&help::overview(self));
                    return exit::OK;
                };
                match self.find(name) {
                    Ok(command) => io.print(&help::command_help(command, &self.typed(command))),
                    Err(error) => return self.complain(&error, None, io),
                }
            }
            name => {
                return match self.find(name) {
                    Ok(command) => self.call(command, self.typed(command), rest, io),
                    Err(error) => self.complain(&error, None, io),
                };
            }
        }
        exit::OK
    }

    /// The version. Called by a name of Ansible's, the first line is what its users' scripts look for.
    fn version_text(&self, typed: &str) -> String {
        let own = format!("{} {}\n", self.name, self.version);
        if typed.starts_with("ansible") {
            format!("{typed} [core {ANSIBLE_VERSION}]\n  provided by {own}")
        } else {
            own
        }
    }

    fn typed(&self, command: &Command) -> String {
        format!("{} {}", self.name, command.name)
    }

    /// The command of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<&'static Command> {
        if let Some(command) = self.commands.iter().find(|c| c.name == name) {
            return Ok(command);
        }
        let error = usage(format!("`{name}` is no command of {}", self.name));
        let is_playbook = [".yml", ".yaml"].iter().any(|end| name.ends_with(end));
        Err(
            if is_playbook && self.commands.iter().any(|c| c.name == "run") {
                error.hint(format!("to run a playbook: `{} run {name}`", self.name))
            } else {
                error.did_you_mean(name, self.commands.iter().map(|c| c.name))
            },
        )
    }

    fn call(&self, command: &Command, typed: String, rest: &[String], io: &mut Io<'_>) -> i32 {
        let parsed = match Parsed::read(command.flags, rest) {
            Ok(parsed) => parsed,
            Err(error) => return self.complain(&error, Some((command, &typed)), io),
        };
        if parsed.has(HELP.name()) {
            io.print(&help::command_help(command, &typed));
            return exit::OK;
        }
        if parsed.has("version") {
            io.print(&self.version_text(&typed));
            return exit::OK;
        }
        let call = Call {
            app: self,
            command,
            typed,
            parsed,
        };
        match (command.body)(&call, io) {
            Ok(code) => code,
            Err(error) => self.complain(&error, Some((command, &call.typed)), io),
        }
    }

    /// Prints an error; after one about the command line, how the command is used.
    fn complain(&self, error: &Error, command: Option<(&Command, &str)>, io: &mut Io<'_>) -> i32 {
        let mut text = format!("[ERROR]: {error}\n");
        if error.kind() == ErrorKind::Usage {
            match command {
                Some((command, typed)) => text.push_str(&format!(
                    "\nusage: {}\nTry `{typed} --help`.\n",
                    help::usage_line(command, typed)
                )),
                None => text.push_str(&format!("\nTry `{} --help`.\n", self.name)),
            }
        }
        io.complain(&text);
        exit::of_error(error.kind())
    }
}

/// `version`, with nothing to choose.
pub const VERSION: Command = Command {
    name: "version",
    called_as: None,
    summary: "Print the version",
    details: "",
    args: Args::NONE,
    flags: &[],
    body: |call, io| {
        io.print(&format!("{} {}\n", call.app.name, call.app.version));
        Ok(exit::OK)
    },
};

/// The last part of a path.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Runs a program: the arguments decide what it does. Gives the exit code.
#[must_use]
pub fn main(app: &App, arguments: &[String]) -> i32 {
    // A secret that is in a program's last words is a secret that is out.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match secret::hides() {
        true => here::print_error(&secret::masked(&info.to_string())),
        false => usual(info),
    }));
    let (mut out, mut err) = (here::stdout(), here::stderr());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
    };
    app.run(arguments, &mut io)
}
