//! The host's Python, if it has one: nothing here needs it, but playbooks ask for it.

use super::cx::{Cx, put};
use crate::host::Command;
use crate::value::{Map, Value};
use std::time::Duration;

/// Where Ansible looks for a Python, in its order.
const NAMES: &[&str] = &[
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
    "/usr/bin/python3",
    "python3",
];

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let given = cx
        .python
        .filter(|p| !p.is_empty() && !p.starts_with("auto"));
    let Some(executable) = given.map(String::from).or_else(|| discover(cx)) else {
        return;
    };
    if given.is_none() {
        put(out, "discovered_interpreter_python", executable.as_str());
    }
    let Some((text, version)) = version(cx, &executable) else {
        return;
    };
    put(out, "python_version", text);
    let mut python = Map::new();
    let names = ["major", "minor", "micro", "releaselevel", "serial"];
    let parts: Map = names
        .into_iter()
        .zip(&version)
        .map(|(name, part)| (name.into(), part.clone()))
        .collect();
    put(&mut python, "version", parts);
    put(&mut python, "version_info", Value::list(version));
    put(&mut python, "executable", executable);
    put(&mut python, "has_sslcontext", true);
    put(&mut python, "type", "cpython");
    put(out, "python", python);
}

fn discover(cx: &Cx<'_>) -> Option<String> {
    let found = NAMES.iter().find_map(|name| cx.host.which(name).ok()?);
    found.map(|path| path.display().to_string())
}

/// What `-V` says: a Python answers that before it starts in earnest, in about a millisecond.
fn version(cx: &Cx<'_>, executable: &str) -> Option<(String, Vec<Value>)> {
    let mut words = crate::module::shlex::split(executable).ok()?;
    words.push("-V".into());
    let mut command = Command::new(words);
    command.timeout = Some(Duration::from_secs(5));
    let output = cx
        .host
        .query(&command)
        .ok()
        .filter(crate::host::Output::success)?;
    let said = output.out();
    let text = said.trim().strip_prefix("Python ")?.to_string();
    let version = parse(&text)?;
    // What is before the words for a release that is not final.
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    Some((text[..end].to_string(), version))
}

/// `3.13.0rc1` as the parts of `sys.version_info`.
fn parse(text: &str) -> Option<Vec<Value>> {
    let text = text.trim_end_matches('+');
    let (numbers, level, serial) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        None => (text, "final", 0),
        Some(at) => {
            let tail = &text[at..];
            let digits = tail.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let level = match &tail[..tail.len() - digits.len()] {
                "a" => "alpha",
                "b" => "beta",
                _ => "candidate",
            };
            (&text[..at], level, digits.parse().ok()?)
        }
    };
    let mut parts: Vec<Value> = Vec::new();
    for number in numbers.split('.') {
        parts.push(Value::Int(number.parse().ok()?));
    }
    (parts.len() == 3).then_some(())?;
    parts.push(Value::from(level));
    parts.push(Value::Int(serial));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_sys_version_info() {
        let shown = |text: &str| parse(text).map(|v| Value::list(v).to_json().to_string());
        assert_eq!(shown("3.11.2").as_deref(), Some(r#"[3,11,2,"final",0]"#));
        assert_eq!(
            shown("3.13.0rc1").as_deref(),
            Some(r#"[3,13,0,"candidate",1]"#)
        );
        assert_eq!(shown("3.11.2+").as_deref(), Some(r#"[3,11,2,"final",0]"#));
        assert_eq!(shown("elephant"), None);
    }
}
