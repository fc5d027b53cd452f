//! Playbooks, roles and task files: from text to typed plays.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::modules;
use lks_agent::playbook::load::{Loader, ModuleFace, Modules};
use lks_agent::value::{Map, Value};
use lks_fuzz::Files;
use std::path::Path;

/// The modules of the table.
struct Table;

impl Modules for Table {
    fn find(&self, name: &str) -> Option<ModuleFace> {
        modules::find(name).map(|def| ModuleFace {
            name: def.name,
            free_form: def.free_form.is_some(),
            command_line: matches!(def.short_name(), "command" | "shell" | "raw" | "script"),
        })
    }
    fn names(&self) -> Vec<&'static str> {
        modules::names()
    }
}

fuzz_target!(|text: &str| {
    let mut files = Files::one("/p/site.yml", text);
    for path in [
        "/p/tasks.yml",
        "/p/roles/r/tasks/main.yml",
        "/p/roles/r/meta/main.yml",
        "/p/roles/r/handlers/main.yml",
        "/p/roles/r/defaults/main.yml",
    ] {
        files.0.insert(path.into(), text.to_owned());
    }
    let keys = lks_fuzz::keys();
    let render = |value: &Value, _: &Map| Ok(value.clone());
    let mut loader = Loader::new(&files, &Table, &keys, &render, "/p".into());
    let plays = loader.playbook(Path::new("/p/site.yml"));
    for error in &loader.problems.errors {
        let _ = error.to_string();
    }
    drop(plays);
});
