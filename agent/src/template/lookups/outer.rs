//! Lookups that ask the controller: environment, commands, addresses; and its variables.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::regex;
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup, flattened};
use crate::error::ErrorKind;

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
        "url",
        &["split_lines", "validate_certs", "headers"],
        "What is at an address.",
        url,
    ),
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
            (Some(value), _) => Val::from(value),
            (None, Some(default)) => match default {
                Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => Val::Missing(
                    Fault::undefined(format!("the environment variable '{name}' is not set")),
                ),
                other => other.clone(),
            },
            (None, None) => Val::from(""),
        });
    }
    Ok(out)
}

fn vars(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in &l.terms {
        let Val::Str(name) = term.usable()? else {
            return Err(Fault::error(format!(
                "invalid setting identifier, it must be a string, not {}",
                term.type_name()
            )));
        };
        out.push(match (l.ctx.variable(name), l.option("default")) {
            (Some(Val::Missing(fault)), Some(default)) if fault.kind() == ErrorKind::Undefined => {
                default.clone()
            }
            (Some(value), _) => value.usable()?.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) => {
                return Err(Fault::undefined(format!(
                    "no variable found with this name: {name}"
                )));
            }
        });
    }
    Ok(out)
}

fn varnames(l: &Look) -> Res<Vec<Val>> {
    let names = l.ctx.home.names();
    let mut out = Vec::new();
    for pattern in l.texts()? {
        let pattern = regex::compiled(&pattern, false, false)?;
        for name in &names {
            if pattern.is_match(name)? {
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

fn url(l: &Look) -> Res<Vec<Val>> {
    let split = l.flag("split_lines", true)?;
    let mut out = Vec::new();
    for url in l.texts()? {
        let body = l.ctx.outside().fetch(&url)?;
        let body = String::from_utf8_lossy(&body);
        if split {
            out.extend(body.lines().map(Val::from));
        } else {
            out.push(Val::from(&*body));
        }
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
    let mut out = Vec::new();
    for name in l.texts()? {
        match l.ctx.outside().setting(&name) {
            Some(value) => out.push(l.ctx.lift(&value, &l.ctx.home)),
            None if on_missing == "error" => {
                return Err(Fault::error(format!("setting '{name}' was not defined")));
            }
            None => {
                if on_missing == "warn" {
                    l.ctx
                        .outside()
                        .warn(&format!("there is no setting '{name}'"));
                }
            }
        }
    }
    Ok(out)
}
