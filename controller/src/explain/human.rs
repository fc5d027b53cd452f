//! The reports of `explain` for people.

use crate::told::counted;
use serde_json::Value as Json;

fn text(json: &Json) -> String {
    match json {
        Json::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// A value, or why it is not known.
fn value(said: &Json) -> String {
    if said["omitted"] == true {
        return "left out (omit)".into();
    }
    match (&said["unknown"], said.get("value")) {
        (Json::String(why), _) => format!("? {why}"),
        (_, Some(value)) => value.to_string(),
        _ => "?".into(),
    }
}

/// A variable's definitions, the weakest first.
#[must_use]
pub fn variable(report: &Json) -> String {
    let mut out = String::new();
    for play in report["plays"].as_array().into_iter().flatten() {
        let head = format!(
            "{} for {}, in the play `{}` ({})\n",
            text(&report["variable"]),
            text(&report["host"]),
            text(&play["play"]),
            text(&play["place"])
        );
        out.push_str(&head);
        for one in play["definitions"].as_array().into_iter().flatten() {
            let mark = if one["wins"] == true { "=>" } else { "  " };
            let at = match &one["place"] {
                Json::String(place) => place.clone(),
                _ => text(&one["from"]),
            };
            let written = match &one["written"] {
                Json::Null => String::new(),
                value => format!("  {value}"),
            };
            let only = match &one["only"] {
                Json::String(only) => format!("  ({only})"),
                _ => String::new(),
            };
            out.push_str(&format!(
                "{mark} {:>2}  {:36}  {at}{written}{only}\n",
                text(&one["precedence"]),
                text(&one["layer"])
            ));
        }
        out.push_str(&format!("    value: {}\n", value(&play["result"])));
        out.push_str(&format!("    why:   {}\n", text(&play["why"])));
        if let Json::String(problem) = &play["problem"] {
            out.push_str(&format!("    vars_files could not be read: {problem}\n"));
        }
        out.push('\n');
    }
    out
}

/// A task as it would be on a host.
#[must_use]
pub fn task(report: &Json) -> String {
    let mut out = format!(
        "TASK {} ({})\n",
        text(&report["task"]),
        text(&report["place"])
    );
    out.push_str(&format!(
        "  host: {}, play: {}",
        text(&report["host"]),
        text(&report["play"])
    ));
    if report["on_host"] != true {
        out.push_str(" (which the host is not in)");
    }
    out.push_str(&format!("\n  module: {}\n", text(&report["module"])));
    for one in report["arguments"].as_array().into_iter().flatten() {
        out.push_str(&format!("    {}: {}\n", text(&one["name"]), value(one)));
    }
    if let Some(looped) = report["loop"].as_object() {
        let items = looped["items"]
            .as_u64()
            .map_or("? items".to_string(), |n| counted(n as usize, "item"));
        out.push_str(&format!(
            "  {}: {} as `{}` (the arguments show the first): {}\n",
            text(&looped["kind"]),
            items,
            text(&looped["variable"]),
            value(&looped["over"])
        ));
    }
    for one in report["conditions"].as_array().into_iter().flatten() {
        let holds = match &one["holds"] {
            Json::Bool(true) => "true".to_string(),
            Json::Bool(false) => "FALSE: the task is skipped".to_string(),
            _ => format!("? {}", text(&one["unknown"])),
        };
        out.push_str(&format!(
            "  when {} -> {holds}  ({}, {})\n",
            text(&one["condition"]),
            text(&one["from"]),
            text(&one["place"])
        ));
    }
    for one in report["keywords"].as_array().into_iter().flatten() {
        out.push_str(&format!(
            "  {}: {}  ({}, {})\n",
            text(&one["keyword"]),
            value(one),
            text(&one["from"]),
            text(&one["place"])
        ));
    }
    out.push('\n');
    out
}
