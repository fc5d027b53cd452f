//! What an evaluation carries with it: the run, the variables in sight, the place in the file.

use super::fault::{Fault, Place, Res};
use super::program::Program;
use super::scope::{Home, Rings, Scope};
use super::syntax::Syntax;
use super::val::{Dict, List, Val};
use super::{FileOptions, Outside, Templar, eval, finish};
use crate::error::ErrorKind;
use crate::source::Span;
use crate::value::{TemplateText, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Templates inside templates may nest this deep; beyond, they are taken for a loop.
const MAX_DEPTH: u32 = 60;

/// One call of the templar, with everything it evaluates on the way.
pub(super) struct Run<'t> {
    pub templar: &'t Templar,
    /// Templates being evaluated, innermost last, to see a variable that needs itself.
    stack: RefCell<Vec<(*const TemplateText, *const ())>>,
    /// Variables of `root` that were evaluated once in this run already.
    seen: RefCell<HashMap<Arc<str>, Val>>,
    root: Home,
    depth: Cell<u32>,
    nested_calls: Cell<usize>,
    nested_exprs: Cell<usize>,
    /// Where included templates are looked for first, and how they are read.
    pub search: Vec<PathBuf>,
    pub syntax: Syntax,
    /// Texts of which it is known where they came from; they are told by their address.
    origins: RefCell<Vec<(Arc<str>, String)>>,
    pub rings: Rings,
}

/// Expressions may nest this deep, the variables they use included: the stack is finite.
const MAX_NESTING: usize = 500;

/// What an evaluation carries with it.
pub(super) struct Ctx<'t> {
    pub run: &'t Run<'t>,
    pub home: Home,
    /// The text being evaluated, and where it was written.
    pub text: Arc<str>,
    pub span: Option<Span>,
    /// Whether constants that hold markers are evaluated (in conditions they are).
    pub embedded: bool,
}

/// Ends the counting of a call.
pub(super) struct Guard<'r>(&'r Cell<usize>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<'t> Run<'t> {
    pub fn new(templar: &'t Templar, root: &Home) -> Self {
        Self {
            templar,
            root: Arc::clone(root),
            stack: RefCell::default(),
            seen: RefCell::default(),
            depth: Cell::new(0),
            nested_calls: Cell::new(0),
            nested_exprs: Cell::new(0),
            search: Vec::new(),
            syntax: Syntax::default(),
            origins: RefCell::default(),
            rings: Rings::default(),
        }
    }

    /// A text with the place it came from.
    pub fn with_origin(&self, text: String, origin: String) -> Val {
        let text: Arc<str> = text.into();
        self.origins.borrow_mut().push((Arc::clone(&text), origin));
        Val::Str(text)
    }

    /// Where a text came from, if that is known. Only the very text counts, not an equal one.
    pub fn origin(&self, text: &Arc<str>) -> Option<String> {
        let origins = self.origins.borrow();
        let found = origins.iter().find(|(known, _)| Arc::ptr_eq(known, text));
        found.map(|(_, origin)| origin.clone())
    }

    /// A run for a file, whose rules its includes share.
    pub fn of_file(templar: &'t Templar, root: &Home, options: &FileOptions) -> Self {
        Self {
            search: options.search.clone(),
            syntax: options.syntax(),
            ..Self::new(templar, root)
        }
    }

    /// Counts a call for as long as the guard lives; fails with `message` beyond `max`.
    pub fn enter(&self, max: usize, message: &str) -> Res<Guard<'_>> {
        let depth = self.nested_calls.get() + 1;
        if depth > max {
            return Err(Fault::error(message));
        }
        self.nested_calls.set(depth);
        Ok(Guard(&self.nested_calls))
    }

    pub fn ctx(&'t self, home: &Home, text: &Arc<str>, span: Option<&Span>) -> Ctx<'t> {
        Ctx {
            run: self,
            home: Arc::clone(home),
            text: Arc::clone(text),
            span: span.cloned(),
            embedded: false,
        }
    }
}

fn address(home: &Home) -> *const () {
    Arc::as_ptr(home).cast()
}

impl<'t> Ctx<'t> {
    pub fn outside(&self) -> &'t dyn Outside {
        &*self.run.templar.outside
    }

    /// The same run, in sight of other variables.
    pub fn in_home(&self, home: &Home) -> Ctx<'t> {
        self.run.ctx(home, &self.text, self.span.as_ref())
    }

    /// Counts an expression for as long as the guard lives.
    pub fn descend(&self) -> Res<Guard<'t>> {
        let run: &'t Run<'t> = self.run;
        let depth = run.nested_exprs.get() + 1;
        if depth > MAX_NESTING {
            return Err(Fault::error("the expression is nested too deep"));
        }
        run.nested_exprs.set(depth);
        Ok(Guard(&run.nested_exprs))
    }

    pub fn place(&self, offset: u32) -> Place {
        Place {
            text: Arc::clone(&self.text),
            span: self.span.clone(),
            offset,
        }
    }

    /// A variable, evaluated once per run.
    pub fn variable(&self, name: &Arc<str>) -> Option<Val> {
        if &**name == "hostvars" && self.home.has_hosts() {
            return Some(super::hostvars::all());
        }
        let at_root = Arc::ptr_eq(&self.home, &self.run.root);
        if at_root && let Some(value) = self.run.seen.borrow().get(name) {
            return Some(value.clone());
        }
        let raw = self.home.get(name)?;
        let value = self.lift(&raw, &self.home);
        let keep = match &raw {
            Value::Template(_) => !value.is_marker(),
            Value::List(_) | Value::Map(_) => true,
            _ => false,
        };
        if at_root && keep {
            let name = Arc::clone(name);
            self.run.seen.borrow_mut().insert(name, value.clone());
        }
        Some(value)
    }

    /// A value as it is seen by an expression: templates are evaluated, containers wait.
    pub fn lift(&self, value: &Value, home: &Home) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Int(i) => Val::Int((*i).into()),
            Value::Float(f) => Val::Float(*f),
            Value::Str(s) => {
                self.run.templar.tell_of_untrusted(s);
                Val::Str(Arc::clone(s))
            }
            Value::Template(t) => self.nested(t, home),
            Value::List(l) => Val::List(List::lazy(l, home)),
            Value::Map(m) => Val::Map(Dict::lazy(m, home)),
            Value::Unknown(why) => Val::Unknown(Arc::clone(why)),
            Value::Omit => Val::Omit,
        }
    }

    /// A template found inside a value. Its failure is a value until somebody uses it.
    pub fn nested(&self, template: &Arc<TemplateText>, home: &Home) -> Val {
        match self.evaluate(template, home) {
            Ok(value) => value,
            Err(fault) if fault.kind() == ErrorKind::Unknown => {
                Val::Unknown(fault.message().into())
            }
            Err(fault) => Val::Missing(fault),
        }
    }

    fn evaluate(&self, template: &Arc<TemplateText>, home: &Home) -> Res<Val> {
        let key = (Arc::as_ptr(template), address(home));
        let depth = self.run.depth.get();
        if depth >= MAX_DEPTH || self.run.stack.borrow().contains(&key) {
            return Err(self.recursion(&template.text));
        }
        let inner = self.run.ctx(home, &template.text, template.span.as_ref());
        let program = self
            .run
            .templar
            .template_program(&template.text)
            .map_err(|f| inner.with_span(f))?;
        self.run.stack.borrow_mut().push(key);
        self.run.depth.set(depth + 1);
        let result = inner.render(&program);
        self.run.depth.set(depth);
        self.run.stack.borrow_mut().pop();
        result
    }

    fn recursion(&self, text: &str) -> Fault {
        Fault::error(format!(
            "recursive loop detected in template: `{}` needs its own value",
            text.trim()
        ))
    }

    /// Gives a fault of compilation, which knows only its offset, the file as well.
    pub fn with_span(&self, fault: Fault) -> Fault {
        fault.in_file(self.span.as_ref())
    }

    /// Evaluates a whole template to a value of its own type, or to text.
    pub fn render(&self, program: &Program) -> Res<Val> {
        let value = eval::run(self, program, &Scope::default())?;
        Ok(finish::with_newlines(value, program.newlines, "\n"))
    }
}
