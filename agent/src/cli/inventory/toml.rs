//! Inventories as TOML, laid out as the library `tomli-w` does, which `ansible-inventory` uses.

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Key, Map, Value};

/// The value, which must be a mapping, as TOML.
///
/// # Errors
/// When it holds `null`, which TOML lacks.
pub(super) fn write(value: &Value) -> Result<String> {
    let mut out = String::new();
    if let Some(map) = value.as_map() {
        table(&mut out, "", map, false)?;
    }
    Ok(out)
}

/// Lines longer than this are broken.
const WIDTH: usize = 100;

fn table(out: &mut String, name: &str, map: &Map, in_array: bool) -> Result<()> {
    let mut literals = Vec::new();
    let mut tables = Vec::new();
    for (key, value) in map {
        match value {
            Value::Map(inner) => tables.push((key, &**inner, false)),
            Value::List(items)
                if !items.is_empty() && items.iter().all(|v| v.as_map().is_some()) =>
            {
                let inline = |v: &Value| Ok(literal(v, 0, name)?.len() <= WIDTH);
                if items
                    .iter()
                    .map(inline)
                    .collect::<Result<Vec<bool>>>()?
                    .contains(&false)
                {
                    let maps = items.iter().filter_map(Value::as_map);
                    tables.extend(maps.map(|inner| (key, inner, true)));
                } else {
                    literals.push((key, value));
                }
            }
            _ => literals.push((key, value)),
        }
    }
    let mut begun = false;
    if in_array || (!name.is_empty() && (!literals.is_empty() || tables.is_empty())) {
        begun = true;
        out.push_str(&if in_array {
            format!("[[{name}]]\n")
        } else {
            format!("[{name}]\n")
        });
    }
    for (key, value) in literals {
        begun = true;
        let place = join(name, key);
        out.push_str(&format!("{} = {}\n", bare(key), literal(value, 0, &place)?));
    }
    for (key, inner, in_array) in tables {
        if begun {
            out.push('\n');
        }
        begun = true;
        table(out, &join(name, key), inner, in_array)?;
    }
    Ok(())
}

fn join(name: &str, key: &Key) -> String {
    match name {
        "" => bare(key),
        name => format!("{name}.{}", bare(key)),
    }
}

fn bare(key: &Key) -> String {
    let text = key.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        quoted(&text)
    }
}

fn literal(value: &Value, level: usize, place: &str) -> Result<String> {
    Ok(match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) if f.is_nan() => "nan".into(),
        Value::Float(f) if f.is_infinite() => if *f > 0.0 { "inf" } else { "-inf" }.into(),
        Value::Float(f) => format!("{f:?}"),
        Value::Str(s) => quoted(s),
        Value::Template(t) => quoted(&t.text),
        Value::List(items) if items.is_empty() => "[]".into(),
        Value::List(items) => {
            let indent = " ".repeat(4 * (level + 1));
            let items: Vec<String> = items
                .iter()
                .map(|v| Ok(format!("{indent}{}", literal(v, level + 1, place)?)))
                .collect::<Result<_>>()?;
            format!("[\n{},\n{}]", items.join(",\n"), " ".repeat(4 * level))
        }
        Value::Map(map) if map.is_empty() => "{}".into(),
        Value::Map(map) => {
            let pair =
                |(k, v): (&Key, &Value)| Ok(format!("{} = {}", bare(k), literal(v, level, place)?));
            let pairs: Vec<String> = map.iter().map(pair).collect::<Result<_>>()?;
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Null | Value::Omit | Value::Unknown(_) => {
            return Err(Error::new(
                ErrorKind::Host,
                format!("TOML has no null, which is the value of `{place}`"),
            )
            .hint("use --yaml, or JSON"));
        }
    })
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\t' => out.push('\t'),
            c if c.is_control() && (c as u32) < 0x80 => {
                out.push_str(&format!("\\u{:04x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_meant() {
        let json: serde_json::Value = serde_json::json!({
            "g": {"hosts": {"a b": {"n": 1, "f": 1.5, "s": "x\"\né", "l": [1, [2]], "d": {"k": true}, "e": {}}}},
            "h": {"children": ["g"], "m": [{"k": 1}]},
        });
        let text = write(&Value::from(json.clone())).unwrap();
        assert!(
            text.starts_with("[g.hosts.\"a b\"]\nn = 1\nf = 1.5\n"),
            "{text}"
        );
        assert!(
            text.contains("l = [\n    1,\n    [\n        2,\n    ],\n]\n"),
            "{text}"
        );
        let back: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), json);
        assert!(write(&Value::from(serde_json::json!({"a": {"b": null}}))).is_err());
    }
}
