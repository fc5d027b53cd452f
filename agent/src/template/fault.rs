//! What goes wrong inside a template, before it becomes the crate's [`Error`].
//!
//! A fault can be a value for a while: ansible-core 2.19 lets an undefined variable, and even a
//! failed filter, travel through an expression until something uses it or `default` replaces it.

use super::place;
use super::scope::Home;
use crate::error::{Error, ErrorKind};
use crate::source::Span;
use std::rc::Rc;
use std::sync::Arc;

/// A result inside template evaluation.
pub(super) type Res<T> = Result<T, Fault>;

/// Cheap to clone, so that it can be a value.
#[derive(Clone, Debug)]
pub(super) struct Fault(Rc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
    place: Option<Place>,
    /// The variable that is not there, for "did you mean".
    name: Option<Arc<str>>,
    /// Prints as nothing: what `{{ 'x' if false }}` gives.
    blank: bool,
}

/// An offset in a template's text, and where that text was written.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub text: Arc<str>,
    pub span: Option<Span>,
    pub offset: u32,
}

impl Fault {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Rc::new(Inner {
            kind,
            message: message.into(),
            hints: Vec::new(),
            place: None,
            name: None,
            blank: false,
        }))
    }

    /// An error of evaluation.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Template, message)
    }

    /// Use of something that is not defined.
    pub fn undefined(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Undefined, message)
    }

    /// A variable that does not exist.
    pub fn no_variable(name: &Arc<str>) -> Self {
        let mut fault = Self::undefined(format!("'{name}' is undefined"));
        fault.inner().name = Some(Arc::clone(name));
        fault
    }

    /// The other side of an `if` without `else`: it prints as nothing and counts as false, and is
    /// undefined otherwise.
    pub fn no_else() -> Self {
        let mut fault = Self::undefined(
            "the inline if-expression evaluated to false and no else section was defined",
        );
        fault.inner().blank = true;
        fault
    }

    pub fn is_blank(&self) -> bool {
        self.0.blank
    }

    /// The name of the variable that is not there.
    pub fn variable(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// A value that check mode cannot know.
    pub fn unknown(why: &Arc<str>) -> Self {
        Self::new(ErrorKind::Unknown, why.to_string())
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.inner().hints.push(hint.into());
        self
    }

    /// Sets the place, unless an inner one is known.
    pub fn at(mut self, place: impl FnOnce() -> Place) -> Self {
        if self.0.place.is_none() {
            self.inner().place = Some(place());
        }
        self
    }

    /// Sets the place in a text whose file is not known yet.
    pub fn at_offset(self, text: &Arc<str>, offset: usize) -> Self {
        self.at(|| Place {
            text: Arc::clone(text),
            span: None,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        })
    }

    /// Names the file for a place that knows only its offset.
    pub fn in_file(mut self, span: Option<&Span>) -> Self {
        let open = matches!(&self.0.place, Some(p) if p.span.is_none());
        if open
            && let Some(span) = span
            && let Some(place) = &mut self.inner().place
        {
            place.span = Some(span.clone());
        }
        self
    }

    /// Puts what was attempted before the message; an unknown keeps its reason bare.
    pub fn context(mut self, context: impl std::fmt::Display) -> Self {
        if self.0.kind == ErrorKind::Template {
            let inner = self.inner();
            inner.message = format!("{context}: {}", inner.message);
        }
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    fn inner(&mut self) -> &mut Inner {
        Rc::make_mut(&mut self.0)
    }

    /// The crate's error, with its place in the file and the nearest known name.
    pub fn into_error(self, home: &Home) -> Error {
        let inner = Rc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone());
        let mut error = Error::new(inner.kind, inner.message);
        if let Some(place) = &inner.place {
            error = error.at_opt(place::locate(place).as_ref());
        }
        for hint in inner.hints {
            error = error.hint(hint);
        }
        if let Some(name) = &inner.name {
            let known = home.names();
            error = error.did_you_mean(name, known.iter().map(|n| &**n));
        }
        error
    }
}

impl From<Error> for Fault {
    /// An error of the outside (a file that cannot be read) as a fault of the template.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unknown => ErrorKind::Unknown,
            ErrorKind::Undefined => ErrorKind::Undefined,
            _ => ErrorKind::Template,
        };
        let mut fault = Self::new(kind, error.message());
        for hint in error.hints() {
            fault = fault.hint(hint.clone());
        }
        fault
    }
}
