//! `validate_argument_spec`.

use crate::error::{Error, Result};
use crate::module::{Action, ActionCx, Returns, argspec};
use crate::params;
use crate::value::{Map, Value};

params! {
    /// Checks variables against a specification, as roles with `meta/argument_specs.yml` do.
    ///
    /// ```yaml
    /// - validate_argument_spec:
    ///     argument_spec:
    ///       port: {type: int, required: true}
    ///     provided_arguments:
    ///       port: "{{ listen }}"
    /// ```
    pub struct ValidateArgumentSpec {
        /// Names of options, and what each must be: `type`, `required`, `default`, `choices`,
        /// `elements`, `aliases`, `options`, …
        optional argument_spec: Option<Value>,
        /// Values, over those of variables of the same names.
        optional provided_arguments: Option<Value>,
        /// Told in the result, so that a failure says whose arguments were checked.
        optional validate_args_context: Map,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("argument_errors", "Everything that is wrong."),
    (
        "argument_spec_data",
        "The specification, when something is wrong.",
    ),
    ("validate_args_context", "As it was given."),
];

impl Action for ValidateArgumentSpec {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let Some(spec) = &self.argument_spec else {
            let given = Value::map(cx.args().clone()).to_json();
            let text = format!("\"argument_spec\" arg is required in args: {given}");
            return Err(Error::params(text));
        };
        let spec = mapping("argument_spec", spec)?;
        let mut given = Map::new();
        for name in spec.keys() {
            if let Some(value) = cx.variable(&name.to_string())? {
                given.insert(name.clone(), value);
            }
        }
        if let Some(provided) = &self.provided_arguments {
            given.extend(mapping("provided_arguments", provided)?);
        }
        if let Some(why) = Value::map(given.clone()).unknown_reason() {
            return Err(Error::unknown(&*why));
        }
        let errors = argspec::validate(&spec, given);
        let mut returns =
            Returns::default().with("validate_args_context", self.validate_args_context.clone());
        if errors.is_empty() {
            returns.set("msg", "The arg spec validation passed");
            return Ok(returns);
        }
        returns.fail(format!(
            "Validation of arguments failed:\n{}",
            errors.join("\n")
        ));
        returns.set("argument_spec_data", spec);
        returns.set("argument_errors", errors);
        Ok(returns)
    }
}

fn mapping(name: &str, value: &Value) -> Result<Map> {
    match value {
        Value::Map(map) => Ok((**map).clone()),
        Value::Null => Ok(Map::new()),
        other => Err(Error::params(format!(
            "Incorrect type for {name}, expected dict and got {}",
            other.type_name()
        ))),
    }
}
