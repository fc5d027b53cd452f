//! Evaluates expressions.

use super::call::{Call, Function, Params};
use super::ctx::Ctx;
use super::exec::Exec;
use super::fault::{Fault, Res};
use super::program::{Arg, Compare, Const, Expr, Kind, Program};
use super::scope::Scope;
use super::val::{Args, Val, ValMap};
use super::{access, finish, globals, methods, ops};
use crate::error::ErrorKind;
use std::sync::Arc;

/// Name under which the input of a `{% filter %}` block is in scope; no template can write it.
pub(super) const INPUT: &str = "\0input";

/// Runs a whole program.
pub(super) fn run(ctx: &Ctx, program: &Program, scope: &Scope) -> Res<Val> {
    if let [super::program::Node::Print(expr)] = &program.body[..] {
        return self::expr(ctx, scope, expr);
    }
    let parts = Exec::new(ctx).program(program, scope)?;
    finish::concat(ctx, parts)
}

/// Evaluates an expression; what goes wrong is told with its place.
pub(super) fn expr(ctx: &Ctx, scope: &Scope, expr: &Expr) -> Res<Val> {
    let _guard = ctx.descend()?;
    match evaluate(ctx, scope, expr) {
        Ok(Val::Missing(fault)) => Ok(Val::Missing(fault.at(|| ctx.place(expr.at)))),
        Ok(value) => Ok(value),
        Err(fault) => Err(fault.at(|| ctx.place(expr.at))),
    }
}

fn evaluate(ctx: &Ctx, scope: &Scope, expr: &Expr) -> Res<Val> {
    let eval = |e: &Expr| self::expr(ctx, scope, e);
    let all = |es: &[Expr]| es.iter().map(&eval).collect::<Res<Vec<_>>>();
    Ok(match &expr.kind {
        Kind::Const(c) => constant(c),
        Kind::Embedded(text) => embedded(ctx, text),
        Kind::Input => scope.get(INPUT).unwrap_or(Val::Null),
        Kind::Name(name) => self::name(ctx, scope, name),
        Kind::List(items) => Val::list(all(items)?),
        Kind::Tuple(items) => Val::Tuple(all(items)?.into()),
        Kind::Map(pairs) => {
            let mut map = ValMap::with_capacity(pairs.len());
            for (key, value) in pairs {
                map.insert(eval(key)?.to_key()?, eval(value)?);
            }
            Val::map(map)
        }
        Kind::Attr(value, name) => access::attribute(ctx, &eval(value)?, name)?,
        Kind::Item(value, key) => access::item(ctx, &eval(value)?, &eval(key)?)?,
        Kind::Slice(parts) => {
            let part = |i: usize| parts[i].as_ref().map(&eval).transpose();
            let value = part(0)?.unwrap_or(Val::Null);
            access::slice(ctx, &value, [part(1)?, part(2)?, part(3)?])?
        }
        Kind::Not(value) => Val::Bool(!ops::truth(ctx, &eval(value)?)?),
        Kind::Negative(value) => ops::negative(&eval(value)?)?,
        Kind::And(a, b) => {
            let a = eval(a)?;
            if ops::truth(ctx, &a)? { eval(b)? } else { a }
        }
        Kind::Or(a, b) => {
            let a = eval(a)?;
            if ops::truth(ctx, &a)? { a } else { eval(b)? }
        }
        Kind::Binary(op, a, b) => ops::binary(ctx, *op, &eval(a)?, &eval(b)?)?,
        Kind::Compare(first, links) => Val::Bool(chain(ctx, eval(first)?, links, &eval)?),
        Kind::If(test, yes, no) => match (ops::truth(ctx, &eval(test)?)?, no) {
            (true, _) => eval(yes)?,
            (false, Some(no)) => eval(no)?,
            (false, None) => Val::Missing(Fault::no_else()),
        },
        Kind::Filter(filter, input, args) => {
            let input = eval(input)?;
            let args = self::args(ctx, scope, args)?;
            if !filter.markers && input.is_marker() {
                return Ok(input);
            }
            guarded(
                ctx,
                "filter",
                filter.name,
                filter.markers,
                || invoke(ctx, filter.params, filter.run, Some(input), args.clone()),
                &args,
            )
        }
        Kind::Test(test, input, args) => {
            let input = eval(input)?;
            let args = self::args(ctx, scope, args)?;
            if !test.markers && input.is_marker() {
                return Ok(input);
            }
            guarded(
                ctx,
                "test",
                test.name,
                test.markers,
                || {
                    let result = invoke(ctx, test.params, test.run, Some(input), args.clone())?;
                    Ok(Val::Bool(ops::truth(ctx, &result)?))
                },
                &args,
            )
        }
        Kind::Call(callee, args) => {
            let callee_value = eval(callee)?;
            let args = if is_lookup(callee) {
                let mut terms = ctx.in_home(&ctx.home);
                terms.embedded = true;
                self::args(&terms, scope, args)?
            } else {
                self::args(ctx, scope, args)?
            };
            deferred(call(ctx, &callee_value, args))
        }
        Kind::Method(value, name, args) => {
            let value = eval(value)?;
            let args = self::args(ctx, scope, args)?;
            deferred(method(ctx, &value, name, args))
        }
    })
}

fn is_lookup(callee: &Expr) -> bool {
    matches!(&callee.kind, Kind::Name(n) if matches!(&**n, "lookup" | "query" | "q"))
}

pub(super) fn constant(c: &Const) -> Val {
    match c {
        Const::Null => Val::Null,
        Const::Bool(b) => Val::Bool(*b),
        Const::Int(i) => Val::Int(*i),
        Const::Float(f) => Val::Float(*f),
        Const::Str(s) => Val::Str(Arc::clone(s)),
    }
}

/// A constant with markers is text, except in conditions and in the terms of lookups.
fn embedded(ctx: &Ctx, text: &Arc<str>) -> Val {
    if !ctx.embedded {
        return Val::Str(Arc::clone(text));
    }
    let template = crate::value::TemplateText {
        text: Arc::clone(text),
        span: ctx.span.clone(),
    };
    ctx.nested(&Arc::new(template), &ctx.home)
}

fn name(ctx: &Ctx, scope: &Scope, name: &Arc<str>) -> Val {
    scope
        .get(name)
        .or_else(|| ctx.variable(name))
        .or_else(|| globals::find(name))
        .unwrap_or_else(|| Val::Missing(Fault::no_variable(name)))
}

fn chain(
    ctx: &Ctx,
    first: Val,
    links: &[(Compare, Expr)],
    eval: &dyn Fn(&Expr) -> Res<Val>,
) -> Res<bool> {
    let mut left = first;
    for (op, right) in links {
        let right = eval(right)?;
        if !ops::compare(ctx, *op, &left, &right)? {
            return Ok(false);
        }
        left = right;
    }
    Ok(true)
}

/// Evaluates the arguments of a call.
pub(super) fn args(ctx: &Ctx, scope: &Scope, args: &[Arg]) -> Res<Args> {
    let mut out = Args::default();
    for arg in args {
        match arg {
            Arg::Pos(e) => out.pos.push(expr(ctx, scope, e)?),
            Arg::Named(name, e) => out.named.push((Arc::clone(name), expr(ctx, scope, e)?)),
            Arg::Splat(e) => out.pos.extend(access::iterate(ctx, &expr(ctx, scope, e)?)?),
            Arg::NamedSplat(e) => {
                let value = expr(ctx, scope, e)?;
                for (key, value) in access::entries(ctx, &value)?.unwrap_or_default() {
                    out.named.push((key.to_string().into(), value));
                }
            }
        }
    }
    Ok(out)
}

/// Binds and runs.
pub(super) fn invoke(
    ctx: &Ctx,
    params: Params,
    run: Function,
    input: Option<Val>,
    args: Args,
) -> Res<Val> {
    run(&Call::bind(ctx, params, input, args)?)
}

/// Runs a filter or test unless an argument is a marker, which then is the result.
fn guarded(
    _ctx: &Ctx,
    what: &str,
    name: &str,
    takes_markers: bool,
    run: impl FnOnce() -> Res<Val>,
    args: &Args,
) -> Val {
    if !takes_markers && let Some(marker) = args.marker() {
        return marker.clone();
    }
    deferred(run().map_err(|f| f.context(format_args!("the {what} `{name}` failed"))))
}

/// A failure becomes a value: `default` may still replace it.
pub(super) fn deferred(result: Res<Val>) -> Val {
    match result {
        Ok(value) => value,
        Err(fault) if fault.kind() == ErrorKind::Unknown => Val::Unknown(fault.message().into()),
        Err(fault) => Val::Missing(fault),
    }
}

/// Calls a function, a macro or another thing that can be called.
pub(super) fn call(ctx: &Ctx, callee: &Val, args: Args) -> Res<Val> {
    if callee.is_marker() {
        return Ok(callee.clone());
    }
    if let Val::Object(object) = callee
        && let Some(result) = object.call(ctx, args)
    {
        return result;
    }
    Err(Fault::error(format!(
        "'{}' object is not callable",
        callee.type_name()
    )))
}

fn method(ctx: &Ctx, value: &Val, name: &Arc<str>, args: Args) -> Res<Val> {
    if value.is_marker() {
        return Ok(value.clone());
    }
    if let Some(marker) = args.marker() {
        return Ok(marker.clone());
    }
    if let Some(result) = methods::call(ctx, value, name, &args) {
        return result.map_err(|f| f.context(format_args!("`{name}()` failed")));
    }
    let attribute = access::attribute(ctx, value, name)?;
    call(ctx, &attribute, args)
}
