//! `json_query`: JMESPath over plain data (the grammar and functions of <https://jmespath.org>).

mod functions;
mod lex;
mod parse;
mod run;

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::finish;
use super::super::val::Val;
use super::Filter;
use crate::value::Value;

pub(super) static TABLE: &[Filter] = &[Filter::new(
    "json_query",
    &["data", "expr"],
    "What a JMESPath expression finds.",
    json_query,
)
.of("community.general")];

fn json_query(c: &Call) -> Res<Val> {
    let expression = c.text(1)?;
    let data = finish::value(c.ctx, c.need(0)?)?;
    let found = search(&expression, &data).map_err(|why| {
        Fault::error(format!(
            "JMESPathError in json_query filter plugin: {why} in `{expression}`"
        ))
    })?;
    Ok(c.ctx.lift(&found, &c.ctx.home))
}

/// What `expression` finds in `data`.
fn search(expression: &str, data: &Value) -> Result<Value, String> {
    let parsed = parse::parse(expression)?;
    run::run(&parsed, data)
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
enum Ast {
    /// `@`: what is being looked at.
    Current,
    Literal(Value),
    Field(String),
    Index(i64),
    Slice([Option<i64>; 3]),
    /// `left.right`: each on what the one before gave.
    Then(Box<Ast>, Box<Ast>),
    /// `left[*].right` and `left[].right`: right on each item.
    Project(Box<Ast>, Box<Ast>),
    /// `left.*.right`: right on each value of a mapping.
    Values(Box<Ast>, Box<Ast>),
    /// `left[?test].right`: right on each item that passes.
    Filter(Box<Ast>, Box<Ast>, Box<Ast>),
    Flatten(Box<Ast>),
    Or(Box<Ast>, Box<Ast>),
    And(Box<Ast>, Box<Ast>),
    Not(Box<Ast>),
    Compare(Comparison, Box<Ast>, Box<Ast>),
    List(Vec<Ast>),
    Map(Vec<(String, Ast)>),
    Call(String, Vec<Ast>),
    /// `&expression`, an argument of functions.
    Reference(Box<Ast>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}
