//! What reading found, as findings of the rules that it belongs to.

use super::Project;
use crate::lint::{Check, Found, Level, Rule, rules};
use lks_agent::error::nearest;
use lks_agent::source::Span;

impl Project {
    /// What reading found, under the rule whose words the message holds.
    pub fn read_by(&self, rule: &Rule) -> Vec<Found> {
        let is_mine = |text: &str| std::ptr::eq(reader_rule(text), rule);
        let mut out: Vec<Found> = Vec::new();
        for error in &self.errors {
            if rule.level == Level::Error && is_mine(&error.message()) {
                let hint = (!error.hints().is_empty())
                    .then(|| error.hints().join("; "))
                    .or_else(|| self.near_handler(&error.message()));
                out.push(told(error.message(), error.span(), hint));
            }
        }
        if rule.id == "look-again" {
            let all = self.warnings.iter();
            out.extend(all.map(|(text, span)| told(text.clone(), span.as_ref(), None)));
        }
        if rule.id == "not-available" {
            out.extend(self.absent.iter().map(|a| {
                let message = format!("the {} `{}` is not available in lks", a.what, a.name);
                let hint = format!("it is of {}; a run would be refused", a.from);
                told(message, a.span.as_ref(), Some(hint))
            }));
        }
        out
    }

    /// The handler that was meant, when a message is about one that is not there.
    fn near_handler(&self, message: &str) -> Option<String> {
        let name = message.split_once("handler '")?.1.split('\'').next()?;
        let handlers = self.tasks.iter().filter(|t| t.handler);
        let names: Vec<String> = handlers.map(|t| t.title()).collect();
        let near = nearest(name, names.iter().map(String::as_str))?;
        Some(format!("did you mean `{near}`?"))
    }
}

fn told(message: String, span: Option<&Span>, hint: Option<String>) -> Found {
    Found {
        message,
        span: span.cloned(),
        hint,
        task: None,
        secret: false,
    }
}

/// The rule under which a message of the reader goes: the one with the longest of its words in it.
fn reader_rule(message: &str) -> &'static Rule {
    let mut best: Option<(&'static Rule, usize)> = None;
    for rule in rules::all() {
        let Check::Reader(words) = rule.check else {
            continue;
        };
        let fits = words.iter().filter(|w| message.contains(**w));
        if let Some(len) = fits.map(|w| w.len()).max()
            && best.is_none_or(|(_, l)| len > l)
        {
            best = Some((rule, len));
        }
    }
    best.map_or(&rules::reader::UNREADABLE, |(rule, _)| rule)
}
