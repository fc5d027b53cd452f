//! Text to [`Program`]: minijinja's parser reads it, then every name of a filter or test is bound.
//!
//! Only the parser of minijinja is used. Its machine computes with its own values, which are not
//! Python's (no `%` on text, no `append`, `1 < 'a'` is true …); ours does.

use super::fault::{Fault, Place, Res};
use super::filters;
use super::literals::{self, Backslash, Rewritten};
use super::predicates;
use super::program::{Arg, Binary, Block, Compare, Const, Expr, For, Kind, Macro, Node, Program};
use super::syntax::Syntax;
use crate::error::{ErrorKind, nearest};
use minijinja::machinery::{self, Span, ast};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Compiles a whole template.
pub(super) fn template(text: &Arc<str>, syntax: &Syntax, mode: Backslash) -> Res<Program> {
    let source = literals::of_template(text, syntax, mode);
    let lower = Lower {
        text,
        source: &source,
        blocks: RefCell::default(),
        depth: Cell::new(0),
    };
    lower.check_length()?;
    let config = syntax.config().map_err(|e| lower.syntax_error(&e))?;
    let parsed =
        machinery::parse(&source.text, "template", config).map_err(|e| lower.syntax_error(&e))?;
    let body = match &parsed {
        ast::Stmt::Template(t) => lower.nodes(&t.children)?,
        other => vec![lower.node(other)?],
    };
    let newlines = text.len() - text.trim_end_matches('\n').len();
    Ok(Program {
        text: Arc::clone(text),
        body,
        blocks: lower.blocks.into_inner(),
        newlines,
    })
}

/// Compiles a bare expression, as `when` has it.
pub(super) fn expression(text: &Arc<str>, mode: Backslash) -> Res<Program> {
    let source = literals::of_expression(text, mode);
    let lower = Lower {
        text,
        source: &source,
        blocks: RefCell::default(),
        depth: Cell::new(0),
    };
    lower.check_length()?;
    let parsed = machinery::parse_expr(&source.text).map_err(|e| lower.syntax_error(&e))?;
    Ok(Program {
        text: Arc::clone(text),
        body: vec![Node::Print(lower.expr(&parsed)?)],
        blocks: Vec::new(),
        newlines: 0,
    })
}

struct Lower<'s> {
    text: &'s Arc<str>,
    source: &'s Rewritten,
    blocks: RefCell<Vec<Arc<Block>>>,
    depth: Cell<usize>,
}

/// Expressions nest this deep at most; a chain of operators nests once for each.
const MAX_DEPTH: usize = 250;

impl Lower<'_> {
    fn syntax_error(&self, error: &minijinja::Error) -> Fault {
        let what = error.detail().unwrap_or("cannot be read");
        let offset = error.range().map_or(0, |r| self.source.original(r.start));
        Fault::new(
            ErrorKind::Template,
            format!("syntax error in template: {what}"),
        )
        .at(|| self.place(offset))
    }

    fn check_length(&self) -> Res<()> {
        match self.source.too_long {
            Some(at) => Err(Fault::error("this expression has too many operators")
                .at(|| self.place(self.source.original(at)))),
            None => Ok(()),
        }
    }

    fn place(&self, offset: usize) -> Place {
        Place {
            text: Arc::clone(self.text),
            span: None,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }

    fn offset(&self, span: Span) -> u32 {
        let offset = self.source.original(span.start_offset as usize);
        u32::try_from(offset).unwrap_or(u32::MAX)
    }

    fn nodes(&self, stmts: &[ast::Stmt<'_>]) -> Res<Vec<Node>> {
        stmts.iter().map(|s| self.node(s)).collect()
    }

    fn node(&self, stmt: &ast::Stmt<'_>) -> Res<Node> {
        Ok(match stmt {
            ast::Stmt::Template(t) => Node::Scoped(self.nodes(&t.children)?),
            ast::Stmt::EmitExpr(e) => Node::Print(self.expr(&e.expr)?),
            ast::Stmt::EmitRaw(r) => Node::Text(r.raw.into()),
            ast::Stmt::ForLoop(f) => self.for_loop(f)?,
            ast::Stmt::IfCond(c) => Node::If(
                self.expr(&c.expr)?,
                self.nodes(&c.true_body)?,
                self.nodes(&c.false_body)?,
            ),
            ast::Stmt::WithBlock(w) => {
                let pairs = w
                    .assignments
                    .iter()
                    .map(|(a, b)| Ok((self.expr(a)?, self.expr(b)?)));
                Node::With(pairs.collect::<Res<_>>()?, self.nodes(&w.body)?)
            }
            ast::Stmt::Set(s) => Node::Set(self.expr(&s.target)?, self.expr(&s.expr)?),
            ast::Stmt::SetBlock(s) => Node::SetBlock(
                self.expr(&s.target)?,
                s.filter.as_ref().map(|f| self.expr(f)).transpose()?,
                self.nodes(&s.body)?,
            ),
            ast::Stmt::AutoEscape(a) => Node::Scoped(self.nodes(&a.body)?),
            ast::Stmt::FilterBlock(f) => {
                Node::FilterBlock(self.expr(&f.filter)?, self.nodes(&f.body)?)
            }
            ast::Stmt::Block(b) => {
                let block = Arc::new(Block {
                    name: b.name.into(),
                    body: self.nodes(&b.body)?,
                });
                self.blocks.borrow_mut().push(Arc::clone(&block));
                Node::Block(block)
            }
            ast::Stmt::Import(i) => Node::Import(self.expr(&i.expr)?, self.plain_name(&i.name)?),
            ast::Stmt::FromImport(f) => self.names_from(f)?,
            ast::Stmt::Extends(e) => Node::Extends(self.expr(&e.name)?),
            ast::Stmt::Include(i) => Node::Include(self.expr(&i.name)?, i.ignore_missing),
            ast::Stmt::Macro(m) => Node::Macro(Arc::new(self.macro_of(m)?)),
            ast::Stmt::CallBlock(c) => Node::CallBlock(
                self.call(&c.call, c.call.span())?,
                Arc::new(self.macro_of(&c.macro_decl)?),
            ),
            ast::Stmt::Continue(_) => Node::Continue,
            ast::Stmt::Break(_) => Node::Break,
            ast::Stmt::Do(d) => Node::Do(self.call(&d.call, d.call.span())?),
        })
    }

    fn for_loop(&self, f: &ast::ForLoop<'_>) -> Res<Node> {
        Ok(Node::For(Arc::new(For {
            target: self.expr(&f.target)?,
            iter: self.expr(&f.iter)?,
            filter: f.filter_expr.as_ref().map(|e| self.expr(e)).transpose()?,
            recursive: f.recursive,
            body: self.nodes(&f.body)?,
            otherwise: self.nodes(&f.else_body)?,
        })))
    }

    fn names_from(&self, f: &ast::FromImport<'_>) -> Res<Node> {
        let names = f.names.iter().map(|(name, alias)| {
            let name = self.plain_name(name)?;
            let alias = match alias {
                Some(alias) => self.plain_name(alias)?,
                None => Arc::clone(&name),
            };
            Ok((name, alias))
        });
        Ok(Node::FromImport(
            self.expr(&f.expr)?,
            names.collect::<Res<_>>()?,
        ))
    }

    fn macro_of(&self, m: &ast::Macro<'_>) -> Res<Macro> {
        // Defaults belong to the last parameters.
        let first = m.args.len() - m.defaults.len().min(m.args.len());
        let params = m.args.iter().enumerate().map(|(i, arg)| {
            let default = match i.checked_sub(first) {
                Some(d) => m.defaults.get(d).map(|e| self.expr(e)).transpose()?,
                None => None,
            };
            Ok((self.plain_name(arg)?, default))
        });
        Ok(Macro {
            name: m.name.into(),
            params: params.collect::<Res<_>>()?,
            body: self.nodes(&m.body)?,
        })
    }

    fn plain_name(&self, expr: &ast::Expr<'_>) -> Res<Arc<str>> {
        match expr {
            ast::Expr::Var(v) => Ok(v.id.into()),
            other => Err(
                Fault::error("syntax error in template: a name is wanted here")
                    .at(|| self.place(self.offset(other.span()) as usize)),
            ),
        }
    }

    fn boxed(&self, expr: &ast::Expr<'_>) -> Res<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    fn exprs(&self, exprs: &[ast::Expr<'_>]) -> Res<Vec<Expr>> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    fn expr(&self, expr: &ast::Expr<'_>) -> Res<Expr> {
        let depth = self.depth.get();
        if depth >= MAX_DEPTH {
            return Err(Fault::error("the expression is nested too deep")
                .at(|| self.place(self.offset(expr.span()) as usize)));
        }
        self.depth.set(depth + 1);
        let lowered = self.expr_here(expr);
        self.depth.set(depth);
        lowered
    }

    fn expr_here(&self, expr: &ast::Expr<'_>) -> Res<Expr> {
        let kind = match expr {
            ast::Expr::Var(v) => Kind::Name(v.id.into()),
            ast::Expr::Const(c) => self.constant(&c.value, c.span())?,
            ast::Expr::Slice(s) => {
                let part = |e: &Option<ast::Expr<'_>>| e.as_ref().map(|e| self.expr(e)).transpose();
                Kind::Slice(Box::new([
                    Some(self.expr(&s.expr)?),
                    part(&s.start)?,
                    part(&s.stop)?,
                    part(&s.step)?,
                ]))
            }
            ast::Expr::UnaryOp(u) => match u.op {
                ast::UnaryOpKind::Not => Kind::Not(self.boxed(&u.expr)?),
                ast::UnaryOpKind::Neg => Kind::Negative(self.boxed(&u.expr)?),
            },
            ast::Expr::BinOp(b) => self.binary(b)?,
            ast::Expr::Compare(c) => {
                let ops = c
                    .ops
                    .iter()
                    .map(|op| Ok((compare(op.op), self.expr(&op.expr)?)));
                Kind::Compare(self.boxed(&c.expr)?, ops.collect::<Res<_>>()?)
            }
            ast::Expr::IfExpr(i) => Kind::If(
                self.boxed(&i.test_expr)?,
                self.boxed(&i.true_expr)?,
                i.false_expr.as_ref().map(|e| self.boxed(e)).transpose()?,
            ),
            ast::Expr::Filter(f) => self.filter(f, f.span())?,
            ast::Expr::Test(t) => self.test(t, t.span())?,
            ast::Expr::GetAttr(a) => Kind::Attr(self.boxed(&a.expr)?, a.name.into()),
            ast::Expr::GetItem(i) => {
                Kind::Item(self.boxed(&i.expr)?, self.boxed(&i.subscript_expr)?)
            }
            ast::Expr::Call(c) => return self.call(c, c.span()),
            ast::Expr::List(l) => Kind::List(self.exprs(&l.items)?),
            ast::Expr::Tuple(t) => Kind::Tuple(self.exprs(&t.items)?),
            ast::Expr::Map(m) => {
                let pairs = m
                    .keys
                    .iter()
                    .zip(&m.values)
                    .map(|(k, v)| Ok((self.expr(k)?, self.expr(v)?)));
                Kind::Map(pairs.collect::<Res<_>>()?)
            }
        };
        Ok(Expr {
            at: self.offset(expr.span()),
            kind,
        })
    }

    fn constant(&self, value: &minijinja::Value, span: Span) -> Res<Kind> {
        use minijinja::value::ValueKind;
        Ok(Kind::Const(match value.kind() {
            ValueKind::None | ValueKind::Undefined => Const::Null,
            ValueKind::Bool => Const::Bool(value.is_true()),
            ValueKind::String => {
                let text: Arc<str> = value.as_str().unwrap_or_default().into();
                if crate::value::has_markers(&text) {
                    return Ok(Kind::Embedded(text));
                }
                Const::Str(text)
            }
            _ if value.is_integer() => match i128::try_from(value.clone()) {
                Ok(i) => Const::Int(i),
                Err(_) => {
                    return Err(Fault::error("this number is too large")
                        .at(|| self.place(self.offset(span) as usize)));
                }
            },
            _ => Const::Float(f64::try_from(value.clone()).unwrap_or(f64::NAN)),
        }))
    }

    fn binary(&self, b: &ast::BinOp<'_>) -> Res<Kind> {
        use ast::BinOpKind as Op;
        let (left, right) = (self.boxed(&b.left)?, self.boxed(&b.right)?);
        let arithmetic = match b.op {
            Op::ScAnd => return Ok(Kind::And(left, right)),
            Op::ScOr => return Ok(Kind::Or(left, right)),
            Op::Eq => return Ok(Kind::Compare(left, vec![(Compare::Eq, *right)])),
            Op::Ne => return Ok(Kind::Compare(left, vec![(Compare::Ne, *right)])),
            Op::Lt => return Ok(Kind::Compare(left, vec![(Compare::Lt, *right)])),
            Op::Lte => return Ok(Kind::Compare(left, vec![(Compare::Le, *right)])),
            Op::Gt => return Ok(Kind::Compare(left, vec![(Compare::Gt, *right)])),
            Op::Gte => return Ok(Kind::Compare(left, vec![(Compare::Ge, *right)])),
            Op::In => return Ok(Kind::Compare(left, vec![(Compare::In, *right)])),
            Op::Add => Binary::Add,
            Op::Sub => Binary::Sub,
            Op::Mul => Binary::Mul,
            Op::Div => Binary::Div,
            Op::FloorDiv => Binary::FloorDiv,
            Op::Rem => Binary::Rem,
            Op::Pow => Binary::Pow,
            Op::Concat => Binary::Concat,
        };
        Ok(Kind::Binary(arithmetic, left, right))
    }

    fn filter(&self, f: &ast::Filter<'_>, span: Span) -> Res<Kind> {
        let input = match &f.expr {
            Some(expr) => self.boxed(expr)?,
            None => Box::new(Expr {
                at: self.offset(span),
                kind: Kind::Input,
            }),
        };
        let Some(filter) = filters::find(f.name) else {
            return Err(self.no_such("filter", f.name, span, &mut filters::names()));
        };
        Ok(Kind::Filter(filter, input, self.args(&f.args)?))
    }

    fn test(&self, t: &ast::Test<'_>, span: Span) -> Res<Kind> {
        let Some(test) = predicates::find(t.name) else {
            return Err(self.no_such("test", t.name, span, &mut predicates::names()));
        };
        Ok(Kind::Test(test, self.boxed(&t.expr)?, self.args(&t.args)?))
    }

    fn no_such(
        &self,
        what: &str,
        name: &str,
        span: Span,
        known: &mut dyn Iterator<Item = &'static str>,
    ) -> Fault {
        // The span may begin at the value that is filtered: the name itself is what to point at.
        let start = self.offset(span) as usize;
        let offset = self
            .text
            .get(start..)
            .and_then(|t| t.find(name))
            .map_or(start, |i| i + start);
        let fault = Fault::error(format!("there is no {what} `{name}`")).at(|| self.place(offset));
        match nearest(name, known) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        }
    }

    fn call(&self, c: &ast::Call<'_>, span: Span) -> Res<Expr> {
        let args = self.args(&c.args)?;
        let kind = match &c.expr {
            ast::Expr::GetAttr(a) => Kind::Method(self.boxed(&a.expr)?, a.name.into(), args),
            other => {
                let callee = self.boxed(other)?;
                self.check_lookup(&callee, &args, span)?;
                Kind::Call(callee, args)
            }
        };
        Ok(Expr {
            at: self.offset(span),
            kind,
        })
    }

    /// `lookup('fil', …)` is a mistake that can be seen before anything runs.
    fn check_lookup(&self, callee: &Expr, args: &[Arg], span: Span) -> Res<()> {
        let Kind::Name(function) = &callee.kind else {
            return Ok(());
        };
        let Some(Arg::Pos(first)) = args.first() else {
            return Ok(());
        };
        let Kind::Const(Const::Str(name)) = &first.kind else {
            return Ok(());
        };
        if !matches!(&**function, "lookup" | "query" | "q") || super::lookups::find(name).is_some()
        {
            return Ok(());
        }
        Err(self.no_such("lookup", name, span, &mut super::lookups::names()))
    }

    fn args(&self, args: &[ast::CallArg<'_>]) -> Res<Vec<Arg>> {
        args.iter()
            .map(|arg| {
                Ok(match arg {
                    ast::CallArg::Pos(e) => Arg::Pos(self.expr(e)?),
                    ast::CallArg::Kwarg(name, e) => Arg::Named((*name).into(), self.expr(e)?),
                    ast::CallArg::PosSplat(e) => Arg::Splat(self.expr(e)?),
                    ast::CallArg::KwargSplat(e) => Arg::NamedSplat(self.expr(e)?),
                })
            })
            .collect()
    }
}

fn compare(op: ast::CompareOpKind) -> Compare {
    match op {
        ast::CompareOpKind::Eq => Compare::Eq,
        ast::CompareOpKind::Ne => Compare::Ne,
        ast::CompareOpKind::Lt => Compare::Lt,
        ast::CompareOpKind::Lte => Compare::Le,
        ast::CompareOpKind::Gt => Compare::Gt,
        ast::CompareOpKind::Gte => Compare::Ge,
        ast::CompareOpKind::In => Compare::In,
        ast::CompareOpKind::NotIn => Compare::NotIn,
    }
}
