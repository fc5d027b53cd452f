//! Templates: Jinja2 as ansible-core 2.19 has it, over lazy variables.
//!
//! minijinja parses; everything after is ours, because Python's values are not minijinja's. The
//! way of a template: [`literals`] settles what backslashes mean, [`compile`] makes a [`program`]
//! with every filter and test bound, [`exec`] and [`eval`] run it over [`val`]ues that look inside
//! variables only when asked, [`finish`] makes plain data of the result.
//!
//! To add a filter: a function and a row in a family's table under `filters/`. Tests are in
//! [`predicates`], lookups under `lookups/`; documentation and "did you mean" come from the tables.

mod about;
mod access;
mod call;
mod compile;
mod ctx;
mod datetime;
mod eval;
mod exec;
mod fault;
mod files;
mod filters;
mod finish;
mod globals;
mod hostvars;
mod lipsum;
mod literals;
mod lookups;
mod loops;
mod macros;
mod methods;
mod names;
mod ops;
mod outside;
mod place;
mod predicates;
mod program;
mod scope;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
pub mod used;
mod val;

pub use files::FileOptions;
pub use outside::{
    AskAws, AwsFound, AwsSecret, Clock, Entry, EntryKind, Fetch, Nowhere, Outside, Piped,
};
pub use scope::Variables;

use crate::error::{Error, ErrorKind, Result};
use crate::source::{SourceFile, Span};
use crate::value::{Map, TemplateText, Value};
use ctx::Run;
use fault::{Fault, Res};
use literals::Backslash;
use program::Program;
use scope::{Home, Scope};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use syntax::Syntax;
use val::Val;

/// Evaluates templates. One per run, shared by threads; compiled templates are kept by their text.
#[derive(Debug)]
pub struct Templar {
    outside: Arc<dyn Outside>,
    compat: bool,
    tells_of_untrusted: bool,
    templates: Cache<Arc<str>>,
    expressions: Cache<Arc<str>>,
    conditions: Cache<Arc<str>>,
    files: Cache<(Arc<str>, Syntax, bool)>,
}

type Cache<K> = RwLock<HashMap<K, Arc<Program>>>;

/// A filter, test or lookup, for documentation.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// Its name.
    pub name: &'static str,
    /// Its parameters in order; the first of a filter or test is the value it is applied to.
    pub params: &'static [&'static str],
    /// What it does, in a sentence.
    pub text: &'static str,
}

/// Every filter, in the order of the tables.
pub fn filter_docs() -> impl Iterator<Item = Doc> {
    filters::docs()
}

/// Every test.
pub fn test_docs() -> impl Iterator<Item = Doc> {
    predicates::docs()
}

/// Every lookup.
pub fn lookup_docs() -> impl Iterator<Item = Doc> {
    lookups::docs()
}

/// The functions that every template has, by name.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    globals::names()
}

impl Templar {
    /// A templar whose lookups reach `outside`.
    pub fn new(outside: Arc<dyn Outside>) -> Self {
        Self {
            tells_of_untrusted: outside.tells_of_untrusted(),
            outside,
            compat: false,
            templates: Cache::default(),
            expressions: Cache::default(),
            conditions: Cache::default(),
            files: Cache::default(),
        }
    }

    /// Warns of text that looks like a template and is none, where the user asked for that.
    fn tell_of_untrusted(&self, text: &str) {
        if self.tells_of_untrusted && crate::value::has_markers(text) {
            self.outside.warn(&format!(
                "Encountered untrusted template or expression: {text}"
            ));
        }
    }

    /// With `compat`, conditions may be of any type, as ansible-core up to 2.18 allowed.
    #[must_use]
    pub fn with_compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    /// Compiles only: tells of syntax errors and unknown filters, tests and lookups.
    ///
    /// # Errors
    /// With the place of the offending token where it can be found.
    pub fn check(&self, text: &str, span: Option<&Span>) -> Result<()> {
        let compiled = self.template_program(&text.into());
        compiled.map(drop).map_err(|f| in_file(f, span))
    }

    /// As [`Templar::check`], for an expression without braces.
    ///
    /// # Errors
    /// As [`Templar::check`].
    pub fn check_condition(&self, expr: &str, span: Option<&Span>) -> Result<()> {
        if whole_template(expr) {
            return self.check(expr.trim(), span);
        }
        let compiled = self.condition_program(&expr.into());
        compiled.map(drop).map_err(|f| in_file(f, span))
    }

    /// Evaluates every template inside, deeply. A template that is one `{{ … }}` keeps the type of
    /// its result. Entries and items that resolve to `omit` are left out; a lone `omit` is
    /// [`Value::Omit`].
    ///
    /// # Errors
    /// When a template fails, uses something undefined, or gives what check mode cannot know.
    pub fn resolve(&self, value: &Value, vars: &Arc<dyn Variables>) -> Result<Value> {
        match value {
            Value::List(_) | Value::Map(_) | Value::Template(_) => {
                self.resolve_in(&Run::new(self, vars), value, vars)
            }
            plain => Ok(plain.clone()),
        }
    }

    fn resolve_in(&self, run: &Run, value: &Value, vars: &Home) -> Result<Value> {
        Ok(match value {
            Value::Template(t) => self.resolve_text(run, t, vars)?,
            Value::List(l) if value.any(&needs_work) => {
                let mut items = Vec::with_capacity(l.len());
                for item in l.iter() {
                    match self.resolve_in(run, item, vars)? {
                        Value::Omit => {}
                        item => items.push(item),
                    }
                }
                Value::list(items)
            }
            Value::Map(m) if value.any(&needs_work) => {
                let mut map = Map::with_capacity(m.len());
                for (key, item) in m.iter() {
                    match self.resolve_in(run, item, vars)? {
                        Value::Omit => {}
                        item => drop(map.insert(key.clone(), item)),
                    }
                }
                Value::map(map)
            }
            plain => plain.clone(),
        })
    }

    fn resolve_text(&self, run: &Run, text: &Arc<TemplateText>, vars: &Home) -> Result<Value> {
        let ctx = run.ctx(vars, &text.text, text.span.as_ref());
        finish::value(&ctx, &ctx.nested(text, vars))
            .map_err(|f| f.at(|| ctx.place(0)).into_error(vars))
    }

    /// A value as Python prints it: `True`, `None`, `[1, 'a']`. Templates inside are not evaluated.
    #[must_use]
    pub fn text(&self, value: &Value) -> String {
        let home: Home = Arc::new(NoVariables);
        let run = Run::new(self, &home);
        let ctx = run.ctx(&home, &"".into(), None);
        let plain = filters::inert(value);
        match text::to_text(&ctx, &ctx.lift(&plain, &home)) {
            Ok(text) => text,
            // What check mode does not know has no text.
            Err(fault) => fault.message().to_owned(),
        }
    }

    /// A condition: `when`, `until`, `failed_when`, `changed_when`, `assert.that`. Its result must
    /// be a boolean, unless the templar is in `compat` mode.
    ///
    /// # Errors
    /// As [`Templar::resolve`], and when the result is not a boolean.
    pub fn condition(
        &self,
        expr: &Value,
        span: Option<&Span>,
        vars: &Arc<dyn Variables>,
    ) -> Result<bool> {
        let (text, span) = match expr {
            Value::Bool(b) => return Ok(*b),
            // Braces that are no template: somebody marked them `!unsafe`.
            Value::Str(s) if crate::value::has_markers(s) => return self.untrusted(s, s, span),
            Value::Str(s) => (Arc::clone(s), span),
            Value::Template(t) => (Arc::clone(&t.text), t.span.as_ref().or(span)),
            Value::Unknown(why) => return Err(Error::unknown(why.to_string())),
            Value::Null if self.compat => return Ok(true),
            other if self.compat => return Ok(other.is_truthy()),
            other => {
                return Err(Error::new(
                    ErrorKind::Template,
                    format!(
                        "Conditional expressions must be strings, not {}",
                        other.type_name()
                    ),
                )
                .at_opt(span));
            }
        };
        if text.trim().is_empty() {
            if self.compat {
                return Ok(true);
            }
            return Err(Error::new(
                ErrorKind::Template,
                "Empty conditional expressions are not allowed",
            )
            .at_opt(span));
        }
        if whole_template(&text) {
            match self.written(&text, vars) {
                // A variable of the playbook that holds an expression.
                Some(inner @ Value::Str(_)) => return self.condition(&inner, span, vars),
                Some(Value::Template(inner)) if *inner.text != *text => {
                    return self.condition(&Value::Template(inner), span, vars);
                }
                _ => {}
            }
            let template = TemplateText {
                text: text.trim().into(),
                span: span.cloned(),
            };
            let value = self.resolve(&Value::Template(Arc::new(template)), vars)?;
            return match &value {
                Value::Str(s) if !matches!(&**s, "True" | "true" | "False" | "false") => {
                    self.untrusted(s, &text, span)
                }
                _ => self.boolean(value, &text, span),
            };
        }
        let program = self.condition_program(&text).map_err(|f| {
            // The commonest slip: braces where the whole is an expression already.
            let f = if text.contains("{{") {
                f.hint("a condition is an expression: write it without `{{ }}`")
            } else {
                f
            };
            in_file(f, span)
        })?;
        self.boolean(
            self.run_expression(&program, span, vars, true)?,
            &text,
            span,
        )
    }

    fn boolean(&self, value: Value, text: &str, span: Option<&Span>) -> Result<bool> {
        match &value {
            Value::Bool(b) => return Ok(*b),
            // A template of several parts gives text; that of a truth value is one still.
            Value::Str(s) if matches!(&**s, "True" | "true") => return Ok(true),
            Value::Str(s) if matches!(&**s, "False" | "false") => return Ok(false),
            other if self.compat => return Ok(other.is_truthy()),
            _ => {}
        }
        let text = text.trim();
        let how = match &value {
            Value::List(_) | Value::Map(_) | Value::Str(_) => {
                format!("write `{text} | length > 0` to ask whether it is empty")
            }
            Value::Int(_) | Value::Float(_) => format!("write `{text} != 0` to ask about zero"),
            Value::Null => format!("write `{text} is not none`"),
            _ => format!("write `{text} | bool`"),
        };
        Err(Error::new(
            ErrorKind::Template,
            format!(
                "Conditional result ({}) was derived from value of type '{}': `{text}`. Conditionals must have a boolean result.",
                if value.is_truthy() { "True" } else { "False" },
                match value.type_name() {
                    "null" => "NoneType",
                    name => name,
                }
            ),
        )
        .at_opt(span)
        .hint(how))
    }

    /// A template gave text where a truth value is needed. It is not evaluated: nobody knows who
    /// wrote it.
    fn untrusted(&self, given: &str, text: &str, span: Option<&Span>) -> Result<bool> {
        if self.compat {
            return Ok(!given.is_empty());
        }
        Err(Error::new(
            ErrorKind::Template,
            format!("Encountered untrusted template or expression: `{text}` gave the text `{given}`, which is not evaluated"),
        )
        .at_opt(span)
        .hint("write the expression itself, without `{{ }}` and quotes around it"))
    }

    /// What the playbook wrote in the variable that a template consists of: `{{ name }}`, or a part
    /// of it by names: `{{ item.when }}`.
    #[must_use]
    pub fn written(&self, text: &str, vars: &Arc<dyn Variables>) -> Option<Value> {
        let path = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        let is_name =
            |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let names: Vec<&str> = path.split('.').collect();
        let (first, rest) = names.split_first()?;
        if !names.iter().all(is_name) {
            return None;
        }
        rest.iter()
            .try_fold(vars.written(first)?, |value, name| value.get(name).cloned())
    }

    /// Evaluates an expression without braces, as the `debug` module's `var` has it.
    ///
    /// # Errors
    /// As [`Templar::resolve`].
    pub fn expression(
        &self,
        expr: &str,
        span: Option<&Span>,
        vars: &Arc<dyn Variables>,
    ) -> Result<Value> {
        let program = cached(&self.expressions, expr.into(), |text| {
            compile::expression(text, Backslash::Verbatim)
        });
        let program = program.map_err(|f| in_file(f, span))?;
        self.run_expression(&program, span, vars, false)
    }

    /// What `with_LOOKUP: terms` loops over. `action` is what the task does.
    ///
    /// # Errors
    /// As [`Templar::resolve`].
    pub fn with_lookup(
        &self,
        lookup: &str,
        terms: &Value,
        action: &str,
        span: Option<&Span>,
        vars: &Arc<dyn Variables>,
    ) -> Result<Vec<Value>> {
        let run = Run::new(self, vars);
        let ctx = run.ctx(vars, &"".into(), None);
        let find = || -> Res<Value> {
            let terms = match ctx.lift(terms, vars).usable()? {
                Val::List(list) => list.items(&ctx),
                Val::Tuple(items) => items.to_vec(),
                single => vec![single.clone()],
            };
            // What check mode does not know is told before a lookup could stumble over it.
            for term in &terms {
                if let Val::Unknown(why) = term {
                    return Err(Fault::unknown(why));
                }
            }
            finish::value(&ctx, &lookups::with(&ctx, lookup, terms, action)?)
        };
        let found = find().map_err(|f| f.into_error(vars).at_opt(span))?;
        Ok(found.as_list().unwrap_or_default().to_vec())
    }

    fn run_expression(
        &self,
        program: &Program,
        span: Option<&Span>,
        vars: &Home,
        embedded: bool,
    ) -> Result<Value> {
        let run = Run::new(self, vars);
        let mut ctx = run.ctx(vars, &program.text, span);
        ctx.embedded = embedded;
        let result = eval::run(&ctx, program, &Scope::default());
        result
            .and_then(|value| finish::value(&ctx, &value))
            .map_err(|f| f.at(|| ctx.place(0)).into_error(vars))
    }

    /// Renders a whole file, as the `template` module does. A `#jinja2:` line at its start
    /// overrides `options`.
    ///
    /// # Errors
    /// As [`Templar::resolve`], with the place in the file.
    pub fn render_file(
        &self,
        source: &Arc<SourceFile>,
        options: &FileOptions,
        vars: &Arc<dyn Variables>,
    ) -> Result<String> {
        self.with_file(source, options, vars, |ctx, program, options| {
            let value = match eval::run(ctx, program, &Scope::default())?.usable()? {
                Val::Null | Val::Omit => Val::from(""),
                value => value.clone(),
            };
            let mut out = text::to_text(ctx, &value)?;
            let has = out.len() - out.trim_end_matches('\n').len();
            if options.keep_trailing_newline && has < program.newlines {
                out.push_str(&"\n".repeat(program.newlines - has));
            }
            if options.newline_sequence != "\n" {
                out = out
                    .replace("\r\n", "\n")
                    .replace('\n', &options.newline_sequence);
            }
            Ok(out)
        })
    }

    /// As [`Templar::render_file`], but a file that is one `{{ … }}` keeps the type of its result.
    ///
    /// # Errors
    /// As [`Templar::render_file`].
    pub fn file_value(
        &self,
        source: &Arc<SourceFile>,
        options: &FileOptions,
        vars: &Arc<dyn Variables>,
    ) -> Result<Value> {
        self.with_file(source, options, vars, |ctx, program, _| {
            finish::value(ctx, &ctx.render(program)?)
        })
    }

    fn with_file<T>(
        &self,
        source: &Arc<SourceFile>,
        options: &FileOptions,
        vars: &Home,
        run: impl FnOnce(&ctx::Ctx, &Program, &FileOptions) -> Res<T>,
    ) -> Result<T> {
        let start = Span::new(source, 1, 1, 1);
        let mut options = options.clone();
        let text: Arc<str> = options
            .header(&source.text)
            .map_err(|f| f.into_error(vars).at(&start))?
            .into();
        // The place of line 1 of the text is line 2 of the file when a header went before it.
        let first = if text.len() < source.text.len() { 2 } else { 1 };
        let start = Span::new(source, first, 1, 1);
        let mode = if options.escape_backslashes {
            Backslash::Verbatim
        } else {
            Backslash::Escape
        };
        let program = self
            .file_program(&text, &options.syntax(), mode)
            .map_err(|f| in_file(f, Some(&start)))?;
        let of_file = Run::of_file(self, vars, &options);
        let ctx = of_file.ctx(vars, &text, Some(&start));
        run(&ctx, &program, &options).map_err(|f| f.at(|| ctx.place(0)).into_error(vars))
    }

    fn template_program(&self, text: &Arc<str>) -> Res<Arc<Program>> {
        cached(&self.templates, Arc::clone(text), |text| {
            let Some(rest) = text.strip_prefix("#jinja2:") else {
                return compile::template(text, &Syntax::default(), Backslash::Verbatim);
            };
            let mut options = FileOptions::default();
            let rest: Arc<str> = match options.header(text) {
                Ok(rest) => rest.into(),
                Err(fault) => return Err(fault.at_offset(text, text.len() - rest.len())),
            };
            compile::template(&rest, &options.syntax(), Backslash::Verbatim)
        })
    }

    fn condition_program(&self, text: &Arc<str>) -> Res<Arc<Program>> {
        cached(&self.conditions, Arc::clone(text), |text| {
            compile::expression(text, Backslash::Escape)
        })
    }

    fn file_program(&self, text: &Arc<str>, syntax: &Syntax, mode: Backslash) -> Res<Arc<Program>> {
        let key = (
            Arc::clone(text),
            syntax.clone(),
            mode == Backslash::Verbatim,
        );
        cached(&self.files, key, |_| compile::template(text, syntax, mode))
    }
}

fn needs_work(value: &Value) -> bool {
    matches!(value, Value::Template(_) | Value::Omit)
}

/// Whether a condition is one template as a whole: `{{ … }}`.
fn whole_template(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}") || text.starts_with("{%")
}

/// The compiled form, from the cache if it is there.
fn cached<K: std::hash::Hash + Eq>(
    cache: &Cache<K>,
    key: K,
    compile: impl FnOnce(&K) -> Res<Program>,
) -> Res<Arc<Program>> {
    // A thread that panicked while it held the lock left a whole map behind: entries are inserted
    // in one step.
    let read = cache.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = read.get(&key) {
        return Ok(Arc::clone(program));
    }
    drop(read);
    let program = Arc::new(compile(&key)?);
    let mut write = cache.write().unwrap_or_else(PoisonError::into_inner);
    Ok(Arc::clone(write.entry(key).or_insert(program)))
}

/// For errors and texts that have no variables around them.
#[derive(Debug)]
struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<Value> {
        None
    }
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// An error of compilation with its place.
fn in_file(fault: Fault, span: Option<&Span>) -> Error {
    let home: Home = Arc::new(NoVariables);
    fault.in_file(span).into_error(&home)
}
