//! A compiled template: the tree that is evaluated. Names of filters and tests are bound already.

use super::filters::Filter;
use super::predicates::Test;
use std::sync::Arc;

/// A compiled template or expression, shared by threads.
#[derive(Debug)]
pub(super) struct Program {
    /// The text as written, for places in errors.
    pub text: Arc<str>,
    pub body: Vec<Node>,
    /// Every `{% block %}` of it.
    pub blocks: Vec<Arc<Block>>,
    /// Line breaks at the end, which Jinja drops and Ansible puts back.
    pub newlines: usize,
}

/// A statement.
#[derive(Debug)]
pub(super) enum Node {
    Text(Arc<str>),
    Print(Expr),
    For(Arc<For>),
    If(Expr, Vec<Node>, Vec<Node>),
    With(Vec<(Expr, Expr)>, Vec<Node>),
    Set(Expr, Expr),
    /// `{% set x %}…{% endset %}`: target, filters over [`Kind::Input`], body.
    SetBlock(Expr, Option<Expr>, Vec<Node>),
    FilterBlock(Expr, Vec<Node>),
    Scoped(Vec<Node>),
    Block(Arc<Block>),
    Extends(Expr),
    Include(Expr, bool),
    Import(Expr, Arc<str>),
    FromImport(Expr, Vec<(Arc<str>, Arc<str>)>),
    Macro(Arc<Macro>),
    CallBlock(Expr, Arc<Macro>),
    Break,
    Continue,
    Do(Expr),
}

#[derive(Debug)]
pub(super) struct For {
    pub target: Expr,
    pub iter: Expr,
    pub filter: Option<Expr>,
    pub recursive: bool,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Block {
    pub name: Arc<str>,
    pub body: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub name: Arc<str>,
    pub params: Vec<(Arc<str>, Option<Expr>)>,
    pub body: Vec<Node>,
}

/// An expression and its byte offset in the text.
#[derive(Debug)]
pub(super) struct Expr {
    pub at: u32,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Const(Const),
    /// A constant string that holds markers: evaluated in conditions and in the terms of lookups.
    Embedded(Arc<str>),
    /// What a `{% filter %}` block filters.
    Input,
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Attr(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<[Option<Expr>; 4]>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Compare, Expr)>),
    If(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Filter(&'static Filter, Box<Expr>, Vec<Arg>),
    Test(&'static Test, Box<Expr>, Vec<Arg>),
    Call(Box<Expr>, Vec<Arg>),
    Method(Box<Expr>, Arc<str>, Vec<Arg>),
}

#[derive(Clone, Debug)]
pub(super) enum Const {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
}

#[derive(Debug)]
pub(super) enum Arg {
    Pos(Expr),
    Named(Arc<str>, Expr),
    Splat(Expr),
    NamedSplat(Expr),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
    Concat,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
