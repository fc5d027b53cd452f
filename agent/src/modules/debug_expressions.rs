//! `ansible._protomatter.debug`.

use crate::error::{ErrorKind, Result};
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::Value;

params! {
    /// Evaluates expressions, and shows errors in the place of their values. It is ansible-core's own,
    /// for its tests.
    ///
    /// ```yaml
    /// - ansible._protomatter.debug:
    ///     expression: [lookup('env', 'USER', default=undef())]
    /// ```
    pub struct DebugExpressions {
        /// Expressions, without braces.
        required expression: Vec<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("expression_result", "The values, in order.")];

impl Action for DebugExpressions {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut returns = Returns::default();
        let mut values = Vec::with_capacity(self.expression.len());
        for expression in &self.expression {
            values.push(match cx.expression(expression) {
                Ok(value) => value,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Undefined | ErrorKind::Template) =>
                {
                    let number = returns.warnings.len() + 1;
                    let message = error.message();
                    returns.warnings.push(format!("error {number} - {message}"));
                    Value::from(format!("<< error {number} - {message} >>"))
                }
                Err(error) => return Err(error),
            });
        }
        let warnings = returns.warnings.iter().map(|w| Value::from(w.as_str()));
        returns.set("warnings", Value::list(warnings.collect()));
        returns.set("_ansible_verbose_always", true);
        returns.set("expression_result", Value::list(values));
        Ok(returns)
    }
}
