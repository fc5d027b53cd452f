//! Facts that a host's owner put into `/etc/ansible/facts.d/*.fact`.

use super::cx::{Cx, put};
use crate::host::Command;
use crate::value::{Map, Value};
use std::path::Path;
use std::time::Duration;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    for file in cx.list(cx.local) {
        let Some(name) = file.strip_suffix(".fact") else {
            continue;
        };
        let path = Path::new(cx.local).join(&file);
        put(&mut facts, name, read(cx, &path));
    }
    put(out, "local", facts);
}

/// An executable is asked; else the file is read. JSON, or the old form with sections.
fn read(cx: &Cx<'_>, path: &Path) -> Value {
    let Some(stat) = cx.stat(path) else {
        return format!("Could not stat fact ({}): no such file", path.display()).into();
    };
    let executable = stat.mode & 0o100 != 0;
    let text = if executable {
        let mut command = Command::new([path.to_string_lossy()]);
        command.timeout = Some(Duration::from_secs(10));
        match cx.host.query(&command) {
            Ok(output) if output.success() => output.out(),
            Ok(output) => {
                return format!(
                    "Failure executing fact script ({}), rc: {}, err: {}",
                    path.display(),
                    output.rc,
                    output.err()
                )
                .into();
            }
            Err(e) => {
                return format!("Could not execute fact script ({}): {e}", path.display()).into();
            }
        }
    } else {
        // One that cannot be read says nothing, which is no JSON.
        cx.text(path).unwrap_or_default()
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => value,
        Err(e) => match sections(&text) {
            Some(Ok(value)) => value,
            Some(Err(what)) => format!(
                "error loading facts as ini - please check content: {} ({what})",
                path.display()
            )
            .into(),
            None => format!(
                "error loading facts as JSON or ini - please check content: {}: {e}",
                path.display()
            )
            .into(),
        },
    }
}

/// `[section]` and `key = value`, keys in lower case. Nothing if it has another form, an error if a
/// value has a `%` that leads nowhere.
fn sections(text: &str) -> Option<Result<Value, String>> {
    let mut out = Map::new();
    let mut section: Option<(String, Map)> = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if let Some((name, map)) = section.replace((name.into(), Map::new())) {
                put(&mut out, &name, map);
            }
            continue;
        }
        let (key, value) = line.split_once(['=', ':'])?;
        let (_, map) = section.as_mut()?;
        if let Some(at) = value.replace("%%", "").find('%')
            && !value.replace("%%", "")[at..].starts_with("%(")
        {
            return Some(Err(format!(
                "'%' must be followed by '%' or '(', found: {value:?}"
            )));
        }
        put(map, &key.trim().to_lowercase(), value.trim());
    }
    let (name, map) = section?;
    put(&mut out, &name, map);
    Some(Ok(out.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_form_has_sections() {
        let value = sections("# x\n[general]\nAsdf = 1\nbar=2\n[b]\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            value.to_json().to_string(),
            r#"{"general":{"asdf":"1","bar":"2"},"b":{}}"#
        );
        assert!(sections("plain text").is_none());
        assert!(sections("[a]\nb = 5 % of it\n").unwrap().is_err());
    }
}
