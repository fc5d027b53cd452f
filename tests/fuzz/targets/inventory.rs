//! Inventories: ini, YAML, TOML, scripts, lists of hosts, plugins, ranges; and host patterns.
//!
//! The first byte chooses the reader; the first line is a pattern, and a limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::error::Result;
use lks_agent::inventory::{self, Config, Limit, Templates, Tools};
use lks_agent::source::Span;
use lks_agent::template::{Nowhere, Templar, Variables};
use lks_agent::value::{Map, Value};
use lks_fuzz::{Files, Names};
use std::sync::Arc;

/// Templates of `constructed` and `generator`.
struct Evaluate(Templar);

impl Evaluate {
    fn vars(vars: &Arc<Map>) -> Arc<dyn Variables> {
        Arc::new(Names((**vars).clone()))
    }
}

impl Templates for Evaluate {
    fn resolve(&self, value: &Value, vars: &Arc<Map>) -> Result<Value> {
        self.0.resolve(value, &Self::vars(vars))
    }
    fn expression(&self, text: &str, span: Option<&Span>, vars: &Arc<Map>) -> Result<Value> {
        self.0.expression(text, span, &Self::vars(vars))
    }
    fn condition(&self, condition: &Value, span: Option<&Span>, vars: &Arc<Map>) -> Result<bool> {
        self.0.condition(condition, span, &Self::vars(vars))
    }
}

const NAMES: [&str; 6] = ["hosts", "hosts.ini", "hosts.yml", "hosts.toml", "hosts.sh", "x,"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let (pattern, text) = text.split_once('\n').unwrap_or(("all", text));
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let list = format!("{text},");
    let (files, source) = match name {
        "x," => (Files::default(), list.as_str()),
        name => (Files::one(name, text), name),
    };
    let enabled = "host_list advanced_host_list script auto yaml ini toml generator constructed";
    let config = Config {
        enabled: enabled.split(' ').map(String::from).collect(),
        ..Config::default()
    };
    let keys = lks_fuzz::keys();
    let templates = Evaluate(Templar::new(Arc::new(Nowhere)));
    let tools = Tools {
        files: &files,
        vault: &keys,
        config: &config,
        templates: &templates,
    };
    let Ok(inventory) = inventory::load(&[source.to_owned()], &tools) else {
        return;
    };
    let limit = Limit::parse(pattern, &files).ok();
    let _ = inventory.select(&[pattern], limit.as_ref());
    for host in inventory.hosts() {
        let _ = inventory.group_names(&host.name);
    }
});
