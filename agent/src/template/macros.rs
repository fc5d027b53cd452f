//! Macros, the callers of `{% call %}`, and imported templates.

use super::ctx::Ctx;
use super::eval;
use super::exec::Exec;
use super::fault::{Fault, Res};
use super::finish;
use super::program::Macro;
use super::scope::{Home, Scope};
use super::val::{Args, Object, Val, ValMap};
use crate::source::Span;
use crate::value::Key;
use std::sync::Arc;

/// Macros may call each other this deep.
const MAX_DEPTH: usize = 60;

/// A macro, with the names it can see and the text it was written in.
#[derive(Debug)]
pub(super) struct MacroObject {
    code: Arc<Macro>,
    scope: Scope,
    home: Home,
    text: Arc<str>,
    span: Option<Span>,
}

impl MacroObject {
    pub fn new(ctx: &Ctx, code: &Arc<Macro>, scope: &Scope) -> Self {
        Self {
            code: Arc::clone(code),
            scope: scope.clone(),
            home: Arc::clone(&ctx.home),
            text: Arc::clone(&ctx.text),
            span: ctx.span.clone(),
        }
    }

    fn run(&self, ctx: &Ctx, args: Args) -> Res<Val> {
        let _depth = ctx
            .run
            .enter(MAX_DEPTH, "macros call each other too deep")?;
        let ctx = ctx.run.ctx(&self.home, &self.text, self.span.as_ref());
        let scope = self.scope.inner();
        self.bind(&ctx, &scope, args)?;
        let mut out = Vec::new();
        Exec::new(&ctx).nodes(&self.code.body, &scope, &mut out)?;
        let value = finish::concat(&ctx, out)?;
        Ok(match value {
            Val::Null => Val::from(""),
            other => other,
        })
    }

    fn bind(&self, ctx: &Ctx, scope: &Scope, args: Args) -> Res<()> {
        let mut named = args.named;
        let mut pos = args.pos.into_iter();
        for (name, default) in &self.code.params {
            let by_name = named.iter().position(|(n, _)| n == name);
            let value = match (pos.next(), by_name) {
                (Some(value), None) => value,
                (None, Some(i)) => named.remove(i).1,
                (Some(_), Some(_)) => {
                    return Err(Fault::error(format!(
                        "macro '{}' got multiple values for argument '{name}'",
                        self.code.name
                    )));
                }
                (None, None) => match default {
                    Some(default) => eval::expr(ctx, scope, default)?,
                    None => Val::Missing(Fault::undefined(format!(
                        "parameter '{name}' was not provided"
                    ))),
                },
            };
            scope.set(name, value);
        }
        if let Some(i) = named.iter().position(|(n, _)| &**n == "caller") {
            let (name, value) = named.remove(i);
            scope.set(&name, value);
        }
        scope.set(&"varargs".into(), Val::Tuple(pos.collect()));
        let kwargs: ValMap = named.into_iter().map(|(k, v)| (Key::Str(k), v)).collect();
        scope.set(&"kwargs".into(), Val::map(kwargs));
        Ok(())
    }
}

impl Object for MacroObject {
    fn type_name(&self) -> &'static str {
        "Macro"
    }

    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok(match name {
            "name" => Some(Val::Str(Arc::clone(&self.code.name))),
            "arguments" => Some(Val::Tuple(
                self.code
                    .params
                    .iter()
                    .map(|(n, _)| Val::Str(Arc::clone(n)))
                    .collect(),
            )),
            _ => None,
        })
    }

    fn call(&self, ctx: &Ctx, args: Args) -> Option<Res<Val>> {
        Some(self.run(ctx, args))
    }
}

/// A template brought in by `{% import %}`: the names it set, and what it printed.
#[derive(Debug)]
pub(super) struct Module {
    scope: Scope,
    text: Val,
}

impl Module {
    pub fn new(scope: Scope, text: Val) -> Self {
        Self { scope, text }
    }
}

impl Object for Module {
    fn type_name(&self) -> &'static str {
        "TemplateModule"
    }

    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        if name.starts_with('_') {
            return Ok(None);
        }
        let own = self.scope.own();
        Ok(own.into_iter().find(|(n, _)| **n == *name).map(|(_, v)| v))
    }

    fn text(&self) -> String {
        self.text.as_str().unwrap_or_default().to_owned()
    }

    fn plain(&self, _ctx: &Ctx) -> Option<Val> {
        Some(self.text.clone())
    }
}
