//! Evaluation: of templates as they stand, and of every filter, test and lookup with odd operands.
//!
//! A first byte below 8 makes an expression of the rest: the next byte names a plugin of the tables,
//! and the text behind it is cut at `\x01` into the operand and the arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::template::{Doc, Nowhere, Templar, filter_docs, lookup_docs, test_docs};
use lks_agent::value::Value;
use std::sync::Arc;

fn plugin(docs: impl Iterator<Item = Doc>, at: u8) -> &'static str {
    let names: Vec<&'static str> = docs.map(|d| d.name).collect();
    names[usize::from(at) % names.len()]
}

fn expression(data: &[u8]) -> Option<String> {
    let (mode, at, rest) = match data {
        [mode @ 0..8, at, rest @ ..] => (*mode, *at, rest),
        _ => return std::str::from_utf8(data).ok().map(str::to_owned),
    };
    let text = std::str::from_utf8(rest).ok()?;
    let (operand, arguments) = text.split_once('\x01').unwrap_or((text, ""));
    // Tables may be longer than a byte counts.
    let far = |docs: Vec<Doc>| {
        let start = usize::from(mode / 3) * 100 % docs.len().max(1);
        plugin(docs.into_iter().cycle().skip(start).take(256), at)
    };
    Some(match mode % 3 {
        0 => {
            let name = far(filter_docs().collect());
            format!("{{{{ ({operand}) | {name}({arguments}) }}}}")
        }
        1 => {
            let name = far(test_docs().collect());
            format!("{{{{ ({operand}) is {name}({arguments}) }}}}")
        }
        _ => {
            let name = far(lookup_docs().collect());
            format!("{{{{ query('{name}', {operand}, {arguments}) }}}}")
        }
    })
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = expression(data) else {
        return;
    };
    // Slow on purpose: as slow as its rounds say.
    if text.contains("password_hash") {
        return;
    }
    let vars = lks_fuzz::variables();
    for compat in [false, true] {
        let templar = Templar::new(Arc::new(Nowhere)).with_compat(compat);
        let value = Value::written(text.as_str(), None);
        if let Err(error) = templar.resolve(&value, &vars) {
            let _ = error.to_string();
        }
    }
});
