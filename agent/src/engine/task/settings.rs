//! What keywords of a task, and of what is around it, come to for a host.

use super::{Effective, Seen, TaskCx};
use crate::engine::runner::Background;
use crate::error::{Error, Result};
use crate::playbook::keyword::{Kw, Setting, as_bool};
use crate::value::Value;
use std::sync::Arc;

/// As long as a task may at most be given (Ansible's).
pub(super) const MAX_TIMEOUT: u64 = 100_000_000;

/// How often what works in the background is asked about, if `poll` says nothing.
pub(super) const POLL: u64 = 15;

/// Whether an error is about a fact of the environment that is not known yet.
pub(super) fn names_env_facts(message: &str) -> bool {
    message.contains("ansible_env") || message.contains("'env'")
}

impl TaskCx<'_> {
    /// A setting's value, evaluated, with its place in errors.
    pub(in crate::engine) fn resolve(&self, setting: &Setting, seen: &Seen) -> Result<Value> {
        self.run
            .templar
            .resolve(&setting.value, &seen.vars)
            .map_err(|e| e.at(&setting.span))
    }

    pub(in crate::engine) fn setting(&self, kw: Kw, seen: &Seen) -> Result<Option<Value>> {
        let Some(setting) = self.task().find(kw) else {
            return Ok(None);
        };
        match self.resolve(setting, seen)? {
            Value::Omit => self.around(kw, seen),
            Value::Null => Ok(None),
            value => Ok(Some(value)),
        }
    }

    /// What the blocks and the play around say, where the innermost word is `omit`.
    pub(super) fn around(&self, kw: Kw, seen: &Seen) -> Result<Option<Value>> {
        for setting in self.task().scope.all(kw).into_iter().rev().skip(1) {
            match self.resolve(setting, seen)? {
                Value::Omit => {}
                Value::Null => return Ok(None),
                value => return Ok(Some(value)),
            }
        }
        Ok(None)
    }

    pub(in crate::engine) fn flag(&self, kw: Kw, seen: &Seen) -> Result<Option<bool>> {
        let Some(value) = self.setting(kw, seen)? else {
            return Ok(None);
        };
        let found = match &value {
            Value::Bool(b) => Some(*b),
            Value::Int(i) => Some(*i != 0),
            Value::Str(s) => as_bool(s),
            _ => None,
        };
        match (found, self.task().find(kw)) {
            (Some(b), _) => Ok(Some(b)),
            (None, setting) => Err(Error::new(
                crate::error::ErrorKind::Syntax,
                format!(
                    "The value '{}' could not be converted to 'bool': `{}` must be true or false",
                    self.run.text(&value),
                    kw.name()
                ),
            )
            .at_opt(setting.map(|s| &s.span))),
        }
    }

    pub(in crate::engine) fn text(&self, kw: Kw, seen: &Seen) -> Result<Option<String>> {
        Ok(self
            .setting(kw, seen)?
            .map(|v| self.run.text(&v))
            .filter(|t| !t.is_empty()))
    }

    pub(super) fn effective(&self, seen: &Seen) -> Result<Effective> {
        let options = &self.run.options;
        let delegate_to: Option<Arc<str>> = self.text(Kw::DelegateTo, seen)?.map(Into::into);
        let host = delegate_to
            .clone()
            .unwrap_or_else(|| self.slot.name.clone());
        Ok(Effective {
            check: self.flag(Kw::CheckMode, seen)?.unwrap_or(options.check),
            diff: self.flag(Kw::Diff, seen)?.unwrap_or(options.diff),
            no_log: self.flag(Kw::NoLog, seen)?.unwrap_or(false),
            login: self.login(&host, delegate_to.is_some(), seen)?,
            environment: self.environment(seen)?,
            timeout: self.timeout(seen)?,
            background: self.background(seen)?,
            poll: self.seconds(Kw::Poll, seen)?.unwrap_or(POLL),
            delegate_to,
        })
    }

    /// `timeout:`; 0 is none.
    pub(super) fn timeout(&self, seen: &Seen) -> Result<Option<u64>> {
        let Some(value) = self.setting(Kw::Timeout, seen)? else {
            return Ok(None);
        };
        let given = match &value {
            Value::Int(i) => Some(*i),
            other => crate::playbook::keyword::plain_text(other)
                .trim()
                .parse()
                .ok(),
        };
        match given.map(u64::try_from) {
            Some(Ok(0)) => Ok(None),
            Some(Ok(limit)) if limit <= MAX_TIMEOUT => Ok(Some(limit)),
            _ => Err(Error::params(format!(
                "Timeout {} is invalid, it must be between 0 and {MAX_TIMEOUT}.",
                self.run.text(&value)
            ))
            .at_opt(self.task().find(Kw::Timeout).map(|s| &s.span))),
        }
    }

    /// `async:`, with the folder of job files on the task's host.
    pub(super) fn background(&self, seen: &Seen) -> Result<Option<Background>> {
        match self.seconds(Kw::Async, seen)? {
            None | Some(0) => Ok(None),
            Some(limit) => Ok(Some(Background {
                limit,
                dir: self.async_dir(seen)?,
            })),
        }
    }

    /// Where job files lie: the variable, the environment, or what Ansible has.
    pub(in crate::engine) fn async_dir(&self, seen: &Seen) -> Result<String> {
        let given = match seen.vars.get("ansible_async_dir") {
            Some(value) => Some(self.run.templar.resolve(&value, &seen.vars)?),
            None => None,
        };
        Ok(match given {
            Some(value) if !value.is_null() => self.run.text(&value),
            _ => crate::host::here::env("ANSIBLE_ASYNC_DIR")
                .unwrap_or_else(|| "~/.ansible_async".into()),
        })
    }

    /// A task's own keyword that counts seconds.
    pub(super) fn seconds(&self, kw: Kw, seen: &Seen) -> Result<Option<u64>> {
        let Some(value) = self.setting(kw, seen)? else {
            return Ok(None);
        };
        let text = self.run.text(&value);
        match text.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 => Ok(Some(number as u64)),
            _ => Err(Error::params(format!(
                "`{}` must be a number of seconds, not `{text}`",
                kw.name()
            ))
            .at_opt(self.task().find(kw).map(|s| &s.span))),
        }
    }

    /// `environment:` of the play, blocks and the task, inner ones over outer ones.
    pub(super) fn environment(&self, seen: &Seen) -> Result<Vec<(String, String)>> {
        let mut out: Vec<(String, String)> = Vec::new();
        for setting in self.task().scope.all(Kw::Environment) {
            for item in setting.items() {
                // Entry by entry: one of them may lead to facts that are about to be gathered.
                let entries = match &item {
                    Value::Map(map) => Arc::clone(map),
                    other => match self.environment_value(setting, other, seen)? {
                        Some(Value::Map(map)) => map,
                        _ => continue,
                    },
                };
                for (key, value) in entries.iter() {
                    let Some(value) = self.environment_value(setting, value, seen)? else {
                        continue;
                    };
                    let name = key.to_string();
                    out.retain(|(n, _)| *n != name);
                    out.push((name, self.run.text(&value)));
                }
            }
        }
        Ok(out)
    }

    /// A value of `environment:`; nothing if it is omitted, or leads to the environment's own facts in
    /// the task that gathers them.
    pub(super) fn environment_value(
        &self,
        setting: &Setting,
        value: &Value,
        seen: &Seen,
    ) -> Result<Option<Value>> {
        let own = Setting {
            value: value.clone(),
            span: setting.span.clone(),
        };
        let gathers = matches!(self.task().short_module(), "setup" | "gather_facts");
        match self.resolve(&own, seen) {
            Ok(Value::Omit) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(e) if gathers && names_env_facts(&e.message()) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
