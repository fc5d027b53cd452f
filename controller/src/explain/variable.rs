//! Every definition of a variable for a host, in order of precedence, and which one wins.

use super::{MASK, Placed, key_below, key_in, made_by, names_in, place, shown, tasks};
use crate::lint::rules::secrets::is_secret_name;
use lks_agent::engine::{Run, Sight};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::inventory::Origin;
use lks_agent::playbook::keyword::{Kw, Setting};
use lks_agent::playbook::play::Play;
use lks_agent::playbook::role::RoleUse;
use lks_agent::playbook::scope::ScopeKind;
use lks_agent::source::Span;
use lks_agent::template::Variables;
use lks_agent::value::Value;
use lks_agent::vars::Layer;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::sync::Arc;

/// One definition.
struct Definition {
    layer: Layer,
    from: String,
    span: Option<Span>,
    value: Option<Value>,
    vaulted: bool,
    /// It holds only in a part of the play, or from some moment on: it is told, and does not win here.
    only: Option<String>,
}

/// What Ansible's documentation calls a layer, with its number there.
fn layer_name(layer: Layer) -> (&'static str, u8) {
    match layer {
        Layer::Address => ("the name of the host", 1),
        Layer::Login => ("remote_user or -u", 1),
        Layer::RoleDefaults => ("role defaults", 2),
        Layer::InventoryGroups => ("group in the inventory", 3),
        Layer::InventoryGroupVarsAll => ("group_vars/all beside the inventory", 4),
        Layer::PlaybookGroupVarsAll => ("group_vars/all beside the playbook", 5),
        Layer::InventoryGroupVars => ("group_vars beside the inventory", 6),
        Layer::PlaybookGroupVars => ("group_vars beside the playbook", 7),
        Layer::InventoryHosts => ("host in the inventory", 8),
        Layer::InventoryHostVars => ("host_vars beside the inventory", 9),
        Layer::PlaybookHostVars => ("host_vars beside the playbook", 10),
        Layer::Facts => ("facts", 11),
        Layer::PlayVars => ("vars of the play", 12),
        Layer::PlayPrompt => ("vars_prompt of the play", 13),
        Layer::PlayFiles => ("vars_files of the play", 14),
        Layer::RoleVars => ("vars of a role", 15),
        Layer::TaskVars => ("vars of a block or task", 17),
        Layer::IncludeVars => ("include_vars", 18),
        Layer::SetFacts => ("set_fact and register", 19),
        Layer::RoleParams => ("parameters of a role", 20),
        Layer::IncludeParams | Layer::IncludeItems => ("vars of an include", 21),
        Layer::Extra => ("extra variables (-e)", 22),
        Layer::Magic => ("set by Ansible itself", 23),
        Layer::Loop | Layer::LoopWritten => ("the variable of a loop", 24),
    }
}

/// The report of a variable for a host, in each play that has the host; of the first play alone where
/// nothing differs.
///
/// # Errors
/// When nothing defines it.
pub fn report(run: &Run, name: &str, host: &Arc<str>) -> Result<Json> {
    let placed = tasks(run);
    let mut plays = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    for play in run.playbooks.iter().flat_map(|(_, plays)| plays) {
        if !run.hosts_in(play).contains(host) {
            continue;
        }
        let sight = run.sight(play, None, host);
        known.extend(sight.stack.names().iter().map(ToString::to_string));
        let of_play: Vec<Placed> = placed
            .iter()
            .filter(|p| Arc::ptr_eq(&p.play, play))
            .map(|p| Placed {
                play: Arc::clone(&p.play),
                task: Arc::clone(&p.task),
            })
            .collect();
        let definitions = definitions(run, play, &of_play, name, host, &sight);
        if !definitions.is_empty() {
            plays.push(one_play(run, play, name, &definitions, &sight));
        }
    }
    if plays.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("nothing defines the variable `{name}` for {host}"),
        )
        .did_you_mean(name, known.iter().map(String::as_str)));
    }
    Ok(json!({"variable": name, "host": host.to_string(), "plays": plays}))
}

fn one_play(run: &Run, play: &Play, name: &str, definitions: &[Definition], sight: &Sight) -> Json {
    let winner = definitions.iter().rposition(|d| d.only.is_none());
    let all: Vec<Json> = definitions
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let (layer, number) = layer_name(d.layer);
            let secret = d.vaulted || is_secret_name(name);
            let value = d
                .value
                .as_ref()
                .map(|v| if secret { json!(MASK) } else { shown(v) });
            json!({
                "layer": layer,
                "precedence": number,
                "from": d.from,
                "place": place(d.span.as_ref()),
                "written": value,
                "wins": winner == Some(i),
                "only": d.only,
            })
        })
        .collect();
    let won = winner.and_then(|i| definitions.get(i));
    json!({
        "play": play.name(),
        "place": place(Some(&play.span)),
        "definitions": all,
        "why": why(definitions, winner),
        "result": result(run, name, won, sight),
        "problem": sight.error.as_ref().map(Error::message),
    })
}

fn why(definitions: &[Definition], winner: Option<usize>) -> String {
    let Some(won) = winner.and_then(|i| definitions.get(i)) else {
        return "nothing defines it before the play runs".into();
    };
    let (layer, number) = layer_name(won.layer);
    let others = definitions.iter().filter(|d| d.only.is_none()).count();
    let equal = definitions
        .iter()
        .filter(|d| d.only.is_none() && d.layer == won.layer)
        .count();
    match (others, equal) {
        (1, _) => "it is the only one".into(),
        (_, 1) => format!("{layer} ({number}) go over everything that stands before"),
        _ => format!("of {equal} definitions of one rank ({layer}, {number}), the last one wins"),
    }
}

/// The value after templating, or why it is not known.
fn result(run: &Run, name: &str, won: Option<&Definition>, sight: &Sight) -> Json {
    let Some(value) = won.and_then(|d| d.value.clone()) else {
        return json!({"unknown": "it is known only while the play runs"});
    };
    let vars: Arc<dyn Variables> = Arc::new(sight.stack.clone());
    if is_secret_name(name) || won.is_some_and(|d| d.vaulted) || holds_secret(&value, &vars, 0) {
        return json!({"value": MASK});
    }
    match run.cx.templar.resolve(&value, &vars) {
        Ok(value) => json!({"value": shown(&value)}),
        Err(error) => json!({"unknown": format!("before the play runs: {}", error.message())}),
    }
}

/// Whether a value is made of a secret.
pub(super) fn holds_secret(value: &Value, vars: &Arc<dyn Variables>, depth: u32) -> bool {
    let mut names = HashSet::new();
    names_in(value, &mut names);
    names.iter().any(|n| {
        is_secret_name(n)
            || (depth < 6
                && vars
                    .get(n)
                    .is_some_and(|v| holds_secret(&v, vars, depth + 1)))
    })
}

fn definitions(
    run: &Run,
    play: &Arc<Play>,
    tasks: &[Placed],
    name: &str,
    host: &Arc<str>,
    sight: &Sight,
) -> Vec<Definition> {
    let mut out = Vec::new();
    for role in &play.roles {
        of_role(role, name, &mut out);
    }
    for (layer, one) in run.inventory_layers(host) {
        if let Some(value) = one.vars.get(name) {
            out.push(Definition {
                layer,
                from: origin(&one.origin),
                span: one.vars.place(name).cloned(),
                value: Some(value.clone()),
                vaulted: one.vars.place(name).is_some_and(is_vaulted),
                only: None,
            });
        }
    }
    if name.starts_with("ansible_") && sight.stack.get(name).is_none() {
        out.push(later(
            Layer::Facts,
            "facts, where the play gathers them",
            None,
            "once facts are gathered",
        ));
    }
    let vars = play.scope.keywords.get(Kw::Vars);
    out.extend(vars.and_then(|s| of_setting(s, name, Layer::PlayVars, "the play", None)));
    prompts(play, name, &mut out);
    let in_files = sight
        .stack
        .definitions(name)
        .find(|(l, _)| *l == Layer::PlayFiles);
    if let Some((_, value)) = in_files {
        files(play, name, value, &mut out);
    }
    for placed in tasks {
        scopes(placed, name, &mut out);
    }
    for (placed, how) in made_by(tasks, name) {
        let layer = if how == "include_vars" {
            Layer::IncludeVars
        } else {
            Layer::SetFacts
        };
        let from = format!("{how} in the task `{}`", placed.task.title());
        out.push(later(
            layer,
            &from,
            Some(placed.task.span.clone()),
            "from then on",
        ));
    }
    for (layer, value) in sight.stack.definitions(name) {
        let from = match layer {
            Layer::Extra => "the command line",
            Layer::Magic => "Ansible itself",
            _ => continue,
        };
        out.push(Definition {
            layer,
            from: from.into(),
            span: None,
            value: Some(value.clone()),
            vaulted: false,
            only: None,
        });
    }
    out.sort_by_key(|d| d.layer);
    out.dedup_by(|a, b| {
        a.layer == b.layer && a.span.is_some() && a.span == b.span && a.only == b.only
    });
    out
}

fn later(layer: Layer, from: &str, span: Option<Span>, only: &str) -> Definition {
    Definition {
        layer,
        from: from.into(),
        span,
        value: None,
        vaulted: false,
        only: Some(only.into()),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Group(group) | Origin::GroupFile(_, group, _) => format!("the group `{group}`"),
        Origin::Host | Origin::HostFile(..) => "the host".into(),
    }
}

/// Whether the value at a place is vaulted, or the whole file is (its text is not kept then).
fn is_vaulted(span: &Span) -> bool {
    span.file.text.is_empty() || span.file.line(span.line).contains("!vault")
}

fn of_role(role: &Arc<RoleUse>, name: &str, out: &mut Vec<Definition>) {
    let only = (!role.public).then(|| format!("only in the role `{}`", role.name));
    let kinds = [
        (Layer::RoleDefaults, &role.defaults, "defaults"),
        (Layer::RoleVars, &role.vars, "vars"),
        (Layer::RoleParams, &role.params, ""),
    ];
    for (layer, map, folder) in kinds {
        let Some(value) = map.get(name) else {
            continue;
        };
        let found = yaml_in(&role.path.join(folder))
            .into_iter()
            .rev()
            .find_map(|f| key_in(&f, name));
        let found = found.filter(|_| !folder.is_empty());
        out.push(Definition {
            layer,
            from: format!("the role `{}`", role.name),
            vaulted: found.as_ref().is_some_and(|(_, vaulted)| *vaulted),
            span: found.map(|(span, _)| span),
            value: Some(value.clone()),
            only: match layer {
                Layer::RoleParams => Some(format!("only in the role `{}`", role.name)),
                _ => only.clone(),
            },
        });
    }
}

fn yaml_in(dir: &std::path::Path) -> Vec<String> {
    use lks_agent::host::here;
    let mut out = Vec::new();
    for name in here::list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        if here::is_dir(&path) {
            out.extend(yaml_in(&path));
        } else {
            out.push(path.display().to_string());
        }
    }
    out
}

fn of_setting(
    setting: &Setting,
    name: &str,
    layer: Layer,
    from: &str,
    only: Option<String>,
) -> Option<Definition> {
    let items = setting.items();
    let value = items
        .iter()
        .rev()
        .find_map(|m| m.as_map()?.get(name).cloned())?;
    let span = key_below(&setting.span, name);
    Some(Definition {
        layer,
        from: from.into(),
        vaulted: is_vaulted(&span),
        span: Some(span),
        value: Some(value),
        only,
    })
}

fn prompts(play: &Play, name: &str, out: &mut Vec<Definition>) {
    let Some(setting) = play.get(Kw::VarsPrompt) else {
        return;
    };
    let asks = |v: &Value| {
        v.as_map()
            .and_then(|m| m.get("name"))
            .and_then(Value::as_str)
            == Some(name)
    };
    if setting.items().iter().any(asks) {
        out.push(later(
            Layer::PlayPrompt,
            "a question of the play",
            Some(setting.span.clone()),
            "once it is answered",
        ));
    }
}

fn files(play: &Play, name: &str, value: &Value, out: &mut Vec<Definition>) {
    let Some(setting) = play.get(Kw::VarsFiles) else {
        return;
    };
    let names = setting
        .items()
        .into_iter()
        .filter_map(|v| v.as_str().map(str::to_string));
    let paths = names.flat_map(|n| [play.dir.join("vars").join(&n), play.dir.join(&n)]);
    let found = paths
        .filter_map(|p| key_in(&p.display().to_string(), name))
        .last();
    out.push(Definition {
        layer: Layer::PlayFiles,
        from: "a file of the play".into(),
        vaulted: found.as_ref().is_none_or(|(_, vaulted)| *vaulted),
        span: found.map(|(span, _)| span),
        value: Some(value.clone()),
        only: None,
    });
}

/// `vars:` of the blocks around a task, and its own: they hold only there.
fn scopes(placed: &Placed, name: &str, out: &mut Vec<Definition>) {
    for scope in placed.task.scope.chain() {
        let (layer, what) = match scope.kind {
            ScopeKind::Play => continue,
            ScopeKind::Role => (Layer::TaskVars, "a role's entry".to_string()),
            ScopeKind::Block => (Layer::TaskVars, "a block".to_string()),
            ScopeKind::Include => (Layer::IncludeParams, "an include".to_string()),
            ScopeKind::Task => (
                Layer::TaskVars,
                format!("the task `{}`", placed.task.title()),
            ),
        };
        let Some(setting) = scope.keywords.get(Kw::Vars) else {
            continue;
        };
        out.extend(of_setting(
            setting,
            name,
            layer,
            &what,
            Some(format!("only in {what}")),
        ));
    }
}
