//! The one error type: what was attempted, where, why it failed, and what to do about it.

use crate::source::Span;
use std::fmt;

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it. Small to move: its parts are boxed.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    span: Option<Span>,
    hints: Vec<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The sort of an error: it decides the exit code and how the engine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line is wrong.
    Usage,
    /// A playbook, inventory or variable file cannot be read as what it should be.
    Syntax,
    /// A module's parameters are wrong.
    Params,
    /// A template cannot be compiled or evaluated.
    Template,
    /// A template used a variable that is not defined.
    Undefined,
    /// The host refused: a file, a process, the network.
    Host,
    /// The host cannot be reached at all.
    Unreachable,
    /// Check mode cannot know this value; not a failure.
    Unknown,
    /// A mistake of ours.
    Internal,
}

impl Error {
    /// A new error of `kind`. `message` is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            span: None,
            hints: Vec::new(),
            cause: None,
        }))
    }

    /// An error about the host.
    pub fn host(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Host, message)
    }

    /// An error about a module's parameters.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Params, message)
    }

    /// Check mode cannot know `what`, because an earlier task would have to be carried out first.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unknown, what)
    }

    /// Adds the place, unless one is known already (the innermost place is the best one).
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.0.span.get_or_insert_with(|| span.clone());
        self
    }

    /// As [`Error::at`], where there may be no place.
    #[must_use]
    pub fn at_opt(self, span: Option<&Span>) -> Self {
        match span {
            Some(span) => self.at(span),
            None => self,
        }
    }

    /// Adds advice, printed last.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds "did you mean" when one of `known` is close to `given`.
    #[must_use]
    pub fn did_you_mean<'k>(self, given: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        match nearest(given, known) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Puts what was attempted before the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// Puts other words in the place of the first ones of the message.
    #[must_use]
    pub fn prefixed(mut self, old: &str, new: &str) -> Self {
        if let Some(rest) = self.0.message.strip_prefix(old) {
            self.0.message = format!("{new}{rest}");
        }
        self
    }

    /// The sort.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The place, if known.
    #[must_use]
    pub fn span(&self) -> Option<&Span> {
        self.0.span.as_ref()
    }

    /// The advice.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Whether check mode could not know a value.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.0.kind == ErrorKind::Unknown
    }

    /// Message and causes on one line, without place and hints: what `msg` of a failed task says.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.contains(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|e| e as _)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message())?;
        if let Some(span) = &self.0.span {
            writeln!(f)?;
            span.write_excerpt(f)?;
        }
        for hint in &self.0.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

/// The one of `known` that `given` is most likely a slip of, or nothing when none is near.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (given.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (distance(given, name), name))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn an_error_shows_message_place_caret_and_hint() {
        let file = SourceFile::new(
            "site.yml",
            "- hosts: all\n  tasks:\n    - copy: {dst: /x}\n",
        );
        let error = Error::params("`copy` has no parameter `dst`")
            .at(&Span::new(&file, 3, 14, 3))
            .did_you_mean("dst", ["src", "dest", "mode"]);
        assert_eq!(
            error.to_string(),
            "`copy` has no parameter `dst`\n --> site.yml:3:14\n  |\n3 |     - copy: {dst: /x}\n  |              ^^^\nhint: did you mean `dest`?"
        );
    }

    #[test]
    fn the_nearest_name_is_a_slip_not_a_guess() {
        for (given, want) in [
            ("dst", Some("dest")),
            ("onwer", Some("owner")),
            ("ownr", Some("owner")),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(given, ["dest", "owner", "mode"]), want, "{given}");
        }
    }
}
