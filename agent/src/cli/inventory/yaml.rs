//! Inventories as YAML: vaulted values under `!vault`, text that is never evaluated under `!unsafe`.

use crate::playbook::vault::SEALED;
use crate::playbook::yaml::{Style, to_styled_string};
use crate::value::{Value, has_markers};

/// The value as PyYAML writes it in block style.
pub(super) fn write(value: &Value) -> String {
    let mut tagged = Vec::new();
    let plain = take_tagged(value, &mut tagged);
    let style = Style {
        default_flow_style: Some(false),
        ..Style::default()
    };
    let text = to_styled_string(&plain, &style);
    if tagged.is_empty() {
        return text;
    }
    let mut out = String::new();
    for line in text.lines() {
        match tagged
            .iter()
            .enumerate()
            .find(|(n, _)| line.ends_with(&stand_in(*n)))
        {
            Some((n, tag)) => {
                let head = line.strip_suffix(&stand_in(n)).unwrap_or(line);
                out.push_str(&tag.text(head));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// What the writer of plain YAML cannot say.
enum Tagged {
    Vault(String),
    Unsafe(String),
}

impl Tagged {
    /// The line (or lines) that begin with `head`.
    fn text(&self, head: &str) -> String {
        match self {
            Self::Vault(cipher) => {
                let indent = " ".repeat(head.len() - head.trim_start_matches([' ', '-']).len() + 2);
                let lines = cipher.trim_end().lines().map(|l| format!("\n{indent}{l}"));
                format!("{head}!vault |{}", lines.collect::<String>())
            }
            Self::Unsafe(text) => {
                let style = Style {
                    width: usize::MAX,
                    ..Style::default()
                };
                let value = Value::list(vec![Value::from(text.as_str())]);
                let line = to_styled_string(
                    &value,
                    &Style {
                        default_flow_style: Some(true),
                        ..style
                    },
                );
                let line = line
                    .trim_end()
                    .trim_start_matches('[')
                    .trim_end_matches(']');
                format!("{head}!unsafe {line}")
            }
        }
    }
}

/// Letters that no inventory holds by chance, and that YAML writes as they are.
fn stand_in(n: usize) -> String {
    format!("lks-tagged-b7d1f3-{n}-")
}

fn take_tagged(value: &Value, tagged: &mut Vec<Tagged>) -> Value {
    let mut keep = |what: Tagged| {
        tagged.push(what);
        Value::from(stand_in(tagged.len() - 1))
    };
    match value {
        Value::Str(text) if has_markers(text) => keep(Tagged::Unsafe(text.to_string())),
        Value::Map(map) => match (map.len(), map.get(SEALED)) {
            (1, Some(Value::Str(cipher))) => keep(Tagged::Vault(cipher.to_string())),
            _ => {
                let entries = map.iter();
                Value::map(
                    entries
                        .map(|(k, v)| (k.clone(), take_tagged(v, tagged)))
                        .collect(),
                )
            }
        },
        Value::List(items) => Value::list(items.iter().map(|v| take_tagged(v, tagged)).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::vault::sealed;
    use crate::value::{Key, Map};

    #[test]
    fn tags_stand_where_values_stood() {
        let map = Map::from([
            (Key::from("v"), sealed("$ANSIBLE_VAULT;1.1;AES256\n1234\n")),
            (Key::from("u"), Value::list(vec![Value::from("{{ x }}")])),
            (Key::from("n"), Value::Int(1)),
        ]);
        let outer = Value::map(Map::from([(Key::from("h"), Value::map(map))]));
        assert_eq!(
            write(&outer),
            "h:\n  n: 1\n  u:\n  - !unsafe '{{ x }}'\n  v: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    1234\n"
        );
    }
}
