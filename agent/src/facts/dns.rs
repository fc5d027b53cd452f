//! How names are resolved.

use super::cx::{Cx, put};
use crate::value::{Map, Value};

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    for line in cx.text("/etc/resolv.conf").unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((key, rest)) = words.split_first() else {
            continue;
        };
        if key.starts_with(['#', ';']) || rest.is_empty() {
            continue;
        }
        match *key {
            "nameserver" => {
                let mut all = facts
                    .get("nameservers")
                    .and_then(Value::as_list)
                    .unwrap_or_default()
                    .to_vec();
                all.extend(rest.iter().map(|w| Value::from(*w)));
                put(&mut facts, "nameservers", Value::list(all));
            }
            "domain" => put(&mut facts, "domain", rest[0]),
            "search" | "sortlist" => put(&mut facts, key, rest.to_vec()),
            "options" => {
                let mut options = Map::new();
                for word in rest {
                    match word.split_once(':') {
                        Some((name, value)) => put(&mut options, name, value),
                        None => put(&mut options, word, true),
                    }
                }
                put(&mut facts, "options", options);
            }
            _ => {}
        }
    }
    put(out, "dns", facts);
}
