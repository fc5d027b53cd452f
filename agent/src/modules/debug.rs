//! `debug`.

use crate::error::{Error, ErrorKind, Result};
use crate::module::{Action, ActionCx, Returns, Rule};
use crate::params;
use crate::value::{Value, has_markers};

params! {
    /// Shows a message, or the value of a variable or expression.
    ///
    /// ```yaml
    /// - debug:
    ///     msg: "{{ inventory_hostname }} has {{ ansible_memtotal_mb }} MB"
    ///
    /// - debug:
    ///     var: result.stdout_lines
    ///     verbosity: 1
    /// ```
    pub struct Debug {
        /// What to show; anything.
        default("Hello world!".into()) msg: Value,
        /// The name of a variable, or an expression without braces.
        optional var: Option<Value>,
        /// Show it only from this many `-v` on.
        default(0) verbosity: u32,
    }
    rules [Rule::Exclusive(&["msg", "var"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("msg", "The message."),
    ("skipped_reason", "Why nothing was shown."),
];

impl Action for Debug {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut returns = Returns::default();
        if self.verbosity > u32::from(cx.verbosity()) {
            returns.skipped = true;
            returns.set("skipped_reason", "Verbosity threshold not met.");
            return Ok(returns);
        }
        // Views show it without `-v`, as Ansible's do.
        returns.set("_ansible_verbose_always", true);
        match self.var.as_ref().filter(|var| var.is_truthy()) {
            Some(_) => {
                let written = cx.expressions("var")?;
                let var = one_text(&written)?;
                let value = match cx.expression(var) {
                    Err(error) if error.kind() == ErrorKind::Undefined => {
                        let text = format!("error 1 - {}", error.message());
                        let warning = format!("Encountered 1 template error.\n{text}");
                        returns.warnings.push(warning);
                        Value::from(format!("<< {text} >>"))
                    }
                    Err(error) => {
                        return Err(error.context("Error while resolving `var` expression"));
                    }
                    Ok(Value::Omit) => {
                        let warning = "The result of the `var` expression could not be omitted; a placeholder was used instead.";
                        returns.warnings.push(warning.into());
                        Value::from("<<Omit>>")
                    }
                    Ok(value) => value,
                };
                returns.set(var, value);
            }
            None => {
                returns.set("msg", self.msg.clone());
            }
        }
        Ok(returns)
    }
}

/// The expression, which must be text that the playbook wrote.
fn one_text(written: &[Value]) -> Result<&str> {
    match written {
        [Value::Str(text)] if !has_markers(text) => Ok(text),
        [Value::Str(text)] => Err(Error::new(
            ErrorKind::Template,
            format!("Encountered untrusted template or expression: `{text}` is not evaluated"),
        )),
        [Value::Template(t)] => Err(Error::new(
            ErrorKind::Template,
            format!(
                "Encountered untrusted template or expression: what `{}` gives is not evaluated",
                t.text
            ),
        )
        .hint("`var` is an expression already; use `msg` to show what a template gives")),
        [other] => Err(wrong(other)),
        more => Err(wrong(&Value::list(more.to_vec()))),
    }
}

fn wrong(value: &Value) -> Error {
    Error::params(format!(
        "argument 'var' is of type {} and we were unable to convert to str: '{}' is not a string and conversion is not allowed",
        value.type_name(),
        value.to_json()
    ))
}
