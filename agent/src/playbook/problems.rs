//! Everything that is wrong with what was read, collected: a user sees all of it at once.

use crate::error::Error;
use crate::source::Span;
use std::collections::HashSet;

/// Errors and warnings found while reading.
#[derive(Debug, Default)]
pub struct Problems {
    /// What makes a run impossible.
    pub errors: Vec<Error>,
    /// What deserves a look.
    pub warnings: Vec<(String, Option<Span>)>,
    seen: HashSet<String>,
}

impl Problems {
    /// Adds an error (the same one only once: a role may be read for several plays).
    pub fn error(&mut self, error: Error) {
        if self.seen.insert(error.to_string()) {
            self.errors.push(error);
        }
    }

    /// Adds a mistake that does not stop the run: the task that has it fails when it is reached, and
    /// the playbook deals with that.
    pub fn demote(&mut self, error: Error) {
        let mut text = error.message();
        for hint in error.hints() {
            text.push_str(&format!(" ({hint})"));
        }
        self.warn(text, error.span());
    }

    /// Adds a warning.
    pub fn warn(&mut self, text: impl Into<String>, span: Option<&Span>) {
        let text = text.into();
        let key = format!(
            "{text}{}",
            span.map(ToString::to_string).unwrap_or_default()
        );
        if self.seen.insert(key) {
            self.warnings.push((text, span.cloned()));
        }
    }

    /// The value, or nothing and the error kept.
    pub fn keep<T>(&mut self, result: crate::error::Result<T>) -> Option<T> {
        result.map_err(|e| self.error(e)).ok()
    }
}
