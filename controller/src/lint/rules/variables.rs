//! Variables: unused, undefined, and with names that are none.

use crate::lint::Check::Project as Whole;
use crate::lint::Found;
use crate::lint::project::Project;
use lks_agent::error::nearest;
use lks_agent::playbook::keyword::{Kw, plain_text};
use lks_agent::playbook::scope::Scope;
use lks_agent::playbook::task::{Loop, Task};
use lks_agent::playbook::yaml::{Kind, Node};
use lks_agent::source::Span;
use lks_agent::template::used;
use lks_agent::value::Value;
use std::collections::{HashMap, HashSet};

rules! {
    /// A variable that nothing defines.
    ///
    /// With an inventory (`-i`) everything is known but what `-e` adds (give it to `lint`, too): a name
    /// that no file, fact, result or loop brings is told. Without one, only a name that looks like a
    /// slip of another one is. Names with a `default`, or that the playbook asks whether they are
    /// defined, are left in peace; so is everything where names are worked out in the run.
    UNDEFINED "undefined-variable" Warning on => Whole(undefined);

    /// A variable that nothing uses.
    ///
    /// No task, template, script or other file of the project names it. Facts and the variables of
    /// connections (`ansible_…`) are left in peace, and all others where a role or file is not there, or
    /// where names are worked out in the run.
    UNUSED "unused-variable" Note on => Whole(unused);

    /// A result that is kept with `register`, and that nothing looks at.
    UNUSED_RESULT "unused-register" Note on => Whole(unused_register);

    /// A name that no template can name, or that Ansible sets itself.
    ///
    /// Names have letters, digits and `_`, and begin with no digit. `groups`, `inventory_hostname` and
    /// their like are set by Ansible, over whatever a file says.
    NAME "variable-name" Warning on => Whole(names);
}

/// What Ansible sets itself.
const MAGIC: &[&str] = &[
    "groups",
    "group_names",
    "hostvars",
    "inventory_hostname",
    "inventory_hostname_short",
    "inventory_dir",
    "inventory_file",
    "playbook_dir",
    "play_hosts",
    "role_name",
    "role_names",
    "role_path",
    "vars",
    "omit",
    "environment",
];

/// A variable's definition.
struct Definition {
    name: String,
    span: Span,
    register: bool,
}

/// Every definition that is written as a key, or as a result's name.
fn definitions(project: &Project) -> Vec<Definition> {
    let mut out = Vec::new();
    for node in &project.variables {
        keys(node, &mut out);
    }
    for tree in project.task_trees() {
        walk(tree, &mut out);
    }
    out
}

fn keys(node: &Node, out: &mut Vec<Definition>) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|n| keys(n, out)),
        Kind::Map(entries) => out.extend(entries.iter().filter_map(|(key, _)| {
            Some(Definition {
                name: key.as_str()?.to_string(),
                span: key.span.clone(),
                register: false,
            })
        })),
        _ => {}
    }
}

fn walk(node: &Node, out: &mut Vec<Definition>) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|n| walk(n, out)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                match key.as_str() {
                    Some("vars" | "set_fact" | "ansible.builtin.set_fact") => keys(value, out),
                    Some("register") => out.extend(value.as_str().map(|name| Definition {
                        name: name.to_string(),
                        span: value.span.clone(),
                        register: true,
                    })),
                    Some(
                        "block" | "rescue" | "always" | "tasks" | "pre_tasks" | "post_tasks"
                        | "handlers",
                    ) => {
                        walk(value, out);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Whether all uses can be seen.
fn is_whole(project: &Project) -> bool {
    let look = || !project.incomplete && project.words().complete && !names_are_open(project);
    *project.whole.get_or_init(look)
}

fn names_are_open(project: &Project) -> bool {
    let mut open = false;
    each_text(project, &mut |text, span, expression| {
        open |= used::names(text, Some(span), expression).map_or(true, |n| n.open);
    });
    open
}

fn unused(project: &Project, out: &mut Vec<Found>) {
    report_unused(project, false, out);
}

fn unused_register(project: &Project, out: &mut Vec<Found>) {
    report_unused(project, true, out);
}

fn report_unused(project: &Project, register: bool, out: &mut Vec<Found>) {
    if !is_whole(project) {
        return;
    }
    let words = project.words();
    for definition in definitions(project) {
        let name = definition.name.as_str();
        let known = name.starts_with("ansible_")
            || name.starts_with('_')
            || !is_identifier(name)
            || name == "cacheable";
        if definition.register != register || known || words.uses(name) > 0 {
            continue;
        }
        let said = if register {
            format!("nothing looks at the result `{name}`")
        } else {
            format!("nothing uses the variable `{name}`")
        };
        out.push(Found::at(&definition.span, said).hint("remove it, or begin its name with `_`"));
    }
}

fn names(project: &Project, out: &mut Vec<Found>) {
    for definition in definitions(project) {
        let name = definition.name.as_str();
        if name.contains("{{") {
            continue;
        }
        if !is_identifier(name) {
            let proper: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            let proper = if proper.starts_with(|c: char| c.is_ascii_digit()) {
                format!("_{proper}")
            } else {
                proper
            };
            out.push(
                Found::at(
                    &definition.span,
                    format!("no template can name the variable `{name}`"),
                )
                .hint(format!("call it `{proper}`")),
            );
        } else if MAGIC.contains(&name) {
            out.push(
                Found::at(&definition.span, format!("Ansible sets `{name}` itself"))
                    .hint("take another name"),
            );
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn undefined(project: &Project, out: &mut Vec<Found>) {
    if project.incomplete || !project.words().complete || project.plays.is_empty() {
        return;
    }
    let mut uses: HashMap<String, Vec<Span>> = HashMap::new();
    let mut optional = HashSet::new();
    let mut open = false;
    each_text(project, &mut |text, span, expression| {
        let Ok(names) = used::names(text, Some(span), expression) else {
            open = true;
            return;
        };
        open |= names.open;
        for one in names.uses {
            if one.optional {
                optional.insert(one.name.to_string());
            }
            let place = one.span.unwrap_or_else(|| span.clone());
            uses.entry(one.name.to_string()).or_default().push(place);
        }
    });
    if open {
        return;
    }
    let known = made_in_the_run(project);
    let words = project.words();
    let own: Vec<String> = definitions(project).into_iter().map(|d| d.name).collect();
    for (name, places) in uses {
        let brought =
            known.contains(&name) || words.defines(&name) || project.extra.contains(&name);
        if brought || optional.contains(&name) || is_given(&name) {
            continue;
        }
        // `size: "{{ role_size }}"` takes another's value under a shorter name: no slip.
        let others = own.iter().map(String::as_str);
        let others = others.filter(|own| !name.ends_with(&format!("_{own}")));
        let near = nearest(&name, others).filter(|_| name.len() > 5);
        let slip = near.is_some() && words.uses(&name) == 1;
        if !project.closed && !slip {
            continue;
        }
        for place in places {
            let found = Found::at(&place, format!("nothing defines the variable `{name}`"));
            out.push(match near {
                Some(near) => found.hint(format!("did you mean `{near}`?")),
                None => found.hint(format!("if `-e {name}=…` gives it, give it to `lint`, too")),
            });
        }
    }
}

/// Names that are always there, or that facts bring.
fn is_given(name: &str) -> bool {
    MAGIC.contains(&name)
        || name.starts_with("ansible_")
        || name.starts_with("getent_")
        || name.starts_with("facter_")
        || name.starts_with("ohai_")
        || matches!(
            name,
            "item"
                | "packages"
                | "services"
                | "mount_points"
                | "vmware_host_facts"
                | "ec2_metadata"
        )
}

/// Names that tasks make: loop variables, questions, hosts that are added, whole facts.
fn made_in_the_run(project: &Project) -> HashSet<String> {
    let mut out = HashSet::new();
    for task in &project.tasks {
        if let Some(control) = task
            .own(Kw::LoopControl)
            .and_then(|s| s.value.as_map().cloned())
        {
            for key in ["loop_var", "index_var"] {
                out.extend(control.get(key).map(plain_text));
            }
        }
        if matches!(
            task.short_module(),
            "set_fact" | "add_host" | "include_vars" | "set_stats"
        ) {
            out.extend(task.args.named.iter().map(|a| a.name.to_string()));
            out.extend(task.args.get("name").map(|a| plain_text(&a.value)));
        }
    }
    for play in &project.plays {
        for item in play
            .get(Kw::VarsPrompt)
            .map(|s| s.items())
            .unwrap_or_default()
        {
            let name = item.as_map().and_then(|m| m.get("name"));
            out.extend(name.map(plain_text));
        }
    }
    out
}

/// Each template and condition of tasks, blocks and plays.
fn each_text(project: &Project, look: &mut dyn FnMut(&str, &Span, bool)) {
    for play in &project.plays {
        scope(&play.scope, look);
    }
    for block in &project.blocks {
        scope(&block.scope, look);
    }
    for one in &project.tasks {
        scope(&one.scope, look);
        task(one, look);
    }
    for node in &project.variables {
        tree(node, look);
    }
}

fn task(task: &Task, look: &mut dyn FnMut(&str, &Span, bool)) {
    if let Some(Loop::Over(setting) | Loop::With(_, setting)) = &task.looped {
        templates(&setting.value, &setting.span, look);
    }
    for arg in &task.args.named {
        let whole = matches!(
            (task.short_module(), &*arg.name),
            ("debug", "var") | ("assert", "that")
        );
        match (&arg.value, whole) {
            (Value::Str(text), true) => look(text, &arg.span, true),
            (Value::List(items), true) => {
                for text in items.iter().filter_map(Value::as_str) {
                    look(text, &arg.span, true);
                }
            }
            (value, _) => templates(value, &arg.span, look),
        }
    }
    for setting in task.args.free.iter().chain(&task.args.whole) {
        templates(&setting.value, &setting.span, look);
    }
}

fn scope(scope: &Scope, look: &mut dyn FnMut(&str, &Span, bool)) {
    for (kw, setting) in scope.keywords.iter() {
        match kw {
            Kw::When | Kw::Until | Kw::ChangedWhen | Kw::FailedWhen => {
                for item in setting.items() {
                    if let Some(text) = item.as_str() {
                        look(text, &setting.span, true);
                    }
                }
            }
            Kw::Tasks | Kw::PreTasks | Kw::PostTasks | Kw::Handlers | Kw::Roles => {}
            _ => templates(&setting.value, &setting.span, look),
        }
    }
}

fn templates(value: &Value, span: &Span, look: &mut dyn FnMut(&str, &Span, bool)) {
    match value {
        Value::Template(t) => look(&t.text, t.span.as_ref().unwrap_or(span), false),
        Value::List(items) => items.iter().for_each(|v| templates(v, span, look)),
        Value::Map(map) => map.values().for_each(|v| templates(v, span, look)),
        _ => {}
    }
}

fn tree(node: &Node, look: &mut dyn FnMut(&str, &Span, bool)) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|n| tree(n, look)),
        Kind::Map(entries) => entries.iter().for_each(|(_, n)| tree(n, look)),
        Kind::Str(text) if text.contains("{{") || text.contains("{%") => {
            look(text, &node.span, false)
        }
        _ => {}
    }
}
