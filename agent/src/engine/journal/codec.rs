//! How a task ended, as it is kept: nothing of a value's kind is lost (text of a host must not become
//! a template, nor a template text).

use super::super::result::{Request, TaskEnd, VarChange};
use crate::event::Report;
use crate::value::{Key, Map, TemplateText, Value};
use serde::{Deserialize, Serialize};

/// The end of a task, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    report: Report,
    result: Pairs,
    changes: Vec<Change>,
    requests: Vec<Ask>,
    notify: Vec<String>,
    warnings: Vec<String>,
}

type Pairs = Vec<(K, V)>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum K {
    S(String),
    I(i64),
    B(bool),
    N,
}

/// A value with its kind. Numbers with a fraction are kept by their bits: JSON has no infinity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum V {
    N,
    B(bool),
    I(i64),
    F(u64),
    S(String),
    T(String),
    L(Vec<V>),
    M(Pairs),
    U(String),
    O,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Change {
    Set(String, V),
    SetFact(String, V),
    Facts(Pairs),
    Include(Pairs),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Ask {
    AddHost(String, Vec<String>, Pairs),
    GroupBy(String, Vec<String>),
}

/// For the journal.
#[must_use]
pub fn encode(end: &TaskEnd) -> End {
    End {
        report: end.report.clone(),
        result: pairs(&end.result),
        changes: end.changes.iter().map(change).collect(),
        requests: end.requests.iter().map(ask).collect(),
        notify: end.notify.clone(),
        warnings: end.warnings.clone(),
    }
}

/// From the journal.
#[must_use]
pub fn decode(end: End) -> TaskEnd {
    TaskEnd {
        report: end.report,
        result: map(end.result),
        changes: end.changes.into_iter().map(unchange).collect(),
        requests: end.requests.into_iter().map(unask).collect(),
        includes: Vec::new(),
        notify: end.notify,
        warnings: end.warnings,
    }
}

fn change(change: &VarChange) -> Change {
    match change {
        VarChange::Set(name, v) => Change::Set(name.clone(), value(v)),
        VarChange::SetFact(name, v) => Change::SetFact(name.clone(), value(v)),
        VarChange::Facts(m) => Change::Facts(pairs(m)),
        VarChange::Include(m) => Change::Include(pairs(m)),
    }
}

fn unchange(change: Change) -> VarChange {
    match change {
        Change::Set(name, v) => VarChange::Set(name, unvalue(v)),
        Change::SetFact(name, v) => VarChange::SetFact(name, unvalue(v)),
        Change::Facts(m) => VarChange::Facts(map(m)),
        Change::Include(m) => VarChange::Include(map(m)),
    }
}

fn ask(request: &Request) -> Ask {
    match request {
        Request::AddHost(name, groups, vars) => {
            Ask::AddHost(name.clone(), groups.clone(), pairs(vars))
        }
        Request::GroupBy(name, parents) => Ask::GroupBy(name.clone(), parents.clone()),
    }
}

fn unask(ask: Ask) -> Request {
    match ask {
        Ask::AddHost(name, groups, vars) => Request::AddHost(name, groups, map(vars)),
        Ask::GroupBy(name, parents) => Request::GroupBy(name, parents),
    }
}

fn pairs(map: &Map) -> Pairs {
    map.iter().map(|(k, v)| (key(k), value(v))).collect()
}

fn map(pairs: Pairs) -> Map {
    pairs
        .into_iter()
        .map(|(k, v)| (unkey(k), unvalue(v)))
        .collect()
}

fn key(key: &Key) -> K {
    match key {
        Key::Str(s) => K::S(s.to_string()),
        Key::Int(i) => K::I(*i),
        Key::Bool(b) => K::B(*b),
        Key::Null => K::N,
    }
}

fn unkey(key: K) -> Key {
    match key {
        K::S(s) => Key::from(s),
        K::I(i) => Key::Int(i),
        K::B(b) => Key::Bool(b),
        K::N => Key::Null,
    }
}

fn value(v: &Value) -> V {
    match v {
        Value::Null => V::N,
        Value::Bool(b) => V::B(*b),
        Value::Int(i) => V::I(*i),
        Value::Float(f) => V::F(f.to_bits()),
        Value::Str(s) => V::S(s.to_string()),
        Value::Template(t) => V::T(t.text.to_string()),
        Value::List(l) => V::L(l.iter().map(value).collect()),
        Value::Map(m) => V::M(pairs(m)),
        Value::Unknown(why) => V::U(why.to_string()),
        Value::Omit => V::O,
    }
}

fn unvalue(v: V) -> Value {
    match v {
        V::N => Value::Null,
        V::B(b) => Value::Bool(b),
        V::I(i) => Value::Int(i),
        V::F(bits) => Value::Float(f64::from_bits(bits)),
        V::S(s) => Value::from(s),
        V::T(text) => template(&text),
        V::L(items) => Value::list(items.into_iter().map(unvalue).collect()),
        V::M(pairs) => Value::map(map(pairs)),
        V::U(why) => Value::Unknown(why.into()),
        V::O => Value::Omit,
    }
}

/// Text that is a template because it was one: nothing is guessed from how it looks.
fn template(text: &str) -> Value {
    Value::Template(std::sync::Arc::new(TemplateText {
        text: text.into(),
        span: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_comes_back_as_it_went() {
        let mut inner = Map::new();
        inner.insert(Key::Int(1), Value::from("{{ not_a_template }}"));
        inner.insert(Key::Bool(true), template("{{ one }}"));
        inner.insert(Key::Null, Value::Omit);
        let all = Value::list(vec![
            Value::Null,
            Value::Int(i64::MIN),
            Value::Float(f64::INFINITY),
            Value::Float(0.1),
            Value::Unknown("why".into()),
            Value::map(inner),
        ]);
        let json = serde_json::to_string(&value(&all)).expect("JSON");
        let back = unvalue(serde_json::from_str(&json).expect("JSON"));
        assert_eq!(back, all);
        let Value::List(items) = &back else {
            panic!("a list")
        };
        let Some(Value::Map(map)) = items.last() else {
            panic!("a map")
        };
        assert!(matches!(map.get(&Key::Int(1)), Some(Value::Str(_))));
        assert!(matches!(
            map.get(&Key::Bool(true)),
            Some(Value::Template(_))
        ));
    }
}
