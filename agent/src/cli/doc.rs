//! `doc`: pages about modules, made of their types.

use super::app::{Args, Call, Command, Io};
use super::exit;
use super::flag::{Complete, Flag};
use super::markdown::render;
use super::parse::usage;
use crate::error::{Result, nearest};
use crate::module::{ModuleDef, ParamSpec, Rule};
use crate::modules::{MODULES, find};
use crate::value::Value;
use crate::view::{Layout, dump};
use serde_json::json;

const WIDTH: usize = 80;

/// The command.
pub const DOC: Command = Command {
    name: "doc",
    called_as: Some("ansible-doc"),
    summary: "Show what a module does and which parameters it has",
    details: "",
    args: Args {
        usage: "[MODULE...]",
        complete: Complete::Module,
    },
    flags: FLAGS,
    body,
};

static FLAGS: &[Flag] = &[
    Flag::switch(&["list"], "Print the names of all modules.").short('l'),
    Flag::switch(&["json"], "As JSON.").short('j'),
];

fn body(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let json = call.parsed.has("json");
    let modules: Vec<&ModuleDef> = if call.parsed.has("list") {
        MODULES.iter().collect()
    } else if call.parsed.args.is_empty() {
        return Err(usage("which module? `--list` prints them all"));
    } else {
        let names = call.parsed.args.iter();
        names.map(|name| known(name)).collect::<Result<_>>()?
    };
    let text = match (json, call.parsed.has("list")) {
        (true, _) => json_pages(&modules),
        (false, true) => list(&modules),
        (false, false) => {
            let pages: Vec<String> = modules.into_iter().map(page).collect();
            pages.join("\n")
        }
    };
    io.print(&text);
    Ok(exit::OK)
}

/// The module of this name.
fn known(name: &str) -> Result<&'static ModuleDef> {
    if let Some(module) = find(name) {
        return Ok(module);
    }
    let error = usage(format!("no module is called `{name}`"));
    Err(
        match nearest(name, MODULES.iter().flat_map(|m| [m.short_name(), m.name])) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`doc --list` prints the names of all modules"),
        },
    )
}

/// Names and summaries.
#[must_use]
pub fn list(modules: &[&ModuleDef]) -> String {
    let width = modules.iter().map(|m| m.name.len()).max().unwrap_or(0) + 2;
    let line = |m: &&ModuleDef| format!("{:width$}{}\n", m.name, summary(m.doc));
    modules.iter().map(line).collect()
}

/// The page of one module.
#[must_use]
pub fn page(module: &ModuleDef) -> String {
    let (prose, examples) = split_examples(module.doc);
    let mut out = format!("{}\n\n{}", module.name, render(&prose, WIDTH, 2));
    out.push_str("\nParameters\n");
    let params = shown_params(module);
    for spec in &params {
        out.push('\n');
        param(&mut out, spec, module);
    }
    if params.is_empty() {
        out.push_str("\n  none\n");
    }
    if module.any_name {
        out.push_str("\n  Any other name is allowed, too.\n");
    }
    let rules = (module.rules)();
    if !rules.is_empty() {
        out.push_str("\nRules\n\n");
        for rule in rules {
            out.push_str(&render(&format!("- {}", rule_text(&rule)), WIDTH, 2));
        }
    }
    if !module.returns.is_empty() {
        out.push_str("\nReturn values\n\n");
        for (name, meaning) in module.returns {
            out.push_str(&format!("  {name}\n{}", render(meaning, WIDTH, 6)));
        }
    }
    if !examples.is_empty() {
        out.push_str("\nExamples\n");
        for example in examples {
            out.push_str(&format!("\n{}", render(&example, WIDTH, 0)));
        }
    }
    out
}

fn param(out: &mut String, spec: &ParamSpec, module: &ModuleDef) {
    let mut notes = vec![spec.kind.to_string()];
    if spec.required {
        notes.push("required".into());
    }
    notes.extend(default_text(spec).map(|d| format!("default: {d}")));
    if module.free_form == Some(spec.name) {
        notes.push("also free-form".into());
    }
    if spec.secret {
        notes.push("never shown".into());
    }
    out.push_str(&format!("  {} ({})\n", spec.name, notes.join(", ")));
    out.push_str(&render(spec.doc, WIDTH, 6));
    if !spec.choices.is_empty() {
        out.push_str(&render(
            &format!("Choices: {}.", spec.choices.join(", ")),
            WIDTH,
            6,
        ));
    }
    if !spec.aliases.is_empty() {
        out.push_str(&render(
            &format!("Also called: {}.", spec.aliases.join(", ")),
            WIDTH,
            6,
        ));
    }
}

/// Parameters that a playbook has use for: those with a leading underscore are the engine's.
fn shown_params(module: &ModuleDef) -> Vec<ParamSpec> {
    let mut params = module.params();
    params.retain(|p| !p.name.starts_with('_'));
    params
}

/// The pages as JSON, in the shape of `ansible-doc --json`.
#[must_use]
pub fn json_pages(modules: &[&ModuleDef]) -> String {
    let mut all = serde_json::Map::new();
    for module in modules {
        let (prose, examples) = split_examples(module.doc);
        let params = shown_params(module);
        let options: serde_json::Map<String, serde_json::Value> = params
            .iter()
            .map(|p| (p.name.to_string(), option(p)))
            .collect();
        let returns: serde_json::Map<String, serde_json::Value> = module
            .returns
            .iter()
            .map(|(name, meaning)| ((*name).to_string(), json!({ "description": meaning })))
            .collect();
        let rules: Vec<String> = (module.rules)().iter().map(rule_text).collect();
        let page = json!({
            "doc": {
                "module": module.short_name(),
                "plugin_name": module.name,
                "short_description": summary(module.doc),
                "description": render(&prose, usize::MAX, 0).trim_end(),
                "options": options,
                "rules": rules,
            },
            "examples": examples.iter().map(|e| code(e)).collect::<Vec<_>>().join("\n"),
            "return": returns,
        });
        all.insert(module.name.to_string(), page);
    }
    let layout = Layout {
        indent: Some(4),
        ascii: false,
    };
    dump(&Value::from(serde_json::Value::Object(all)), layout) + "\n"
}

fn option(spec: &ParamSpec) -> serde_json::Value {
    let mut option = json!({
        "description": render(spec.doc, usize::MAX, 0).trim_end(),
        "type": spec.kind,
        "required": spec.required,
    });
    if let Some(map) = option.as_object_mut() {
        if !spec.choices.is_empty() {
            map.insert("choices".into(), json!(spec.choices));
        }
        if !spec.aliases.is_empty() {
            map.insert("aliases".into(), json!(spec.aliases));
        }
        if let Some(default) = default_value(spec) {
            map.insert("default".into(), default);
        }
    }
    option
}

/// The first line of a page.
fn summary(doc: &str) -> &str {
    let line = doc.lines().map(str::trim).find(|l| !l.is_empty());
    line.unwrap_or("").trim_end_matches('.')
}

/// The prose of a page, and its blocks of code.
fn split_examples(doc: &str) -> (String, Vec<String>) {
    let (mut prose, mut examples) = (String::new(), Vec::new());
    let mut block: Option<String> = None;
    for line in doc.lines() {
        let fence = line.trim().starts_with("```");
        match (&mut block, fence) {
            (Some(_), true) => {
                let mut done = block.take().unwrap_or_default();
                done.push_str("```\n");
                examples.push(done);
            }
            (Some(text), false) => text.push_str(&format!("{line}\n")),
            (None, true) => block = Some(format!("{line}\n")),
            (None, false) => prose.push_str(&format!("{line}\n")),
        }
    }
    (prose, examples)
}

/// The lines of a block of code without its fences.
fn code(block: &str) -> String {
    let lines = block.lines().filter(|l| !l.trim().starts_with("```"));
    let lines = lines.map(|l| l.strip_prefix(' ').unwrap_or(l));
    lines.map(|l| format!("{l}\n")).collect()
}

/// A default as a page shows it.
fn default_text(spec: &ParamSpec) -> Option<String> {
    default_value(spec).map(|value| match value {
        serde_json::Value::String(text) if !text.is_empty() => text,
        other => other.to_string(),
    })
}

/// A default as a playbook would write it. The table has it as Rust writes it: `State::Present`,
/// `"x".into()`, `Vec::new()`. Nothing where that would tell a playbook's author nothing.
fn default_value(spec: &ParamSpec) -> Option<serde_json::Value> {
    let rust = spec.default?.trim();
    let plain = [".into()", ".to_string()", ".to_owned()"]
        .iter()
        .find_map(|end| rust.strip_suffix(end))
        .unwrap_or(rust);
    let inner = ["String::from(", "Some("]
        .iter()
        .find_map(|start| plain.strip_prefix(start)?.strip_suffix(')'))
        .unwrap_or(plain);
    if matches!(inner, "Vec::new()" | "vec![]" | "Vec::default()") {
        return Some(json!([]));
    }
    // Texts, numbers and truth values are written alike in Rust and JSON, but for `1_000`.
    let number = inner.replace('_', "");
    let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let json = if is_number { &number } else { inner };
    if let Ok(value) = serde_json::from_str(json) {
        return Some(value);
    }
    let variant = inner.rsplit("::").next().unwrap_or(inner);
    let flat = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    // The variant may be named otherwise than its word: better nothing than a wrong word.
    let choice = spec.choices.iter().find(|c| flat(c) == flat(variant))?;
    Some(json!(choice))
}

/// A rule as a sentence.
fn rule_text(rule: &Rule) -> String {
    let list = |names: &[&str]| names.join(", ");
    match rule {
        Rule::Exclusive(names) => format!("At most one of: {}.", list(names)),
        Rule::OneOf(names) | Rule::Written(names) => format!("At least one of: {}.", list(names)),
        Rule::Together(names) => format!("All of these or none: {}.", list(names)),
        Rule::If(name, value, needs) => {
            format!("With `{name}: {value}` also needed: {}.", list(needs))
        }
        Rule::Needs(name, needs) => format!("With `{name}` also needed: {}.", list(needs)),
    }
}
