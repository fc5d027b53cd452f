//! The types that an option can have, and how values are made to fit them.

use crate::value::{Key, Map, Value};

/// The value as this type, or why it cannot be one.
pub fn convert(kind: &str, value: &Value) -> Result<Value, String> {
    match kind {
        "raw" => Ok(value.clone()),
        // Paths are looked at on the host that uses them.
        "str" | "path" => Ok(Value::from(text(value))),
        "bool" => boolean(value),
        "int" => whole(value),
        "float" => float(value),
        "list" => list(value),
        "dict" => mapping(value),
        "json" | "jsonarg" => json(value),
        "bytes" => size(value, 'B').ok_or_else(|| cannot(value, "a Byte value")),
        "bits" => size(value, 'b').ok_or_else(|| cannot(value, "a Bit value")),
        other => Err(format!("there is no type called {other}")),
    }
}

fn cannot(value: &Value, what: &str) -> String {
    format!(
        "<class '{}'> cannot be converted to {what}",
        type_name(value)
    )
}

/// What Python calls the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Omit => "NoneType",
        Value::Template(_) => "str",
        other => other.type_name(),
    }
}

/// A value as Python's `str` writes it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        Value::Template(t) => t.text.to_string(),
        Value::Null | Value::Omit => String::new(),
        other => repr(other),
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::Null | Value::Omit => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => format!("{f:?}"),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}: {}", repr(&k.to_value()), repr(v)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Unknown(_) => "unknown".into(),
        Value::Str(_) | Value::Template(_) => {
            let text = text(value).replace('\\', "\\\\").replace('\n', "\\n");
            if text.contains('\'') && !text.contains('"') {
                format!("\"{text}\"")
            } else {
                format!("'{}'", text.replace('\'', "\\'"))
            }
        }
    }
}

const TRUE: &[&str] = &["1", "on", "t", "true", "y", "yes"];
const FALSE: &[&str] = &["0", "f", "false", "n", "no", "off"];

fn boolean(value: &Value) -> Result<Value, String> {
    let word = match value {
        Value::Bool(_) => return Ok(value.clone()),
        Value::Int(i) => i.to_string(),
        Value::Float(f) if f.fract() == 0.0 => format!("{f:.0}"),
        Value::Float(_) | Value::Str(_) | Value::Template(_) => {
            text(value).trim().to_ascii_lowercase()
        }
        _ => return Err(cannot(value, "a bool")),
    };
    if TRUE.contains(&word.as_str()) {
        Ok(Value::Bool(true))
    } else if FALSE.contains(&word.as_str()) {
        Ok(Value::Bool(false))
    } else {
        let all: Vec<String> = TRUE.iter().chain(FALSE).map(|w| format!("'{w}'")).collect();
        Err(format!(
            "The value '{}' is not a valid boolean.  Valid booleans include: {}",
            text(value),
            all.join(", ")
        ))
    }
}

/// YAML reads some words as truth values; where exactly one choice means the same, that is meant.
pub fn truth_among(value: &Value, choices: &[Value]) -> Option<Value> {
    let words = match value.as_str() {
        Some("True") => TRUE,
        Some("False") => FALSE,
        _ => return None,
    };
    let mut meant = choices
        .iter()
        .filter(|c| c.as_str().is_some_and(|c| words.contains(&c)));
    match (meant.next(), meant.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
}

fn whole(value: &Value) -> Result<Value, String> {
    let no = || format!("\"{}\" cannot be converted to an int", repr(value));
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Bool(b) => Ok(Value::Int((*b).into())),
        Value::Float(f) if f.fract() == 0.0 => Ok(Value::Int(*f as i64)),
        Value::Str(s) => {
            let number: f64 = s.trim().parse().map_err(|_| no())?;
            match s.trim().parse::<i64>() {
                Ok(int) => Ok(Value::Int(int)),
                Err(_) if number.fract() == 0.0 => Ok(Value::Int(number as i64)),
                Err(_) => Err(no()),
            }
        }
        _ => Err(no()),
    }
}

fn float(value: &Value) -> Result<Value, String> {
    match value {
        Value::Float(_) => Ok(value.clone()),
        Value::Int(i) => Ok(Value::Float(*i as f64)),
        Value::Bool(b) => Ok(Value::Float(f64::from(u8::from(*b)))),
        Value::Str(s) => {
            let parsed = s.trim().parse().map(Value::Float);
            parsed.map_err(|_| cannot(value, "a float"))
        }
        _ => Err(cannot(value, "a float")),
    }
}

fn list(value: &Value) -> Result<Value, String> {
    match value {
        Value::List(_) => Ok(value.clone()),
        Value::Str(s) => Ok(Value::list(s.split(',').map(Value::from).collect())),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
            Ok(Value::list(vec![Value::from(text(value))]))
        }
        _ => Err(cannot(value, "a list")),
    }
}

fn mapping(value: &Value) -> Result<Value, String> {
    let s = match value {
        Value::Map(_) => return Ok(value.clone()),
        Value::Str(s) => s,
        _ => return Err(cannot(value, "a dict")),
    };
    if s.starts_with('{') {
        return match serde_json::from_str::<Value>(s) {
            Ok(map @ Value::Map(_)) => Ok(map),
            _ => Err("unable to evaluate string as dictionary".into()),
        };
    }
    if !s.contains('=') {
        return Err("dictionary requested, could not parse JSON or key=value".into());
    }
    let mut map = Map::new();
    for field in fields(s) {
        let (key, value) = field
            .split_once('=')
            .ok_or("unable to evaluate string in the \"key=value\" format as dictionary")?;
        map.insert(Key::from(key), Value::from(value));
    }
    Ok(Value::map(map))
}

/// Words parted by spaces and commas, as `k="a b", l=c` has them.
fn fields(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let (mut quote, mut escaped) = (None, false);
    for c in text.trim().chars() {
        let last = out.len() - 1;
        match c {
            c if escaped => {
                out[last].push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            ',' | ' ' if quote.is_none() => out.push(String::new()),
            c => out[last].push(c),
        }
    }
    out.retain(|field| !field.is_empty());
    out
}

fn json(value: &Value) -> Result<Value, String> {
    match value {
        Value::Str(s) => Ok(Value::from(s.trim())),
        Value::List(_) | Value::Map(_) => Ok(Value::from(value.to_json().to_string())),
        _ => Err(cannot(value, "a json string")),
    }
}

/// `2K`, `1.5 GB`, `10Mb`: a number of bytes or bits.
fn size(value: &Value, unit: char) -> Option<Value> {
    let text = text(value);
    let text = text.trim();
    let at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let number: f64 = text[..at].trim().parse().ok()?;
    let mut letters = text[at..].chars();
    let Some(first) = letters.next() else {
        return Some(Value::Int(number.round() as i64));
    };
    let power = "BKMGTPEZY".find(first.to_ascii_uppercase())?;
    match letters.as_str() {
        "" => {}
        rest if power > 0 && rest.len() == 1 && rest.starts_with(unit) => {}
        "yte" | "ytes" if unit == 'B' && power == 0 => {}
        "it" | "its" if unit == 'b' && power == 0 => {}
        _ => return None,
    }
    let size = number * 1024_f64.powi(i32::try_from(power).ok()?);
    Some(Value::Int(size.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made_to_fit_as_ansible_does() {
        let s = |text: &str| Value::from(text);
        for (kind, value, want) in [
            ("int", s("5"), Ok(Value::Int(5))),
            ("int", s("5.0"), Ok(Value::Int(5))),
            ("bool", s("Yes"), Ok(Value::Bool(true))),
            ("bool", Value::Int(0), Ok(Value::Bool(false))),
            ("float", s("1.5"), Ok(Value::Float(1.5))),
            ("list", s("a,b"), Ok(Value::list(vec![s("a"), s("b")]))),
            ("bytes", s("2K"), Ok(Value::Int(2048))),
            ("bytes", s("1.5 MB"), Ok(Value::Int(1_572_864))),
            ("bits", s("1Mb"), Ok(Value::Int(1_048_576))),
            ("str", Value::Null, Ok(s(""))),
            ("json", Value::list(vec![Value::Int(1)]), Ok(s("[1]"))),
        ] {
            assert_eq!(convert(kind, &value), want, "{kind} {value:?}");
        }
        for (kind, value, want) in [
            ("int", Value::Null, "\"None\" cannot be converted to an int"),
            ("int", s("x"), "\"'x'\" cannot be converted to an int"),
            (
                "list",
                Value::Null,
                "<class 'NoneType'> cannot be converted to a list",
            ),
            (
                "bits",
                s("1MB"),
                "<class 'str'> cannot be converted to a Bit value",
            ),
        ] {
            assert_eq!(convert(kind, &value), Err(want.to_string()), "{kind}");
        }
        let Ok(Value::Map(map)) = convert("dict", &s("a=1, b='x y'")) else {
            panic!("a mapping");
        };
        assert_eq!(map.get("b"), Some(&s("x y")));
    }
}
