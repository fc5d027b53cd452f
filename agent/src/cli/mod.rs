//! The command line: tables of commands and flags, and what follows from them (parsing, help,
//! completion). Nothing here runs a playbook: each binary hands in the bodies of its commands.
//!
//! To add a flag: one row in the command's table (`run_flags.rs` for `run`), and where it is read.
//! To add a command: a [`Command`] in the binary's list.

mod adhoc;
mod app;
mod completion;
mod config;
mod daemon;
mod doc;
pub mod execute;
pub mod exit;
mod flag;
mod help;
mod hidden;
mod inventory;
mod list;
mod markdown;
mod parse;
mod passwords;
mod run;
mod run_flags;
pub mod settings;
#[cfg(test)]
mod tests;
mod vault;

pub use adhoc::{AdhocOptions, command as adhoc_command, run_with as adhoc_with};
pub use app::{App, Args, Body, Call, Command, Io, VERSION, main};
pub use completion::{COMPLETION, Shell, script as completion_script};
pub use config::CONFIG;
pub use daemon::{DAEMON, prepare as prepare_bundle};
pub use doc::{DOC, page as doc_page};
pub use flag::{Complete, Flag, Takes};
pub use help::{command_help, overview};
pub use hidden::{JOB, SEAT};
pub use inventory::INVENTORY;
pub use list::{ListedPlay, ListedPlaybook, ListedTask, Listing};
pub use parse::Parsed;
pub use passwords::login_password;
pub use run::{Colour, Output, RunOptions, Terminal, command as run_command, yaml_scalar};
pub use run_flags::RUN_FLAGS;
pub use settings::Settings;
pub use vault::VAULT;
