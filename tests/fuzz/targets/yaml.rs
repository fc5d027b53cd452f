//! The YAML composer; what is written again must be read as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::playbook::vault::VaultKeys;
use lks_agent::playbook::yaml;
use lks_agent::source::SourceFile;
use lks_agent::value::Value;

fuzz_target!(|text: &str| {
    let file = SourceFile::new("fuzz.yml", text);
    let loaded = match yaml::load(&file) {
        Ok(loaded) => loaded,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let none = VaultKeys::none();
    for node in &loaded.docs {
        let _ = yaml::from_node::<lks_agent::event::Event>(node);
        let Ok(value) = node.to_value(&none) else {
            continue;
        };
        // Templates are written as their text; only plain values come back as they were.
        let again = yaml::to_nice_string(&value);
        if value.has_template() {
            continue;
        }
        let file = SourceFile::new("again.yml", again.as_str());
        let read = yaml::load(&file).unwrap_or_else(|e| panic!("{value:?}\n{again}\n{e}"));
        let read = read.docs.first().map(|n| n.to_value(&none));
        if let Some(Ok(read)) = read {
            assert!(same(&read, &value), "{value:?}\n{again}\n{read:?}");
        }
    }
});

/// Equal, where no number is a number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b || a.is_nan() && b.is_nan(),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let mut pairs = a.iter();
            a.len() == b.len() && pairs.all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (a, b) => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}
