//! Argument specifications as data (`meta/argument_specs.yml` of a role): values are checked against
//! them, and everything that is wrong is told in ansible-core's words, which playbooks compare.
//!
//! The order of the checks is that of ansible-core's `ArgumentSpecValidator`, because it decides the
//! order of the messages. Rules across options (`mutually_exclusive`, `required_if`, …) hold inside
//! an option with `options`; for the whole of a role ansible-core has none.

mod rules;
mod types;

use crate::value::{Key, Map, Value};
use types::{convert, text, type_name};

/// Checks `given` against `spec` (option name → attributes). Gives everything that is wrong.
#[must_use]
pub fn validate(spec: &Map, given: Map) -> Vec<String> {
    let mut check = Check::default();
    let mut given = given;
    check.level(spec, None, &mut given);
    check.sub_specs(spec, &mut given);
    if let Some(last) = check.unsupported.last() {
        let mut names: Vec<&str> = check.unsupported.iter().map(|u| u.name.as_str()).collect();
        names.sort_unstable();
        let error = format!(
            "{}. Supported parameters include: {}.",
            names.join(", "),
            last.supported
        );
        check.errors.push(error);
    }
    check.errors
}

#[derive(Default)]
struct Check {
    errors: Vec<String>,
    unsupported: Vec<Unsupported>,
    /// Options around the one that is looked at.
    context: Vec<String>,
}

struct Unsupported {
    name: String,
    supported: String,
}

impl Check {
    fn error(&mut self, text: String) {
        self.errors.push(text);
    }

    /// An error, and which options it is inside of.
    fn error_here(&mut self, text: &str) {
        let place = match self.context.as_slice() {
            [] => String::new(),
            around => format!(" found in {}", around.join(" -> ")),
        };
        self.error(format!("{text}{place}"));
    }

    /// One level of options; `rules` are the attributes of the option around them.
    fn level(&mut self, spec: &Map, rules: Option<&Map>, given: &mut Map) {
        let aliases = self.aliases(spec, given);
        self.names(spec, &aliases, given);
        let rules = |check: &mut Self, given: &Map, which: &[rules::Check]| {
            for (name, rule) in which {
                let broken = rules
                    .and_then(|r| r.get(*name))
                    .and_then(|terms| rule(terms, given));
                if let Some(text) = broken {
                    check.error_here(&text);
                }
            }
        };
        rules(self, given, rules::FIRST);
        set_defaults(spec, given);
        self.required(spec, given);
        self.types(spec, given);
        self.choices(spec, given);
        rules(self, given, rules::LATER);
        for name in spec.keys() {
            given.entry(name.clone()).or_insert(Value::Null);
        }
    }

    /// Values given under another name; gives alias → option.
    fn aliases(&mut self, spec: &Map, given: &mut Map) -> Vec<(String, Key)> {
        let mut found = Vec::new();
        for (name, attributes) in spec {
            let has_default = attributes.get("default").is_some_and(|d| !d.is_null());
            if has_default && is_required(attributes) {
                self.error(format!(
                    "internal error: required and default are mutually exclusive for {name}"
                ));
                return Vec::new();
            }
            let Some(aliases) = attributes.get("aliases").filter(|a| !a.is_null()) else {
                continue;
            };
            let Some(aliases) = aliases.as_list() else {
                self.error("internal error: aliases must be a list or tuple".into());
                return Vec::new();
            };
            for alias in aliases.iter().map(text) {
                if let Some(value) = given.get(alias.as_str()).cloned() {
                    given.insert(name.clone(), value);
                }
                found.push((alias, name.clone()));
            }
        }
        found
    }

    /// Names that the specification does not know.
    fn names(&mut self, spec: &Map, aliases: &[(String, Key)], given: &Map) {
        for key in given.keys() {
            let name = key.to_string();
            if spec.contains_key(key) || aliases.iter().any(|(a, _)| *a == name) {
                continue;
            }
            let mut supported: Vec<String> = spec.keys().map(ToString::to_string).collect();
            supported.sort();
            let mut others: Vec<&str> = aliases.iter().map(|(a, _)| a.as_str()).collect();
            others.sort_unstable();
            let mut supported = supported.join(", ");
            if !others.is_empty() {
                supported.push_str(&format!(" ({})", others.join(", ")));
            }
            let path = self.context.iter().chain(std::iter::once(&name));
            let name = path.map(String::as_str).collect::<Vec<_>>().join(".");
            self.unsupported.push(Unsupported { name, supported });
        }
    }

    fn required(&mut self, spec: &Map, given: &Map) {
        let mut missing: Vec<String> = spec
            .iter()
            .filter(|(name, attributes)| is_required(attributes) && !given.contains_key(*name))
            .map(|(name, _)| name.to_string())
            .collect();
        missing.sort();
        if !missing.is_empty() {
            self.error_here(&format!(
                "missing required arguments: {}",
                missing.join(", ")
            ));
        }
    }

    fn types(&mut self, spec: &Map, given: &mut Map) {
        for (name, attributes) in spec {
            let Some(value) = given.get(name).cloned() else {
                continue;
            };
            let has_default = attributes.get("default").is_some_and(|d| !d.is_null());
            if value.is_null() && !is_required(attributes) && !has_default {
                continue;
            }
            let wanted = attributes.get("type").map_or_else(|| "str".into(), text);
            match convert(&wanted, &value) {
                Ok(value) => {
                    let value = self.elements(name, attributes, &wanted, value);
                    given.insert(name.clone(), value);
                }
                Err(why) => {
                    let place = self.place(".");
                    self.error(format!(
                        "argument '{name}' is of type {}{place} and we were unable to convert to {wanted}: {why}",
                        type_name(&value)
                    ));
                }
            }
        }
    }

    fn place(&self, end: &str) -> String {
        match self.context.as_slice() {
            [] => String::new(),
            around => format!(" found in '{}'{end}", around.join(" -> ")),
        }
    }

    /// `elements`: the type of each item of a list.
    fn elements(&mut self, name: &Key, attributes: &Value, wanted: &str, value: Value) -> Value {
        let Some(kind) = attributes.get("elements").filter(|e| !e.is_null()) else {
            return value;
        };
        let kind = text(kind);
        let Value::List(items) = &value else {
            let place = self.place(".");
            self.error(format!(
                "Invalid type {wanted} for option '{}'{place}, elements value check is supported only with 'list' type",
                text(&value)
            ));
            return value;
        };
        let mut kept = Vec::with_capacity(items.len());
        for item in items.iter() {
            match convert(&kind, item) {
                Ok(item) => kept.push(item),
                Err(why) => {
                    let place = self.place("");
                    self.error(format!(
                        "Elements value for option '{name}'{place} is of type {} and we were unable to convert to {kind}: {why}",
                        type_name(item)
                    ));
                }
            }
        }
        Value::list(kept)
    }

    fn choices(&mut self, spec: &Map, given: &mut Map) {
        for (name, attributes) in spec {
            let Some(choices) = attributes.get("choices").filter(|c| !c.is_null()) else {
                continue;
            };
            let Some(choices) = choices.as_list() else {
                self.error_here(&format!(
                    "internal error: choices for argument {name} are not iterable: {}",
                    text(choices)
                ));
                continue;
            };
            let list = |values: &mut dyn Iterator<Item = &Value>| {
                values.map(text).collect::<Vec<_>>().join(", ")
            };
            match given.get(name) {
                None => {}
                Some(Value::List(items)) => {
                    let mut others = items.iter().filter(|i| !choices.contains(i)).peekable();
                    if others.peek().is_some() {
                        let error = format!(
                            "value of {name} must be one or more of: {}. Got no match for: {}",
                            list(&mut choices.iter()),
                            list(&mut others)
                        );
                        self.error_here(&error);
                    }
                }
                Some(value) if choices.contains(value) => {}
                Some(value) => match types::truth_among(value, choices) {
                    Some(meant) => drop(given.insert(name.clone(), meant)),
                    None => {
                        let error = format!(
                            "value of {name} must be one of: {}, got: {}",
                            list(&mut choices.iter()),
                            text(value)
                        );
                        self.error_here(&error);
                    }
                },
            }
        }
    }

    /// Options that have options of their own.
    fn sub_specs(&mut self, spec: &Map, given: &mut Map) {
        for (name, attributes) in spec {
            let kind = attributes.get("type").map(text).unwrap_or_default();
            let of_maps = attributes.get("elements").map(text).as_deref() == Some("dict");
            if kind != "dict" && !(kind == "list" && of_maps) {
                continue;
            }
            let Some(options) = attributes.get("options").and_then(Value::as_map) else {
                continue;
            };
            let applies = attributes
                .get("apply_defaults")
                .is_some_and(Value::is_truthy);
            let value = match given.get(name) {
                None | Some(Value::Null) if applies => Value::map(Map::new()),
                None | Some(Value::Null) => continue,
                Some(value) => value.clone(),
            };
            self.context.push(name.to_string());
            let items = match &value {
                Value::List(items) => items.to_vec(),
                single => vec![single.clone()],
            };
            for item in items {
                let Value::Map(item) = item else {
                    self.error(format!(
                        "value of '{name}' must be of type dict or list of dicts"
                    ));
                    continue;
                };
                let mut item = (*item).clone();
                self.level(options, attributes.as_map(), &mut item);
                self.sub_specs(options, &mut item);
            }
            self.context.pop();
        }
    }
}

fn is_required(attributes: &Value) -> bool {
    attributes.get("required").is_some_and(Value::is_truthy)
}

fn set_defaults(spec: &Map, given: &mut Map) {
    for (name, attributes) in spec {
        if let Some(default) = attributes.get("default").filter(|d| !d.is_null()) {
            given.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, given: &str) -> Vec<String> {
        let map = |text: &str| match serde_json::from_str::<Value>(text) {
            Ok(Value::Map(map)) => (*map).clone(),
            other => panic!("{other:?}"),
        };
        validate(&map(spec), map(given))
    }

    #[test]
    fn everything_that_is_wrong_is_told_in_the_order_of_ansible() {
        let spec = r#"{
            "a": {"type": "int", "required": true},
            "b": {"type": "list", "elements": "float"},
            "c": {"choices": ["x", "y"]},
            "d": {"type": "dict", "options": {
                "e": {"type": "int"}, "f": {"required": true}, "g": {}},
                "mutually_exclusive": [["e", "g"]],
                "required_if": [["e", 1, ["h", "i"]]]}
        }"#;
        assert_eq!(
            check(
                spec,
                r#"{"b": [1, "z"], "c": "w", "d": {"e": "1", "g": 2, "z": 1}}"#
            ),
            [
                "missing required arguments: a",
                "Elements value for option 'b' is of type str and we were unable to convert to float: <class 'str'> cannot be converted to a float",
                "value of c must be one of: x, y, got: w",
                "parameters are mutually exclusive: e|g found in d",
                "missing required arguments: f found in d",
                "e is 1 but all of the following are missing: h, i found in d",
                "d.z. Supported parameters include: e, f, g.",
            ]
        );
    }

    #[test]
    fn aliases_and_defaults_count() {
        let spec = r#"{"a": {"aliases": ["b"], "required": true}, "c": {"type": "bool", "default": "yes"}}"#;
        assert!(check(spec, r#"{"b": "x"}"#).is_empty());
        assert_eq!(check(spec, "{}"), ["missing required arguments: a"]);
        assert_eq!(
            check(spec, r#"{"a": 1, "q": 2}"#),
            ["q. Supported parameters include: a, c (b)."]
        );
    }
}
