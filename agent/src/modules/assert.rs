//! `assert`.

use crate::error::{Error, Result};
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::Value;

params! {
    /// Fails unless conditions hold.
    ///
    /// ```yaml
    /// - assert:
    ///     that:
    ///       - ansible_memtotal_mb >= 8192
    ///       - model is defined
    ///     fail_msg: this host is too small for {{ model }}
    /// ```
    pub struct Assert {
        /// Conditions, as in `when`.
        required that: Value,
        /// The message if one does not hold: text, or a list of texts.
        default("Assertion failed".into()) fail_msg | "msg": Value,
        /// The message if all hold: text, or a list of texts.
        default("All assertions passed".into()) success_msg: Value,
        /// Say less.
        default(false) quiet: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("msg", "The message."),
    ("assertion", "The condition that does not hold."),
    ("evaluated_to", "What it is."),
];

impl Action for Assert {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        for (name, message) in [
            ("fail_msg", &self.fail_msg),
            ("success_msg", &self.success_msg),
        ] {
            if !is_message(message) {
                return Err(Error::params(format!(
                    "parameter `{name}`: a string or list of strings is required"
                )));
            }
        }
        if self.that.as_map().is_some() {
            return Err(Error::params(
                "parameter `that`: Conditional expressions must be strings",
            ));
        }
        for that in cx.expressions("that")? {
            if !cx.condition(&that)? {
                let returns = Returns {
                    failed: true,
                    ..Returns::default()
                        .with("evaluated_to", false)
                        .with("assertion", plain(&that))
                        .with("msg", self.fail_msg.clone())
                };
                return Ok(self.shown(returns));
            }
        }
        Ok(self.shown(Returns::default().with("msg", self.success_msg.clone())))
    }
}

impl Assert {
    /// Marks the result, as Ansible does, so that views show it without `-v`.
    fn shown(&self, mut returns: Returns) -> Returns {
        if !self.quiet {
            returns.set("_ansible_verbose_always", true);
        }
        returns
    }
}

/// The condition as data: no template any more.
fn plain(that: &Value) -> Value {
    match that {
        Value::Template(t) => Value::from(&*t.text),
        other => other.clone(),
    }
}

fn is_message(value: &Value) -> bool {
    value.as_str().is_some()
        || value
            .as_list()
            .is_some_and(|items| items.iter().all(|item| item.as_str().is_some()))
}
