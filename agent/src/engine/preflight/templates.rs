//! What keywords and variables say: their types, and the templates in them.

use super::Preflight;
use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::{Kw, Setting, check_type};
use crate::source::Span;
use crate::value::Value;

impl Preflight<'_> {
    /// Templates and conditions of a keyword.
    pub(super) fn keyword(&mut self, kw: Kw, setting: &Setting) {
        if let Err(error) = check_type(kw, &setting.value, &setting.span) {
            self.found(error);
        }
        if kw == Kw::Vars {
            return self.variables(setting);
        }
        let is_condition = matches!(kw, Kw::When | Kw::Until | Kw::ChangedWhen | Kw::FailedWhen);
        if !is_condition {
            self.templates(&setting.value, &setting.span);
            return;
        }
        for condition in setting.items() {
            let span = match &condition {
                Value::Template(t) => t.span.as_ref().unwrap_or(&setting.span).clone(),
                _ => setting.span.clone(),
            };
            if let Some(text) = condition.as_str() {
                self.uses(text);
                if let Err(error) = self.templar.check_condition(text, Some(&span)) {
                    self.found(error.at(&span));
                }
            }
        }
    }

    /// `vars:` are evaluated only where they are used.
    pub(super) fn variables(&mut self, setting: &Setting) {
        for map in setting.items() {
            for (name, value) in map.as_map().into_iter().flatten() {
                let name = name.to_string();
                let mut errors = Vec::new();
                self.each_template(value, &setting.span, &mut |this, text, span| {
                    this.uses(text);
                    if let Err(error) = this.templar.check(text, Some(span)) {
                        errors.push((name.clone(), error.at(span)));
                    }
                });
                self.in_variables.append(&mut errors);
            }
        }
    }

    /// Remembers the names in a template or condition.
    pub(super) fn uses(&mut self, text: &str) {
        if !self.handled {
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            self.used.extend(words.map(str::to_string));
        }
    }

    pub(super) fn each_template(
        &mut self,
        value: &Value,
        span: &Span,
        look: &mut dyn FnMut(&mut Self, &str, &Span),
    ) {
        match value {
            Value::Template(t) => look(self, &t.text, t.span.as_ref().unwrap_or(span)),
            Value::List(items) => items.iter().for_each(|v| self.each_template(v, span, look)),
            Value::Map(map) => map.values().for_each(|v| self.each_template(v, span, look)),
            _ => {}
        }
    }

    /// Compiles every template inside a value.
    pub(super) fn templates(&mut self, value: &Value, span: &Span) {
        self.each_template(value, span, &mut |this, text, span| {
            this.uses(text);
            if let Err(error) = this.templar.check(text, Some(span)) {
                this.found(error.at(span));
            }
        });
    }

    pub(super) fn lookup(&mut self, name: &str, span: &Span) {
        let short = name.rsplit('.').next().unwrap_or(name);
        let names: Vec<&str> = crate::template::lookup_docs().map(|d| d.name).collect();
        if !names.contains(&short) {
            self.found(
                Error::new(ErrorKind::Syntax, format!("there is no loop `with_{name}`"))
                    .at(span)
                    .did_you_mean(short, names.iter().copied()),
            );
        }
    }
}
