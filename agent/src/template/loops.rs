//! The variable `loop`.

use super::access;
use super::ctx::Ctx;
use super::exec::Exec;
use super::fault::{Fault, Res};
use super::finish;
use super::ops;
use super::program::For;
use super::scope::{Home, Scope};
use super::val::{Args, Object, Val};
use crate::source::Span;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// What `loop` says of the loop it is in.
#[derive(Debug)]
pub(super) struct Loop {
    items: Vec<Val>,
    /// Index of the current item plus one; zero before the first.
    turn: Cell<usize>,
    depth: usize,
    last_seen: RefCell<Option<Vec<Val>>>,
    node: Arc<For>,
    scope: Scope,
    home: Home,
    text: Arc<str>,
    span: Option<Span>,
}

impl Loop {
    pub fn new(ctx: &Ctx, node: &Arc<For>, scope: &Scope, items: Vec<Val>, depth: usize) -> Self {
        Self {
            items,
            turn: Cell::new(0),
            depth,
            last_seen: RefCell::default(),
            node: Arc::clone(node),
            scope: scope.clone(),
            home: Arc::clone(&ctx.home),
            text: Arc::clone(&ctx.text),
            span: ctx.span.clone(),
        }
    }

    /// Moves on to the next item.
    pub fn next(&self) -> Option<Val> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        self.items.get(turn).cloned()
    }

    fn neighbour(&self, index: Option<usize>, what: &str) -> Val {
        index
            .and_then(|i| self.items.get(i).cloned())
            .unwrap_or_else(|| Val::Missing(Fault::undefined(format!("there is no {what} item"))))
    }

    fn cycle(&self, args: &Args) -> Res<Val> {
        if args.pos.is_empty() {
            return Err(Fault::error("no items for cycling given"));
        }
        let index = (self.turn.get() - 1) % args.pos.len();
        Ok(args.pos[index].clone())
    }

    fn changed(&self, ctx: &Ctx, args: &Args) -> Res<Val> {
        let mut last = self.last_seen.borrow_mut();
        let same = match &*last {
            Some(seen) if seen.len() == args.pos.len() => {
                let mut same = true;
                for (a, b) in seen.iter().zip(&args.pos) {
                    same = same && ops::equal(ctx, a, b)?;
                }
                same
            }
            _ => false,
        };
        *last = Some(args.pos.clone());
        Ok(Val::Bool(!same))
    }
}

impl Object for Loop {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }

    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        let len = self.items.len();
        let index = self.turn.get().max(1) - 1;
        Ok(Some(match name {
            "index" => Val::from(index + 1),
            "index0" => Val::from(index),
            "revindex" => Val::from(len - index),
            "revindex0" => Val::from(len - index - 1),
            "first" => Val::Bool(index == 0),
            "last" => Val::Bool(index + 1 == len),
            "length" => Val::from(len),
            "depth" => Val::from(self.depth + 1),
            "depth0" => Val::from(self.depth),
            "previtem" => self.neighbour(index.checked_sub(1), "previous"),
            "nextitem" => self.neighbour(Some(index + 1), "next"),
            _ => return Ok(None),
        }))
    }

    fn method(&self, ctx: &Ctx, name: &str, args: &Args) -> Option<Res<Val>> {
        match name {
            "cycle" => Some(self.cycle(args)),
            "changed" => Some(self.changed(ctx, args)),
            _ => None,
        }
    }

    /// `loop(children)` in a recursive loop.
    fn call(&self, ctx: &Ctx, args: Args) -> Option<Res<Val>> {
        if !self.node.recursive {
            return Some(Err(Fault::error(
                "the loop must have the `recursive` marker to be called",
            )));
        }
        let iter = args.pos.first().cloned().unwrap_or(Val::Null);
        let ctx = ctx.run.ctx(&self.home, &self.text, self.span.as_ref());
        let mut out = Vec::new();
        let exec = Exec::new(&ctx);
        Some(
            access::iterate(&ctx, &iter)
                .and_then(|_| {
                    exec.iterate(&self.node, &self.scope, &iter, self.depth + 1, &mut out)
                })
                .and_then(|()| finish::concat(&ctx, out))
                .map(|value| match value {
                    Val::Null => Val::from(""),
                    other => other,
                }),
        )
    }
}
