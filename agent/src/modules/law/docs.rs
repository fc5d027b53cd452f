//! Documentation pages: every example parses, and names only what the module has.

use super::yaml::from_str;
use crate::module::ModuleDef;
use crate::modules::{MODULES, find};
use crate::value::Value;

/// Keywords of tasks that may stand beside a module's name in examples.
const KEYWORDS: &[&str] = &[
    "args",
    "become",
    "become_user",
    "changed_when",
    "check_mode",
    "delay",
    "delegate_to",
    "environment",
    "failed_when",
    "ignore_errors",
    "loop",
    "name",
    "async",
    "notify",
    "poll",
    "register",
    "retries",
    "run_once",
    "tags",
    "until",
    "vars",
    "when",
];

/// The text of each fenced block of YAML.
fn examples(doc: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut block: Option<String> = None;
    for line in doc.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match (&mut block, line.trim()) {
            (None, "```yaml") => block = Some(String::new()),
            (Some(_), "```") => out.extend(block.take()),
            (Some(text), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    out
}

#[test]
fn every_example_parses_and_uses_only_known_parameters() {
    for def in MODULES {
        let name = def.short_name();
        let found = examples(def.doc);
        assert!(!found.is_empty(), "the page of `{name}` has no example");
        for text in found {
            let tasks: Value = from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            let tasks = tasks
                .as_list()
                .unwrap_or_else(|| panic!("{name}: no list of tasks\n{text}"));
            assert!(!tasks.is_empty(), "{name}: an empty example");
            for task in tasks {
                check_task(name, task);
            }
        }
    }
}

fn check_task(page: &str, task: &Value) {
    let map = task
        .as_map()
        .unwrap_or_else(|| panic!("{page}: a task is a mapping: {task:?}"));
    let mut modules = 0;
    for (key, args) in map {
        let key = key.to_string();
        if let Some(def) = find(&key) {
            modules += 1;
            check_args(page, def, args);
        } else {
            assert!(
                KEYWORDS.contains(&key.as_str()),
                "{page}: `{key}` is no module or keyword"
            );
        }
    }
    assert_eq!(modules, 1, "{page}: a task has one module: {task:?}");
}

fn check_args(page: &str, def: &ModuleDef, args: &Value) {
    let specs = def.params();
    match args {
        Value::Map(map) => {
            for (key, value) in map.iter() {
                let key = key.to_string();
                let spec = specs.iter().find(|spec| spec.is_named(&key));
                assert!(
                    spec.is_some() || def.any_name,
                    "{page}: no parameter `{key}`"
                );
                if let Some(spec) = spec.filter(|_| !has_markers(value)) {
                    (spec.check)(value).unwrap_or_else(|e| panic!("{page}: `{key}`: {e}"));
                }
            }
        }
        Value::Null => {}
        _ => assert!(
            def.free_form.is_some(),
            "{page}: takes no free text: {args:?}"
        ),
    }
}

fn has_markers(value: &Value) -> bool {
    value.any(&|v| v.as_str().is_some_and(crate::value::has_markers))
}

#[test]
fn every_page_begins_with_a_summary_and_every_parameter_is_described() {
    for def in MODULES {
        let name = def.short_name();
        let summary = def.doc.lines().next().unwrap_or_default().trim();
        assert!(
            summary.len() > 10,
            "the page of `{name}` begins with a summary"
        );
        for spec in def.params() {
            assert!(
                !spec.doc.trim().is_empty(),
                "`{name}`: `{}` is not described",
                spec.name
            );
            for choice in spec.choices.iter().filter(|_| spec.kind == "str") {
                (spec.check)(&Value::from(*choice)).expect("a choice is accepted");
            }
        }
    }
}
