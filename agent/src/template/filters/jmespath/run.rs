//! An expression over data.

use super::functions;
use super::{Ast, Comparison};
use crate::value::{Key, Map, Value};

pub(super) type Found = Result<Value, String>;

pub(super) fn run(ast: &Ast, data: &Value) -> Found {
    Ok(match ast {
        Ast::Current => data.clone(),
        Ast::Literal(value) => value.clone(),
        Ast::Field(name) => match data {
            Value::Map(map) => map.get(name.as_str()).cloned().unwrap_or(Value::Null),
            _ => Value::Null,
        },
        Ast::Index(index) => match data {
            Value::List(items) => {
                let len = items.len() as i64;
                let at = if *index < 0 { index + len } else { *index };
                let at = usize::try_from(at).ok();
                at.and_then(|at| items.get(at))
                    .cloned()
                    .unwrap_or(Value::Null)
            }
            _ => Value::Null,
        },
        Ast::Slice(parts) => slice(data, *parts)?,
        Ast::Then(left, right) => run(right, &run(left, data)?)?,
        Ast::Project(left, right) => match run(left, data)? {
            Value::List(items) => each(&items, right)?,
            _ => Value::Null,
        },
        Ast::Values(left, right) => match run(left, data)? {
            Value::Map(map) => {
                let values: Vec<Value> = map.values().cloned().collect();
                each(&values, right)?
            }
            _ => Value::Null,
        },
        Ast::Filter(left, right, test) => match run(left, data)? {
            Value::List(items) => {
                let mut kept = Vec::new();
                for item in items.iter() {
                    if truth(&run(test, item)?) {
                        kept.push(item.clone());
                    }
                }
                each(&kept, right)?
            }
            _ => Value::Null,
        },
        Ast::Flatten(inner) => match run(inner, data)? {
            Value::List(items) => {
                let mut out = Vec::new();
                for item in items.iter() {
                    match item {
                        Value::List(inner) => out.extend(inner.iter().cloned()),
                        other => out.push(other.clone()),
                    }
                }
                Value::list(out)
            }
            _ => Value::Null,
        },
        Ast::Or(left, right) => match run(left, data)? {
            left if truth(&left) => left,
            _ => run(right, data)?,
        },
        Ast::And(left, right) => match run(left, data)? {
            left if truth(&left) => run(right, data)?,
            left => left,
        },
        Ast::Not(inner) => Value::Bool(!truth(&run(inner, data)?)),
        Ast::Compare(op, left, right) => compare(*op, &run(left, data)?, &run(right, data)?),
        Ast::List(_) | Ast::Map(_) if matches!(data, Value::Null) => Value::Null,
        Ast::List(items) => {
            let items = items.iter().map(|item| run(item, data));
            Value::list(items.collect::<Result<_, _>>()?)
        }
        Ast::Map(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                map.insert(Key::from(key.as_str()), run(value, data)?);
            }
            Value::map(map)
        }
        Ast::Call(name, args) => functions::call(name, args, data)?,
        Ast::Reference(_) => return Err("`&` is for arguments of functions".into()),
    })
}

/// `right` on each item; what gives nothing is left out.
fn each(items: &[Value], right: &Ast) -> Found {
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        match run(right, item)? {
            Value::Null => {}
            found => out.push(found),
        }
    }
    Ok(Value::list(out))
}

fn slice(data: &Value, [start, stop, step]: [Option<i64>; 3]) -> Found {
    let Value::List(items) = data else {
        return Ok(Value::Null);
    };
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err("a slice's step cannot be zero".into());
    }
    let len = items.len() as i64;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(b) => (if b < 0 { b.saturating_add(len) } else { b }).clamp(low, high),
    };
    let (mut at, stop) = match step > 0 {
        true => (clamp(start, 0), clamp(stop, len)),
        false => (clamp(start, len - 1), clamp(stop, -1)),
    };
    let mut out = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        out.extend(usize::try_from(at).ok().and_then(|i| items.get(i)).cloned());
        at = at.saturating_add(step);
    }
    Ok(Value::list(out))
}

/// Nothing, false, and what is empty are false. Zero is not.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Str(s) => !s.is_empty(),
        Value::List(l) => !l.is_empty(),
        Value::Map(m) => !m.is_empty(),
        _ => true,
    }
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

fn compare(op: Comparison, left: &Value, right: &Value) -> Value {
    let equal = match (number(left), number(right)) {
        (Some(a), Some(b)) => a == b,
        _ => left == right,
    };
    match op {
        Comparison::Eq => return Value::Bool(equal),
        Comparison::Ne => return Value::Bool(!equal),
        _ => {}
    }
    // Texts have an order here, too, as in Python's implementation.
    let order = match (left, right) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => number(left)
            .zip(number(right))
            .and_then(|(a, b)| a.partial_cmp(&b)),
    };
    order.map_or(Value::Null, |order| {
        Value::Bool(match op {
            Comparison::Lt => order.is_lt(),
            Comparison::Le => order.is_le(),
            Comparison::Gt => order.is_gt(),
            _ => order.is_ge(),
        })
    })
}
