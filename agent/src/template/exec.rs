//! Runs statements. What they print is a list of parts, joined at the end.

use super::ctx::Ctx;
use super::eval::{self, INPUT};
use super::fault::{Fault, Res};
use super::files;
use super::loops::Loop;
use super::macros::{MacroObject, Module};
use super::program::{Block, Expr, For, Kind, Node, Program};
use super::scope::Scope;
use super::val::{Object, Val};
use super::{access, finish, ops};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Where to go on after a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

/// Definitions of each block, the one that overrides first.
type Blocks = Rc<RefCell<HashMap<Arc<str>, Vec<Arc<Block>>>>>;

/// Runs statements in one context.
pub(super) struct Exec<'c, 't> {
    ctx: &'c Ctx<'t>,
    blocks: Blocks,
    /// The template that this one extends, once `{% extends %}` was met.
    parent: RefCell<Option<files::File>>,
    depth: usize,
}

impl<'c, 't> Exec<'c, 't> {
    pub fn new(ctx: &'c Ctx<'t>) -> Self {
        Self {
            ctx,
            blocks: Blocks::default(),
            parent: RefCell::default(),
            depth: 0,
        }
    }

    /// Runs a template, and the ones it extends.
    pub fn program(&self, program: &Program, scope: &Scope) -> Res<Vec<Val>> {
        for block in &program.blocks {
            let mut blocks = self.blocks.borrow_mut();
            blocks
                .entry(Arc::clone(&block.name))
                .or_default()
                .push(Arc::clone(block));
        }
        let mut out = Vec::new();
        self.nodes(&program.body, scope, &mut out)?;
        let Some(parent) = self.parent.take() else {
            return Ok(out);
        };
        if self.depth > 30 {
            return Err(Fault::error("templates extend each other in a circle"));
        }
        let ctx = parent.ctx(self.ctx);
        let above = Exec {
            ctx: &ctx,
            blocks: Rc::clone(&self.blocks),
            parent: RefCell::default(),
            depth: self.depth + 1,
        };
        above.program(&parent.program, scope)
    }

    pub fn nodes(&self, nodes: &[Node], scope: &Scope, out: &mut Vec<Val>) -> Res<Flow> {
        for node in nodes {
            let flow = self.node(node, scope, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// What a body prints, joined.
    fn captured(&self, nodes: &[Node], scope: &Scope) -> Res<Val> {
        let mut out = Vec::new();
        self.nodes(nodes, scope, &mut out)?;
        finish::concat(self.ctx, out)
    }

    fn eval(&self, scope: &Scope, expr: &Expr) -> Res<Val> {
        eval::expr(self.ctx, scope, expr)
    }

    fn node(&self, node: &Node, scope: &Scope, out: &mut Vec<Val>) -> Res<Flow> {
        match node {
            Node::Text(text) => out.push(Val::Str(Arc::clone(text))),
            Node::Print(expr) => out.push(self.eval(scope, expr)?),
            Node::For(f) => self.for_loop(f, scope, out)?,
            Node::If(test, yes, no) => {
                let taken = if ops::truth(self.ctx, &self.eval(scope, test)?)
                    .map_err(|f| f.at(|| self.ctx.place(test.at)))?
                {
                    yes
                } else {
                    no
                };
                return self.nodes(taken, scope, out);
            }
            Node::With(pairs, body) => {
                let inner = scope.inner();
                for (target, value) in pairs {
                    let value = self.eval(scope, value)?;
                    self.assign(&inner, target, value)?;
                }
                return self.nodes(body, &inner, out);
            }
            Node::Set(target, value) => {
                let value = self.eval(scope, value)?;
                self.assign(scope, target, value)?;
            }
            Node::SetBlock(target, filter, body) => {
                let mut value = self.captured(body, &scope.inner())?;
                if let Some(filter) = filter {
                    value = self.filtered(filter, scope, value)?;
                }
                // An empty block is empty text, not nothing.
                if matches!(value, Val::Null) {
                    value = Val::from("");
                }
                self.assign(scope, target, value)?;
            }
            Node::FilterBlock(filter, body) => {
                let value = self.captured(body, &scope.inner())?;
                let value = if matches!(value, Val::Null) {
                    Val::from("")
                } else {
                    value
                };
                out.push(self.filtered(filter, scope, value)?);
            }
            Node::Scoped(body) => return self.nodes(body, &scope.inner(), out),
            Node::Block(block) => return self.block(block, scope, out),
            Node::Extends(name) => {
                let file = self.file(name, scope)?;
                *self.parent.borrow_mut() = Some(file);
            }
            Node::Include(name, ignore) => self.include(name, *ignore, scope, out)?,
            Node::Import(file, name) => {
                let module = self.module(file, scope)?;
                scope.set(name, Val::Object(module));
            }
            Node::FromImport(file, names) => {
                let module = self.module(file, scope)?;
                for (name, alias) in names {
                    let value = module.attr(self.ctx, name)?.unwrap_or_else(|| {
                        Val::Missing(Fault::undefined(format!(
                            "the template does not export the requested name '{name}'"
                        )))
                    });
                    scope.set(alias, value);
                }
            }
            Node::Macro(m) => {
                self.ctx.run.rings.note(scope);
                scope.set(&m.name, Val::object(MacroObject::new(self.ctx, m, scope)));
            }
            Node::CallBlock(call, caller) => {
                let inner = scope.inner();
                let object = MacroObject::new(self.ctx, caller, &inner);
                out.push(self.call_block(call, &inner, Val::object(object))?);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Do(expr) => {
                self.eval(scope, expr)?.usable()?;
            }
        }
        Ok(Flow::Next)
    }

    fn filtered(&self, filter: &Expr, scope: &Scope, value: Val) -> Res<Val> {
        let inner = scope.inner();
        inner.set(&INPUT.into(), value);
        self.eval(&inner, filter)
    }

    /// Sets a name, an attribute of a namespace, or each name of a tuple.
    pub fn assign(&self, scope: &Scope, target: &Expr, value: Val) -> Res<()> {
        let fail = |message: String| Fault::error(message).at(|| self.ctx.place(target.at));
        match &target.kind {
            Kind::Name(name) => scope.set(name, value),
            Kind::Tuple(targets) | Kind::List(targets) => {
                let items = access::iterate(self.ctx, &value)
                    .map_err(|f| f.at(|| self.ctx.place(target.at)))?;
                if items.len() != targets.len() {
                    return Err(fail(format!(
                        "cannot unpack {} values into {} names",
                        items.len(),
                        targets.len()
                    )));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(scope, target, item)?;
                }
            }
            Kind::Attr(object, name) => match self.eval(scope, object)? {
                Val::Object(object) if object.set_attr(name, value.clone()) => {}
                other => {
                    other.usable()?;
                    return Err(fail(
                        "cannot assign attribute on non-namespace object".to_owned(),
                    ));
                }
            },
            _ => return Err(fail("this cannot be assigned to".to_owned())),
        }
        Ok(())
    }

    fn for_loop(&self, f: &Arc<For>, scope: &Scope, out: &mut Vec<Val>) -> Res<()> {
        let iter = self.eval(scope, &f.iter)?;
        self.iterate(f, scope, &iter, 0, out)
            .map_err(|fault| fault.at(|| self.ctx.place(f.iter.at)))
    }

    /// Runs a loop over `iter`; `depth` counts recursion.
    pub fn iterate(
        &self,
        f: &Arc<For>,
        scope: &Scope,
        iter: &Val,
        depth: usize,
        out: &mut Vec<Val>,
    ) -> Res<()> {
        if depth > 60 {
            return Err(Fault::error("the loop recurses too deep"));
        }
        let mut items = access::iterate(self.ctx, iter)?;
        if let Some(filter) = &f.filter {
            let mut kept = Vec::new();
            for item in items {
                let inner = scope.inner();
                self.assign(&inner, &f.target, item.clone())?;
                if ops::truth(self.ctx, &self.eval(&inner, filter)?)? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            self.nodes(&f.otherwise, &scope.inner(), out)?;
            return Ok(());
        }
        let state = Rc::new(Loop::new(self.ctx, f, scope, items, depth));
        let name: Arc<str> = "loop".into();
        while let Some(item) = state.next() {
            let inner = scope.inner();
            inner.set(&name, Val::Object(Rc::clone(&state) as Rc<dyn Object>));
            self.assign(&inner, &f.target, item)?;
            if self.nodes(&f.body, &inner, out)? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn call_block(&self, call: &Expr, scope: &Scope, caller: Val) -> Res<Val> {
        let (callee, args) = match &call.kind {
            Kind::Call(callee, args) => (self.eval(scope, callee)?, args),
            Kind::Method(value, name, args) => {
                let value = self.eval(scope, value)?;
                (access::attribute(self.ctx, &value, name)?, args)
            }
            _ => return self.eval(scope, call),
        };
        let mut args = eval::args(self.ctx, scope, args)?;
        args.named.push(("caller".into(), caller));
        eval::call(self.ctx, &callee, args).map_err(|f| f.at(|| self.ctx.place(call.at)))
    }

    fn block(&self, block: &Arc<Block>, scope: &Scope, out: &mut Vec<Val>) -> Res<Flow> {
        if self.parent.borrow().is_some() {
            return Ok(Flow::Next);
        }
        let chain = self.blocks.borrow().get(&block.name).cloned();
        let chain = chain.unwrap_or_else(|| vec![Arc::clone(block)]);
        self.block_level(&chain, 0, scope, out)
    }

    /// Runs the block at `level` of its chain; `super()` in it is the next one.
    fn block_level(
        &self,
        chain: &[Arc<Block>],
        level: usize,
        scope: &Scope,
        out: &mut Vec<Val>,
    ) -> Res<Flow> {
        let Some(block) = chain.get(level) else {
            return Ok(Flow::Next);
        };
        let inner = scope.inner();
        if level + 1 < chain.len() {
            // The parent's block is rendered ahead: blocks print and have no other effect.
            let mut above = Vec::new();
            self.block_level(chain, level + 1, scope, &mut above)?;
            let text = finish::concat(self.ctx, above)?;
            inner.set(&"super".into(), super::globals::constant(text));
        }
        self.nodes(&block.body, &inner, out)
    }

    fn include(&self, name: &Expr, ignore: bool, scope: &Scope, out: &mut Vec<Val>) -> Res<()> {
        let name_value = self.eval(scope, name)?;
        let found = files::find(self.ctx, &name_value);
        let file = match found.map_err(|f| f.at(|| self.ctx.place(name.at)))? {
            Ok(file) => file,
            Err(_) if ignore => return Ok(()),
            Err(fault) => return Err(fault.at(|| self.ctx.place(name.at))),
        };
        let ctx = file.ctx(self.ctx);
        let parts = Exec::new(&ctx).program(&file.program, &scope.inner())?;
        out.extend(parts);
        Ok(())
    }

    /// The file that `name` names.
    fn file(&self, name: &Expr, scope: &Scope) -> Res<files::File> {
        let value = self.eval(scope, name)?;
        files::load(self.ctx, &value).map_err(|f| f.at(|| self.ctx.place(name.at)))
    }

    fn module(&self, name: &Expr, scope: &Scope) -> Res<Rc<Module>> {
        let file = self.file(name, scope)?;
        let ctx = file.ctx(self.ctx);
        let inner = scope.inner();
        let parts = Exec::new(&ctx).program(&file.program, &inner)?;
        let text = finish::concat(&ctx, parts)?;
        Ok(Rc::new(Module::new(inner, text)))
    }
}
