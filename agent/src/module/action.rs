//! Modules that run at the seat of the engine, because they need variables, templates or the play.

use super::{Params, Returns};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Paused;
use crate::value::{Map, Value};
use std::path::PathBuf;

/// A module that the engine itself runs, such as `debug`, `set_fact` or `template`.
pub trait Action: Params + Send + 'static {
    /// Does it.
    ///
    /// # Errors
    /// When the task fails for another reason than its own judgement ([`Returns::fail`]).
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns>;
}

/// What the engine offers to an action. Implemented by the engine, and by a fake in tests.
pub trait ActionCx {
    /// The arguments as they were given, templates evaluated.
    fn args(&self) -> &Map;
    /// A variable of the task's host, evaluated; `None` if it is not defined.
    ///
    /// # Errors
    /// When its template cannot be evaluated.
    fn variable(&self, name: &str) -> Result<Option<Value>>;
    /// The expressions in an argument, as the playbook wrote them: text, templates, truth values. A
    /// variable of the playbook may stand for them; what a template gives does not.
    ///
    /// # Errors
    /// When it is text that nobody may evaluate (`!unsafe`).
    fn expressions(&self, name: &str) -> Result<Vec<Value>>;
    /// Evaluates a condition (`when`'s language) with the task's variables.
    ///
    /// # Errors
    /// When it cannot be compiled or evaluated, or is not boolean.
    fn condition(&self, expression: &Value) -> Result<bool>;
    /// Evaluates an expression without braces, such as a variable's name.
    ///
    /// # Errors
    /// When it cannot be compiled or evaluated.
    fn expression(&self, expression: &str) -> Result<Value>;
    /// Renders a file of the playbook's side as a template.
    ///
    /// # Errors
    /// When it cannot be read, compiled or rendered.
    fn render_file(&self, path: &std::path::Path, options: &Map) -> Result<String>;
    /// Finds a file of the playbook's side, in the role's and the playbook's `folder` (`files`,
    /// `templates`, `vars`), as Ansible searches.
    ///
    /// # Errors
    /// When there is none: the message lists where it was looked for.
    fn find(&self, folder: &str, name: &str) -> Result<PathBuf>;
    /// Reads a YAML or JSON file of the playbook's side; vaults are opened.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load_yaml(&self, path: &std::path::Path) -> Result<Value>;
    /// Whether a file of the playbook's side is vaulted as a whole: what is in it must not be shown.
    fn is_vault(&self, path: &std::path::Path) -> bool;
    /// Names in a directory of the playbook's side, sorted; `None` if it is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list_dir(&self, path: &std::path::Path) -> Result<Option<Vec<String>>>;
    /// Runs a host module on the task's host.
    ///
    /// # Errors
    /// When it could not be run at all.
    fn run_module(&mut self, name: &str, args: Map) -> Result<Returns>;
    /// What the module returned that was run last is not the action's own result.
    fn forget_module(&mut self);
    /// The content of a file of the playbook's side; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_here(&self, path: &std::path::Path) -> Result<Option<Vec<u8>>>;
    /// Writes a file of the playbook's side, making the folders above it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write_here(&mut self, path: &std::path::Path, bytes: &[u8]) -> Result<()>;
    /// Whether this is a folder of the playbook's side.
    fn is_dir_here(&self, path: &std::path::Path) -> bool;
    /// Shows a line to the user, if there is one.
    fn say(&self, line: &str);
    /// Waits for a line from the user, for a time in seconds, or for Ctrl-C and a choice (`pause`);
    /// `None`, at once, when there is no terminal.
    ///
    /// # Errors
    /// When the terminal cannot be used, or the run is asked to stop.
    fn pause(&mut self, prompt: &str, echo: bool, seconds: Option<f64>) -> Result<Option<Paused>>;
    /// Lets time pass, in seconds; ends early when the run is stopped.
    fn sleep(&mut self, seconds: f64);
    /// Seconds since 1970-01-01 UTC.
    fn now(&self) -> f64;
    /// How verbose the output is (`-v` count).
    fn verbosity(&self) -> u8;
    /// Whether this is check mode.
    fn check(&self) -> bool;
    /// Sets host variables with `set_fact`'s precedence.
    fn set_facts(&mut self, facts: Map, cacheable: bool);
    /// Sets host variables with `include_vars`' precedence.
    fn include_vars(&mut self, vars: Map);
    /// Permission bits of a file of the playbook's side.
    ///
    /// # Errors
    /// When it cannot be read.
    fn file_mode(&self, path: &std::path::Path) -> Result<u32>;
    /// Adds a host to the inventory of this run, or groups and variables to one that is there.
    /// Says whether that changed anything.
    ///
    /// # Errors
    /// When the name cannot be a host's.
    fn add_host(&mut self, name: &str, groups: &[String], variables: Map) -> Result<bool>;
    /// Puts the task's host into a group of this run, which is made below `parents`. Says whether
    /// that changed anything.
    ///
    /// # Errors
    /// When the name cannot be a group's.
    fn group_by(&mut self, group: &str, parents: &[String]) -> Result<bool>;
}

/// The answer of a module that has a row in the table, but that the engine carries out itself.
///
/// # Errors
/// Always.
pub fn engine_only(name: &str) -> Result<Returns> {
    Err(Error::new(
        ErrorKind::Internal,
        format!("`{name}` is carried out by the engine, and was run as a module"),
    ))
}
