//! The environment of this process, and the kernel's command line.

use super::cx::{Cx, put};
use crate::value::{Map, Value};

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    for pair in cx
        .text("/proc/self/environ")
        .unwrap_or_default()
        .split('\0')
    {
        if let Some((name, value)) = pair.split_once('=') {
            put(&mut facts, name, value);
        }
    }
    for (name, value) in cx.host.environment() {
        put(&mut facts, &name, value);
    }
    put(out, "env", facts);
}

/// `cmdline` has the last value of a word, `proc_cmdline` all of them.
pub fn cmdline(cx: &Cx<'_>, out: &mut Map) {
    let Some(text) = cx.text("/proc/cmdline") else {
        return;
    };
    let (mut last, mut all) = (Map::new(), Map::new());
    for word in text.split_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            None => (word, Value::Bool(true)),
        };
        let joined = match all.get(name) {
            None => value.clone(),
            Some(Value::List(list)) => {
                Value::list(list.iter().cloned().chain([value.clone()]).collect())
            }
            Some(one) => Value::list(vec![one.clone(), value.clone()]),
        };
        put(&mut all, name, joined);
        put(&mut last, name, value);
    }
    put(out, "cmdline", last);
    put(out, "proc_cmdline", all);
}
