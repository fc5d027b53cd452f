//! The linter: what works, but not as meant, or not for ever.
//!
//! [`project`] reads playbooks, roles and files of tasks, with all that they include; [`rules`] is the
//! table of what is looked for, a group of rules in each file; [`comment`] knows `# noqa`; the views
//! are [`human`], [`json`] and [`sarif`].
//!
//! To add a rule: a function and a row in a group's table. Its doc comment is its page
//! (`lint --explain-rule`). A rule that complains of what is right is worse than none: where a rule
//! cannot know, it says nothing.

mod comment;
pub mod human;
pub mod json;
pub mod project;
pub mod rules;
pub mod sarif;
mod words;

use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::playbook::task::Task;
use lks_agent::source::Span;
use project::Project;
use std::sync::Arc;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A run would be refused.
    Error,
    /// It does something else than it seems to, or lets out what it should not.
    Warning,
    /// It could be better.
    Note,
}

impl Level {
    /// As SARIF and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Each task by itself.
    Task(fn(&Arc<Task>, &mut Vec<Found>)),
    /// Everything together.
    Project(fn(&Project, &mut Vec<Found>)),
    /// Found by reading and by the check before a run, whose messages hold these words.
    Reader(&'static [&'static str]),
}

/// A rule: a row of the table.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// The weight of its findings.
    pub level: Level,
    /// Whether it is looked at when nothing is selected.
    pub on: bool,
    /// Its page; the first line is the summary.
    pub doc: &'static str,
    /// What it does.
    pub check: Check,
}

impl Rule {
    /// The first line of its page.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.doc.trim().lines().next().unwrap_or("").trim()
    }
}

/// What a rule found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to do.
    pub hint: Option<String>,
    /// Where the task begins: a `# noqa` on that line counts, too.
    pub task: Option<Span>,
    /// Whether the place holds a secret, which no view may show.
    pub secret: bool,
}

impl Found {
    /// Something at a place.
    #[must_use]
    pub fn at(span: &Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: Some(span.clone()),
            hint: None,
            task: None,
            secret: false,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A finding: of which rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What it found.
    pub found: Found,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// By file and line.
    pub findings: Vec<Finding>,
    /// How many a `# noqa` silenced.
    pub silenced: usize,
    /// How many files were read.
    pub files: usize,
}

impl Report {
    /// How many findings there are of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        let of_level = self.findings.iter().filter(|f| f.rule.level == level);
        of_level.count()
    }
}

/// Which rules count.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Names, or `all`; none given means those that are on.
    pub select: Vec<String>,
    /// Names that do not count.
    pub ignore: Vec<String>,
}

impl Choice {
    /// Checks the names.
    ///
    /// # Errors
    /// When there is no such rule.
    pub fn check(&self) -> Result<()> {
        for name in self.select.iter().chain(&self.ignore) {
            if name != "all" {
                rule(name)?;
            }
        }
        Ok(())
    }

    fn has(&self, rule: &Rule) -> bool {
        let named = |list: &[String]| list.iter().any(|n| n == rule.id || n == "all");
        let chosen = if self.select.is_empty() {
            rule.on
        } else {
            named(&self.select)
        };
        // What a run would refuse is told always: the file could not even be read.
        let ignored = self.ignore.iter().any(|n| n == rule.id);
        !ignored && (chosen || rule.level == Level::Error)
    }
}

/// The rule of this name.
///
/// # Errors
/// When there is none.
pub fn rule(id: &str) -> Result<&'static Rule> {
    rules::all().find(|r| r.id == id).ok_or_else(|| {
        Error::new(ErrorKind::Usage, format!("there is no rule `{id}`"))
            .did_you_mean(id, rules::all().map(|r| r.id))
            .hint("`lks-ctl lint --list-rules` prints them all")
    })
}

/// Looks at a project with the rules that were chosen.
#[must_use]
pub fn look(project: &Project, choice: &Choice) -> Report {
    let mut report = Report {
        files: project.files(),
        ..Report::default()
    };
    for rule in rules::all().filter(|r| choice.has(r)) {
        let mut found = Vec::new();
        match rule.check {
            Check::Task(check) => {
                for task in &project.tasks {
                    let before = found.len();
                    check(task, &mut found);
                    for new in &mut found[before..] {
                        new.task = Some(task.span.clone());
                    }
                }
            }
            Check::Project(check) => check(project, &mut found),
            Check::Reader(_) => found.extend(project.read_by(rule)),
        }
        for found in found {
            if comment::silences(&found, rule.id) {
                report.silenced += 1;
            } else {
                report.findings.push(Finding { rule, found });
            }
        }
    }
    sort(&mut report.findings);
    report
}

fn sort(findings: &mut Vec<Finding>) {
    let key = |f: &Finding| {
        let place = f.found.span.as_ref();
        let place = place.map(|s| (s.file.name.clone(), s.line, s.column));
        (place, f.rule.id, f.found.message.clone())
    };
    findings.sort_by_cached_key(key);
    findings.dedup_by(|a, b| key(a) == key(b));
}
