//! Lookups that ask the controller: environment, commands, addresses; and its variables.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::regex;
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup, flattened};
use crate::error::nearest;

pub(super) static TABLE: &[Lookup] = &[
    Lookup::new(
        "env",
        &["default"],
        "An environment variable of the controller.",
        env,
    )
    .with_markers(),
    Lookup::new("vars", &["default"], "The variable of that name.", vars),
    Lookup::new(
        "varnames",
        &[],
        "The names of variables that fit a pattern.",
        varnames,
    ),
    Lookup::new("pipe", &[], "What a command prints.", pipe),
    Lookup::new("lines", &[], "The lines that a command prints.", lines),
    Lookup::new(
        "inventory_hostnames",
        &[],
        "The hosts of groups and patterns.",
        hostnames,
    ),
    Lookup::new(
        "config",
        &["on_missing", "plugin_type", "plugin_name", "show_origin"],
        "A setting of the controller.",
        config,
    ),
];

fn env(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for name in l.texts()? {
        let name = name.split_whitespace().next().unwrap_or_default();
        out.push(match (l.ctx.outside().env(name), l.option("default")) {
            (Some(value), _) => {
                let origin = format!("<environment variable '{name}'>");
                l.ctx.run.with_origin(value, origin)
            }
            (None, Some(default)) => match default {
                // `default=undef()` without words of its own.
                Val::Missing(fault) if fault.message() == super::super::globals::NOT_OVERRIDDEN => {
                    Val::Missing(Fault::undefined(format!(
                        "the environment variable '{name}' is not set"
                    )))
                }
                other => other.clone(),
            },
            (None, None) => Val::from(""),
        });
    }
    Ok(out)
}

fn vars(l: &Look) -> Res<Vec<Val>> {
    let default = l.option("default").filter(|v| !matches!(v, Val::Null));
    let mut out = Vec::new();
    for term in &l.terms {
        let Val::Str(name) = term.usable()? else {
            return Err(Fault::error(format!(
                "Variable name must be 'str' not '{}'.",
                term.type_name()
            )));
        };
        match (l.ctx.variable(name), default) {
            (Some(value), _) => out.push(value.usable()?.clone()),
            (None, Some(default)) => out.push(default.clone()),
            (None, None) => {
                let known = l.ctx.home.names();
                let fault = Fault::undefined(format!("No variable named '{name}' was found."));
                return Err(match nearest(name, known.iter().map(|n| &**n)) {
                    Some(near) => fault.hint(format!("did you mean `{near}`?")),
                    None => fault,
                });
            }
        }
    }
    Ok(out)
}

fn varnames(l: &Look) -> Res<Vec<Val>> {
    let names = l.ctx.home.names();
    let mut out = Vec::new();
    for term in &l.terms {
        let Val::Str(pattern) = term.usable()? else {
            return Err(Fault::error(format!(
                "Invalid setting identifier, \"{}\" is not a string, it is a {}",
                text::to_text(l.ctx, term)?,
                term.type_name()
            )));
        };
        let compiled = regex::compiled(pattern, false, false).map_err(|fault| {
            // The commonest mistake is a wildcard; Python says this of it.
            let why = match pattern.starts_with(['*', '+', '?']) {
                true => "nothing to repeat at position 0".to_owned(),
                false => fault.message().to_owned(),
            };
            Fault::error(format!(
                "Unable to use \"{pattern}\" as a search parameter: {why}"
            ))
        })?;
        for name in &names {
            if compiled.is_match(name)? {
                out.push(Val::Str(name.clone()));
            }
        }
    }
    Ok(out)
}

/// The output of a command that must succeed, without line breaks at its end.
fn output(l: &Look, command: &str) -> Res<String> {
    let done = l.ctx.outside().pipe(command)?;
    if done.status != 0 {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Fault::error(format!(
            "the command `{command}` returned {}: {}",
            done.status,
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
}

fn pipe(l: &Look) -> Res<Vec<Val>> {
    let commands = l.texts()?;
    commands
        .iter()
        .map(|c| output(l, c).map(Val::from))
        .collect()
}

fn lines(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for command in l.texts()? {
        out.extend(output(l, &command)?.lines().map(Val::from));
    }
    Ok(out)
}

/// Patterns over `groups`: `web`, `web:db`, `all:!web`, `web:&prod`, with wildcards.
fn hostnames(l: &Look) -> Res<Vec<Val>> {
    let groups = match l.ctx.variable(&"groups".into()) {
        Some(groups) => access::entries(l.ctx, &groups)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let members = |pattern: &str| -> Res<Vec<Val>> {
        let mut found: Vec<Val> = Vec::new();
        for (group, hosts) in &groups {
            let by_group = super::glob::wildcard(pattern, &group.to_string());
            for host in access::iterate(l.ctx, hosts)? {
                let name = text::to_text(l.ctx, &host)?;
                let wanted = by_group || super::glob::wildcard(pattern, &name);
                if wanted && !access::has(l.ctx, &found, &host)? {
                    found.push(host);
                }
            }
        }
        Ok(found)
    };
    let mut patterns: Vec<String> = Vec::new();
    for term in flattened(l)? {
        let term = text::to_text(l.ctx, &term)?;
        patterns.extend(term.split([':', ',']).map(|p| p.trim().to_owned()));
    }
    // Exclusions and intersections come after what they apply to.
    patterns.sort_by_key(|p| match p.chars().next() {
        Some('&') => 1,
        Some('!') => 2,
        _ => 0,
    });
    let mut out: Vec<Val> = Vec::new();
    for pattern in &patterns {
        let (sign, bare) = match pattern.strip_prefix(['&', '!']) {
            Some(bare) => (pattern.chars().next(), bare),
            None => (None, pattern.as_str()),
        };
        let found = members(bare)?;
        if sign.is_none() {
            for host in found {
                if !access::has(l.ctx, &out, &host)? {
                    out.push(host);
                }
            }
            continue;
        }
        let mut kept = Vec::new();
        for host in out {
            if access::has(l.ctx, &found, &host)? == (sign == Some('&')) {
                kept.push(host);
            }
        }
        out = kept;
    }
    Ok(out)
}

fn config(l: &Look) -> Res<Vec<Val>> {
    let on_missing = l.text_option("on_missing", "error")?;
    if !matches!(&*on_missing, "error" | "skip" | "warn") {
        return Err(Fault::error(format!(
            "Invalid value '{on_missing}' for `on_missing`: it is error, skip or warn"
        )));
    }
    let given = |name: &str| l.option(name).is_some_and(|v| !matches!(v, Val::Null));
    if given("plugin_type") != given("plugin_name") {
        return Err(Fault::error(
            "Both plugin_type and plugin_name are required, cannot use one without the other.",
        ));
    }
    let show_origin = l.flag("show_origin", false)?;
    let plugin = match (given("plugin_type"), given("plugin_name")) {
        (true, true) => Some((
            l.text_option("plugin_type", "")?,
            l.text_option("plugin_name", "")?,
        )),
        _ => None,
    };
    let mut out = Vec::new();
    for term in &l.terms {
        let Val::Str(name) = term.usable()? else {
            return Err(Fault::error(format!(
                "Invalid setting identifier, {} is not a str, its a {}.",
                text::to_text(l.ctx, term)?,
                term.type_name()
            )));
        };
        let plugin = plugin.as_ref().map(|(kind, name)| (&**kind, &**name));
        match l.ctx.outside().setting(name, plugin, &*l.ctx.home)? {
            Some((value, origin)) => {
                let value = l.ctx.lift(&value, &l.ctx.home);
                out.push(match show_origin {
                    true => Val::list(vec![value, Val::from(origin)]),
                    false => value,
                });
            }
            None if on_missing == "skip" => {}
            None => {
                let message = format!("No config definition exists for '{name}'");
                if on_missing == "error" {
                    return Err(Fault::error(message));
                }
                l.ctx.outside().warn(&format!("Skipping {name}. {message}"));
            }
        }
    }
    Ok(out)
}
