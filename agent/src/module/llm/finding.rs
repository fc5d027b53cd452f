//! What is found about a host before a change: fine, doubtful or in the way, each with what to do.

use crate::error::{Error, Result};
use crate::value::{Key, Map, Value};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and will bite.
    Warn,
    /// It cannot work.
    Fail,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Finding {
    /// Name of the check: what `ignore` takes.
    pub check: &'static str,
    pub level: Level,
    /// What is so, with figures.
    pub message: String,
    /// What to do about it; empty if nothing need be done.
    pub advice: String,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, message, "")
    }

    /// It works, and will bite.
    pub fn warn(
        check: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, Level::Warn, message, advice)
    }

    /// It cannot work.
    pub fn fail(
        check: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, Level::Fail, message, advice)
    }

    fn new(
        check: &'static str,
        level: Level,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            check,
            level,
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// `what is so: what to do`.
    #[must_use]
    pub fn text(&self) -> String {
        match self.advice.is_empty() {
            true => self.message.clone(),
            false => format!("{}: {}", self.message, self.advice),
        }
    }
}

/// Findings, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: impl Into<Option<Finding>>) {
        self.0.extend(finding.into());
    }

    /// What is in the way becomes a warning where its check is named.
    ///
    /// # Errors
    /// When `ignore` names a check that is none of `known`.
    pub fn ignore(&mut self, ignore: &[String], known: &[&str]) -> Result<()> {
        for name in ignore {
            if !known.contains(&name.as_str()) {
                return Err(Error::params(format!(
                    "`{name}` is no check; there are {}",
                    known.join(", ")
                ))
                .did_you_mean(name, known.iter().copied()));
            }
        }
        for finding in &mut self.0 {
            if finding.level == Level::Fail && ignore.iter().any(|i| i == finding.check) {
                finding.level = Level::Warn;
            }
        }
        Ok(())
    }

    /// Those of a level.
    pub fn at(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(move |f| f.level == level)
    }

    /// All that is in the way, in one text with the names of the checks; nothing if nothing is.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let texts: Vec<String> = self
            .at(Level::Fail)
            .map(|f| format!("{} [{}]", f.text(), f.check))
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// Texts of the warnings.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.at(Level::Warn).map(Finding::text).collect()
    }

    /// As a return value: a list of mappings.
    #[must_use]
    pub fn value(&self) -> Value {
        let one = |f: &Finding| {
            let mut map = Map::new();
            for (name, text) in [
                ("check", f.check),
                ("level", f.level.word()),
                ("message", &f.message),
                ("advice", &f.advice),
            ] {
                map.insert(Key::from(name), text.into());
            }
            Value::from(map)
        };
        Value::list(self.0.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_told_and_no_longer_in_the_way() {
        let mut all = Findings::default();
        all.push(Finding::ok("port", "port 80 is free"));
        all.push(Finding::fail("memory", "too large", "take a smaller one"));
        assert_eq!(
            all.failure().as_deref(),
            Some("too large: take a smaller one [memory]")
        );
        let error = all.ignore(&["memroy".into()], &["memory", "port"]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("did you mean `memory`?"), "{error}");
        all.ignore(&["memory".into()], &["memory", "port"]).unwrap();
        assert_eq!(all.failure(), None);
        assert_eq!(all.warnings(), ["too large: take a smaller one"]);
    }
}
