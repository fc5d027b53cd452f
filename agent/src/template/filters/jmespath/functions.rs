//! The functions of the specification.

use super::Ast;
use super::run::{Found, number, run};
use crate::value::{Key, Map, Value};
use std::cmp::Ordering;

/// A function's arguments, evaluated but for references to expressions.
struct Args<'a> {
    name: &'a str,
    given: Vec<Arg<'a>>,
}

enum Arg<'a> {
    Value(Value),
    Reference(&'a Ast),
}

pub(super) fn call(name: &str, args: &[Ast], data: &Value) -> Found {
    let (least, most) = match name {
        "abs" | "avg" | "ceil" | "floor" | "keys" | "length" | "max" | "min" | "reverse"
        | "sort" | "sum" | "to_array" | "to_number" | "to_string" | "type" | "values" => (1, 1),
        "contains" | "ends_with" | "join" | "map" | "max_by" | "min_by" | "sort_by"
        | "starts_with" => (2, 2),
        "merge" | "not_null" => (1, usize::MAX),
        _ => return Err(format!("unknown function: {name}()")),
    };
    if !(least..=most).contains(&args.len()) {
        return Err(format!(
            "{name}() takes {least} arguments, and got {}",
            args.len()
        ));
    }
    let mut given = Vec::with_capacity(args.len());
    for arg in args {
        given.push(match arg {
            Ast::Reference(inner) => Arg::Reference(inner),
            other => Arg::Value(run(other, data)?),
        });
    }
    Args { name, given }.run()
}

impl Args<'_> {
    fn wrong(&self, i: usize, wanted: &str) -> String {
        let got = match self.given.get(i) {
            Some(Arg::Value(value)) => kind(value),
            _ => "expression",
        };
        format!(
            "{}() wants {wanted} as argument {}, and got {got}",
            self.name,
            i + 1
        )
    }

    fn value(&self, i: usize) -> Result<&Value, String> {
        match self.given.get(i) {
            Some(Arg::Value(value)) => Ok(value),
            _ => Err(self.wrong(i, "a value")),
        }
    }

    fn number(&self, i: usize) -> Result<f64, String> {
        number(self.value(i)?).ok_or_else(|| self.wrong(i, "a number"))
    }

    fn text(&self, i: usize) -> Result<&str, String> {
        self.value(i)?
            .as_str()
            .ok_or_else(|| self.wrong(i, "a string"))
    }

    fn list(&self, i: usize) -> Result<&[Value], String> {
        match self.value(i)? {
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(i, "an array")),
        }
    }

    fn map(&self, i: usize) -> Result<&Map, String> {
        match self.value(i)? {
            Value::Map(map) => Ok(map),
            _ => Err(self.wrong(i, "an object")),
        }
    }

    fn numbers(&self, i: usize) -> Result<Vec<f64>, String> {
        let items = self.list(i)?.iter();
        items
            .map(|v| number(v).ok_or_else(|| self.wrong(i, "an array of numbers")))
            .collect()
    }

    fn reference(&self, i: usize) -> Result<&Ast, String> {
        match self.given.get(i) {
            Some(Arg::Reference(ast)) => Ok(ast),
            _ => Err(self.wrong(i, "an expression (`&name`)")),
        }
    }

    fn run(&self) -> Found {
        Ok(match self.name {
            "abs" => match self.value(0)? {
                Value::Int(i) => Value::Int(i.saturating_abs()),
                _ => Value::Float(self.number(0)?.abs()),
            },
            "ceil" => Value::Int(self.number(0)?.ceil() as i64),
            "floor" => Value::Int(self.number(0)?.floor() as i64),
            "avg" => {
                let numbers = self.numbers(0)?;
                match numbers.len() {
                    0 => Value::Null,
                    len => Value::Float(numbers.iter().sum::<f64>() / len as f64),
                }
            }
            "sum" => {
                self.numbers(0)?;
                sum(self.list(0)?)
            }
            "contains" => Value::Bool(match self.value(0)? {
                Value::List(items) => items.contains(self.value(1)?),
                Value::Str(text) => self
                    .value(1)?
                    .as_str()
                    .is_some_and(|part| text.contains(part)),
                _ => return Err(self.wrong(0, "an array or a string")),
            }),
            "starts_with" => Value::Bool(self.text(0)?.starts_with(self.text(1)?)),
            "ends_with" => Value::Bool(self.text(0)?.ends_with(self.text(1)?)),
            "join" => {
                let parts = self.list(1)?.iter().map(Value::as_str);
                let parts: Option<Vec<&str>> = parts.collect();
                let parts = parts.ok_or_else(|| self.wrong(1, "an array of strings"))?;
                Value::from(parts.join(self.text(0)?))
            }
            "keys" => Value::list(
                self.map(0)?
                    .keys()
                    .map(|k| Value::from(k.to_string()))
                    .collect(),
            ),
            "values" => Value::list(self.map(0)?.values().cloned().collect()),
            "length" => Value::from(match self.value(0)? {
                Value::Str(text) => text.chars().count(),
                Value::List(items) => items.len(),
                Value::Map(map) => map.len(),
                _ => return Err(self.wrong(0, "a string, an array or an object")),
            }),
            "reverse" => match self.value(0)? {
                Value::Str(text) => Value::from(text.chars().rev().collect::<String>()),
                _ => Value::list(self.list(0)?.iter().rev().cloned().collect()),
            },
            "merge" => {
                let mut map = Map::new();
                for i in 0..self.given.len() {
                    let more = self.map(i)?.iter();
                    map.extend(more.map(|(k, v): (&Key, &Value)| (k.clone(), v.clone())));
                }
                Value::map(map)
            }
            "not_null" => {
                let mut found = Value::Null;
                for i in 0..self.given.len() {
                    found = self.value(i)?.clone();
                    if found != Value::Null {
                        break;
                    }
                }
                found
            }
            "map" => {
                let (ast, items) = (self.reference(0)?, self.list(1)?);
                let found = items.iter().map(|item| run(ast, item));
                Value::list(found.collect::<Result<_, _>>()?)
            }
            "to_array" => match self.value(0)? {
                list @ Value::List(_) => list.clone(),
                single => Value::list(vec![single.clone()]),
            },
            "to_number" => to_number(self.value(0)?),
            "to_string" => match self.value(0)? {
                text @ Value::Str(_) => text.clone(),
                other => Value::from(other.to_json().to_string()),
            },
            "type" => Value::from(kind(self.value(0)?)),
            "sort" => {
                let items = self.list(0)?.iter();
                let keyed = items.map(|v| (v.clone(), v.clone())).collect();
                Value::list(self.sorted(keyed)?)
            }
            "max" | "min" => {
                let items = self.list(0)?.iter();
                let keyed = items.map(|v| (v.clone(), v.clone())).collect();
                self.extreme(keyed)?
            }
            "sort_by" => Value::list(self.sorted(self.keyed()?)?),
            _ => self.extreme(self.keyed()?)?,
        })
    }

    /// The items with what the expression gives for each.
    fn keyed(&self) -> Result<Vec<(Value, Value)>, String> {
        let ast = self.reference(1)?;
        let items = self.list(0)?.iter();
        items
            .map(|item| Ok((run(ast, item)?, item.clone())))
            .collect()
    }

    /// Sorted by keys, which must be all numbers or all texts.
    fn sorted(&self, mut keyed: Vec<(Value, Value)>) -> Result<Vec<Value>, String> {
        let numbers = keyed.iter().all(|(key, _)| number(key).is_some());
        let texts = keyed.iter().all(|(key, _)| key.as_str().is_some());
        if !numbers && !texts {
            return Err(format!(
                "{}() wants numbers only or strings only",
                self.name
            ));
        }
        keyed.sort_by(|(a, _), (b, _)| match (number(a), number(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            _ => a.as_str().cmp(&b.as_str()),
        });
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }

    fn extreme(&self, keyed: Vec<(Value, Value)>) -> Found {
        let mut sorted = self.sorted(keyed)?;
        let found = match self.name.starts_with("max") {
            true => sorted.pop(),
            false => (!sorted.is_empty()).then(|| sorted.swap_remove(0)),
        };
        Ok(found.unwrap_or(Value::Null))
    }
}

/// Whole as long as all are whole.
fn sum(items: &[Value]) -> Value {
    let whole = items.iter().try_fold(0_i64, |sum, item| match item {
        Value::Int(i) => sum.checked_add(*i),
        _ => None,
    });
    whole.map_or_else(
        || Value::Float(items.iter().filter_map(number).sum()),
        Value::Int,
    )
}

fn to_number(value: &Value) -> Value {
    match value {
        Value::Int(_) | Value::Float(_) => value.clone(),
        Value::Str(text) => {
            let whole = text.parse().map(Value::Int);
            whole
                .or_else(|_| text.parse().map(Value::Float))
                .unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Float(_) => "number",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::truth;
    use super::super::search;
    use crate::value::Value;

    #[test]
    fn a_mistake_is_told() {
        for (text, want) in [
            ("a.", "expected a name"),
            ("nope(@)", "unknown function: nope()"),
            ("abs('x')", "wants a number"),
            ("[?a", "RBracket"),
            ("'a", "unclosed ' delimiter"),
            ("a[::0]", "cannot be zero"),
            ("a b", "unexpected"),
            ("", "incomplete"),
            ("length(@, @)", "takes 1 arguments"),
        ] {
            let data = Value::from(serde_json::json!({"a": [1]}));
            let said = search(text, &data).err().unwrap_or_default();
            assert!(said.contains(want), "{text}: {said}");
        }
        assert!(truth(&Value::Int(0)));
    }
}
