//! What a module was called with, as views show it from `-vvv` on: nothing registers it.

use super::runner::ModuleCall;
use crate::value::{Key, Map, Value};

/// What stands in the place of a parameter that must not be shown.
const HIDDEN: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// `{module_args: {…}}`: the arguments as given, after templating.
pub(super) fn of(call: &ModuleCall) -> Value {
    let params = call.module.params();
    let is_secret = |name: &str| params.iter().any(|p| p.secret && p.is_named(name));
    let shown = call.args.iter().filter_map(|(key, value)| {
        let name = key.as_str()?;
        // The engine's own words to a module.
        (!name.starts_with('_') || name == "_raw_params").then(|| {
            let hidden = is_secret(name) && !value.is_null();
            let value = if hidden {
                Value::from(HIDDEN)
            } else {
                value.clone()
            };
            (key.clone(), value)
        })
    });
    let args: Map = shown.collect();
    let entry = (Key::from("module_args"), Value::map(args));
    Value::map(std::iter::once(entry).collect())
}
