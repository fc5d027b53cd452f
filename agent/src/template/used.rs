//! The variables that a text names: for tools that look at playbooks without running them. Names
//! that the text sets for itself (loops, `set`, macros) are left out.

use super::compile;
use super::fault::{Fault, Place, Res};
use super::literals::Backslash;
use super::place;
use super::program::{Arg, Const, Expr, For, Kind, Macro, Node, Program};
use super::syntax::Syntax;
use super::{FileOptions, NoVariables, in_file, whole_template};
use crate::error::Result;
use crate::source::{SourceFile, Span};
use std::collections::HashSet;
use std::sync::Arc;

/// What a text names.
#[derive(Debug, Default)]
pub struct Names {
    /// Variables, in the order of the text.
    pub uses: Vec<NameUse>,
    /// Whether names are worked out while the text is evaluated (`vars[x]`, `lookup('vars', x)`), so
    /// that any variable may be meant.
    pub open: bool,
}

/// One place where a variable is named.
#[derive(Clone, Debug)]
pub struct NameUse {
    /// Its name.
    pub name: Arc<str>,
    /// Where.
    pub span: Option<Span>,
    /// Whether the text does without it: it asks whether it is defined, or has a default for it.
    pub optional: bool,
}

/// Names that templates have besides variables.
const GLOBALS: &[&str] = &[
    "lookup",
    "query",
    "q",
    "now",
    "undef",
    "range",
    "dict",
    "lipsum",
    "cycler",
    "joiner",
    "namespace",
    "omit",
    "self",
    "super",
    "caller",
    "varargs",
    "kwargs",
    "loop",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "template_fullpath",
    "template_path",
    "template_host",
    "template_uid",
    "template_mtime",
    "template_run_date",
    "template_destpath",
    "ansible_managed",
];

/// The names in a template, or in a condition or other expression without braces.
///
/// # Errors
/// When it cannot be compiled.
pub fn names(text: &str, span: Option<&Span>, expression: bool) -> Result<Names> {
    let text: Arc<str> = text.into();
    let program = if expression && !whole_template(&text) {
        compile::expression(&text, Backslash::Escape)
    } else {
        compile::template(&text, &Syntax::default(), Backslash::Verbatim)
    };
    let program = program.map_err(|f: Fault| in_file(f, span))?;
    Ok(collect(&program, span))
}

/// The names in a file of the `template` module.
///
/// # Errors
/// When it cannot be compiled.
pub fn names_in_file(source: &Arc<SourceFile>) -> Result<Names> {
    let start = Span::new(source, 1, 1, 1);
    let mut options = FileOptions::default();
    let home: super::scope::Home = Arc::new(NoVariables);
    let header = options.header(&source.text).map(str::to_string);
    let text: Arc<str> = header.map_err(|f| f.into_error(&home).at(&start))?.into();
    let program = compile::template(&text, &options.syntax(), Backslash::Escape)
        .map_err(|f| in_file(f, Some(&start)))?;
    Ok(collect(&program, Some(&start)))
}

/// What a condition gives that is certainly neither true nor false, with its place: ansible-core
/// refuses such conditions since 2.19.
///
/// # Errors
/// When it cannot be compiled.
pub fn not_a_condition(text: &str) -> Result<Option<&'static str>> {
    let text: Arc<str> = text.into();
    if whole_template(&text) {
        return Ok(None);
    }
    let program =
        compile::expression(&text, Backslash::Escape).map_err(|f: Fault| in_file(f, None))?;
    Ok(match program.body.as_slice() {
        [Node::Print(expr)] => other_type(expr),
        _ => None,
    })
}

/// Filters whose results are numbers, text or lists, whatever they are applied to.
const NUMBERS: &[&str] = &["length", "count", "int", "float", "sum", "abs", "round"];
const TEXTS: &[&str] = &[
    "trim",
    "lower",
    "upper",
    "string",
    "join",
    "replace",
    "regex_replace",
    "basename",
    "dirname",
    "to_json",
    "to_nice_json",
    "to_yaml",
    "b64encode",
    "b64decode",
    "hash",
    "capitalize",
    "title",
];
const LISTS: &[&str] = &[
    "list",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "unique",
    "sort",
    "flatten",
    "intersect",
    "difference",
    "union",
    "symmetric_difference",
    "split",
    "dict2items",
    "batch",
    "regex_findall",
    "zip",
    "reverse",
];

fn other_type(expr: &Expr) -> Option<&'static str> {
    match &expr.kind {
        Kind::Const(Const::Int(_) | Const::Float(_)) | Kind::Negative(_) => Some("a number"),
        Kind::Const(Const::Str(_)) => Some("text"),
        Kind::List(_) | Kind::Tuple(_) => Some("a list"),
        Kind::Map(_) => Some("a mapping"),
        Kind::Filter(filter, _, _) if NUMBERS.contains(&filter.name) => Some("a number"),
        Kind::Filter(filter, _, _) if TEXTS.contains(&filter.name) => Some("text"),
        Kind::Filter(filter, _, _) if LISTS.contains(&filter.name) => Some("a list"),
        Kind::Attr(_, name) => match &**name {
            "stdout" | "stderr" => Some("text"),
            "stdout_lines" | "stderr_lines" => Some("a list"),
            _ => None,
        },
        // The last operand of these may be the result.
        Kind::And(left, right) | Kind::Or(left, right) => other_type(right).or(other_type(left)),
        Kind::If(_, then, otherwise) => {
            other_type(then).or_else(|| other_type(otherwise.as_deref()?))
        }
        _ => None,
    }
}

fn collect(program: &Program, span: Option<&Span>) -> Names {
    let mut walk = Walk {
        text: &program.text,
        span,
        found: Vec::new(),
        own: GLOBALS.iter().map(|n| Arc::from(*n)).collect(),
        optional: HashSet::new(),
        open: false,
    };
    walk.nodes(&program.body);
    for block in &program.blocks {
        walk.nodes(&block.body);
    }
    let Walk {
        found,
        own,
        optional,
        open,
        ..
    } = walk;
    let uses = found
        .into_iter()
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, span)| NameUse {
            optional: optional.contains(&name),
            name,
            span,
        })
        .collect();
    Names { uses, open }
}

struct Walk<'a> {
    text: &'a Arc<str>,
    span: Option<&'a Span>,
    found: Vec<(Arc<str>, Option<Span>)>,
    own: HashSet<Arc<str>>,
    optional: HashSet<Arc<str>>,
    open: bool,
}

impl Walk<'_> {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Print(e) | Node::Do(e) | Node::Extends(e) => self.expr(e),
            // What is included sees and may name anything.
            Node::Include(e, _) => {
                self.open = true;
                self.expr(e);
            }
            Node::For(f) => self.for_loop(f),
            Node::If(e, a, b) => {
                self.expr(e);
                self.nodes(a);
                self.nodes(b);
            }
            Node::With(pairs, body) => {
                for (target, value) in pairs {
                    self.target(target);
                    self.expr(value);
                }
                self.nodes(body);
            }
            Node::Set(target, value) => {
                self.target(target);
                self.expr(value);
            }
            Node::SetBlock(target, filter, body) => {
                self.target(target);
                self.exprs(filter.iter());
                self.nodes(body);
            }
            Node::FilterBlock(e, body) => {
                self.expr(e);
                self.nodes(body);
            }
            Node::Scoped(body) => self.nodes(body),
            Node::Block(block) => self.nodes(&block.body),
            Node::Import(e, name) => {
                self.own.insert(Arc::clone(name));
                self.expr(e);
            }
            Node::FromImport(e, names) => {
                self.own.extend(names.iter().map(|(_, to)| Arc::clone(to)));
                self.expr(e);
            }
            Node::Macro(m) => self.makro(m),
            Node::CallBlock(e, m) => {
                self.expr(e);
                self.makro(m);
            }
        }
    }

    fn for_loop(&mut self, f: &For) {
        self.target(&f.target);
        self.expr(&f.iter);
        self.exprs(f.filter.iter());
        self.nodes(&f.body);
        self.nodes(&f.otherwise);
    }

    fn makro(&mut self, m: &Macro) {
        self.own.insert(Arc::clone(&m.name));
        for (name, value) in &m.params {
            self.own.insert(Arc::clone(name));
            self.exprs(value.iter());
        }
        self.nodes(&m.body);
    }

    /// Names that are set; `set ns.x` names `ns`.
    fn target(&mut self, e: &Expr) {
        match &e.kind {
            Kind::Name(name) => {
                self.own.insert(Arc::clone(name));
            }
            Kind::List(items) | Kind::Tuple(items) => items.iter().for_each(|i| self.target(i)),
            Kind::Attr(inner, _) => self.expr(inner),
            _ => {}
        }
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for e in exprs {
            self.expr(e);
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            Kind::Const(_) | Kind::Input => {}
            Kind::Embedded(text) => self.embedded(text),
            Kind::Name(name) => self.name(e, name),
            Kind::List(items) | Kind::Tuple(items) => self.exprs(items),
            Kind::Map(pairs) => pairs.iter().for_each(|(k, v)| self.exprs([k, v])),
            Kind::Attr(inner, name) => {
                self.all_variables(inner, Some(name));
                self.expr(inner);
            }
            Kind::Item(inner, key) => {
                let name = match &key.kind {
                    Kind::Const(Const::Str(s)) => Some(s),
                    _ => None,
                };
                self.all_variables(inner, name);
                self.exprs([&**inner, &**key]);
            }
            Kind::Slice(parts) => self.exprs(parts.iter().flatten()),
            Kind::Not(a) | Kind::Negative(a) => self.expr(a),
            Kind::And(a, b) | Kind::Or(a, b) | Kind::Binary(_, a, b) => self.exprs([&**a, &**b]),
            Kind::Compare(a, rest) => {
                self.expr(a);
                self.exprs(rest.iter().map(|(_, b)| b));
            }
            Kind::If(a, b, c) => {
                self.exprs([&**a, &**b]);
                self.exprs(c.iter().map(|c| &**c));
            }
            Kind::Filter(filter, input, args) => {
                if matches!(filter.name, "default" | "d") {
                    self.may_be_missing(input);
                }
                self.expr(input);
                self.args(args);
            }
            Kind::Test(test, input, args) => {
                if matches!(test.name, "defined" | "undefined") {
                    self.may_be_missing(input);
                }
                self.expr(input);
                self.args(args);
            }
            Kind::Call(callee, args) => self.call(callee, args),
            Kind::Method(inner, _, args) => {
                self.all_variables(inner, None);
                self.expr(inner);
                self.args(args);
            }
        }
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            match arg {
                Arg::Pos(e) | Arg::Named(_, e) | Arg::Splat(e) | Arg::NamedSplat(e) => self.expr(e),
            }
        }
    }

    /// `lookup('vars', 'x')` names a variable, too.
    fn call(&mut self, callee: &Expr, args: &[Arg]) {
        let text = |arg: Option<&Arg>| match arg {
            Some(Arg::Pos(Expr {
                kind: Kind::Const(Const::Str(s)),
                ..
            })) => Some(Arc::clone(s)),
            _ => None,
        };
        if matches!(&callee.kind, Kind::Name(n) if matches!(&**n, "lookup" | "query" | "q")) {
            match text(args.first()).as_deref() {
                Some("vars" | "ansible.builtin.vars") => match text(args.get(1)) {
                    Some(name) => {
                        self.optional.insert(Arc::clone(&name));
                        self.found.push((name, None));
                    }
                    None => self.open = true,
                },
                // What a template file names is in that file.
                Some("varnames" | "template") | None => self.open = true,
                Some(_) => {}
            }
        }
        self.expr(callee);
        self.args(args);
    }

    /// `vars.x` and `hostvars[h].x` name `x`, and `vars[y]` any variable.
    fn all_variables(&mut self, inner: &Expr, name: Option<&Arc<str>>) {
        let is_all = match &inner.kind {
            Kind::Name(n) => &**n == "vars",
            Kind::Item(of, _) | Kind::Attr(of, _) => {
                matches!(&of.kind, Kind::Name(n) if &**n == "hostvars")
            }
            _ => false,
        };
        match (is_all, name) {
            (false, _) => {}
            (true, Some(name)) => {
                self.optional.insert(Arc::clone(name));
                self.found.push((Arc::clone(name), None));
            }
            (true, None) => self.open = true,
        }
    }

    fn name(&mut self, e: &Expr, name: &Arc<str>) {
        let place = Place {
            text: Arc::clone(self.text),
            span: self.span.cloned(),
            offset: e.at,
        };
        self.found.push((Arc::clone(name), place::locate(&place)));
    }

    fn embedded(&mut self, text: &Arc<str>) {
        let program: Res<Program> =
            compile::template(text, &Syntax::default(), Backslash::Verbatim);
        match program {
            Ok(program) => {
                let inner = collect(&program, None);
                self.open |= inner.open;
                for used in inner.uses {
                    if used.optional {
                        self.optional.insert(Arc::clone(&used.name));
                    }
                    self.found.push((used.name, self.span.cloned()));
                }
            }
            Err(_) => self.open = true,
        }
    }

    /// Every name in an expression that does without what it names.
    fn may_be_missing(&mut self, e: &Expr) {
        match &e.kind {
            Kind::Name(name) => {
                self.optional.insert(Arc::clone(name));
            }
            Kind::Attr(inner, _) | Kind::Method(inner, ..) | Kind::Filter(_, inner, _) => {
                self.may_be_missing(inner);
            }
            Kind::Item(inner, key) => {
                self.may_be_missing(inner);
                self.may_be_missing(key);
            }
            Kind::Binary(_, a, b) | Kind::And(a, b) | Kind::Or(a, b) => {
                self.may_be_missing(a);
                self.may_be_missing(b);
            }
            Kind::List(items) | Kind::Tuple(items) => {
                items.iter().for_each(|i| self.may_be_missing(i));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, expression: bool) -> String {
        let names = names(text, None, expression).expect("it compiles");
        let mut words: Vec<String> = names
            .uses
            .iter()
            .map(|u| format!("{}{}", u.name, if u.optional { "?" } else { "" }))
            .collect();
        if names.open {
            words.push("*".into());
        }
        words.join(" ")
    }

    #[test]
    fn names_are_those_of_variables() {
        for (text, want) in [
            ("{{ a.b[c] }} {{ d | default(e) }}", "a c d? e"),
            ("{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}", "xs"),
            ("{% set y = z %}{{ y }}{{ lookup('env', h) }}", "z h"),
            ("{{ vars['v'] }}{{ lookup('vars', n) }}", "v? vars n *"),
            ("{{ hostvars[h].ip }}", "ip? hostvars h"),
            (
                "{% macro m(p) %}{{ p }}{{ q1 }}{% endmacro %}{{ m(1) }}",
                "q1",
            ),
        ] {
            assert_eq!(shown(text, false), want, "{text}");
        }
        assert_eq!(shown("a is defined and a.b == 'x'", true), "a? a?");
    }

    #[test]
    fn conditions_that_are_none_are_told() {
        for (text, want) in [
            ("x | length", Some("a number")),
            ("x is defined and x | length", Some("a number")),
            ("r.stdout", Some("text")),
            ("x", None),
            ("x | length > 0", None),
            ("x | default(false)", None),
            ("not x | list", None),
        ] {
            assert_eq!(not_a_condition(text).expect("compiles"), want, "{text}");
        }
    }
}
