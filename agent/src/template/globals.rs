//! Functions that every template can call.

use super::access;
use super::call::{Call, Function, Params};
use super::ctx::Ctx;
use super::datetime;
use super::eval;
use super::fault::{Fault, Res};
use super::lookups;
use super::val::{Args, Object, Val, ValMap};
use crate::error::ErrorKind;
use crate::value::Key;
use std::cell::{Cell, RefCell};

/// What an `undef()` without a hint says.
pub(super) const NOT_OVERRIDDEN: &str = "Mandatory variable has not been overridden";

/// More numbers than this are not made into a list.
const MAX_RANGE: i128 = 10_000_000;

/// The functions that every template has.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    GLOBALS.iter().map(|g| g.name)
}

/// The global `name`.
pub(super) fn find(name: &str) -> Option<Val> {
    if name == "omit" {
        return Some(Val::Omit);
    }
    let global = GLOBALS.iter().find(|g| g.name == name)?;
    Some(Val::object(Global(global)))
}

/// A global function.
#[derive(Debug)]
struct GlobalFn {
    name: &'static str,
    params: Params,
    run: Function,
}

const fn global(name: &'static str, params: Params, run: Function) -> GlobalFn {
    GlobalFn { name, params, run }
}

static GLOBALS: &[GlobalFn] = &[
    global("lookup", &["plugin", "*terms", "**options"], |c| {
        lookups::call(c, false)
    }),
    global("query", &["plugin", "*terms", "**options"], |c| {
        lookups::call(c, true)
    }),
    global("q", &["plugin", "*terms", "**options"], |c| {
        lookups::call(c, true)
    }),
    global("range", &["start", "stop", "step"], range),
    global("dict", &["pairs", "**entries"], dict),
    global("namespace", &["pairs", "**entries"], namespace),
    global("cycler", &["*items"], |c| {
        Ok(Val::object(Cycler {
            items: c.rest.clone(),
            at: Cell::new(0),
        }))
    }),
    global("joiner", &["sep"], |c| {
        Ok(Val::object(Joiner {
            sep: c.text_or(0, ", ")?,
            used: Cell::new(false),
        }))
    }),
    global("now", &["utc", "fmt"], datetime::now),
    global("undef", &["hint", "locked"], undef),
    global(
        "lipsum",
        &["n", "html", "min", "max"],
        super::lipsum::lipsum,
    ),
];

#[derive(Debug)]
struct Global(&'static GlobalFn);

impl Object for Global {
    fn type_name(&self) -> &'static str {
        "function"
    }
    fn call(&self, ctx: &Ctx, args: Args) -> Option<Res<Val>> {
        // Lookups decide themselves: `env` has a default, `first_found` passes over what is missing.
        let decides = matches!(self.0.name, "lookup" | "query" | "q");
        if !decides && let Some(marker) = args.marker() {
            return Some(Ok(marker.clone()));
        }
        let result = eval::invoke(ctx, self.0.params, self.0.run, None, args);
        Some(result.map_err(|f| f.context(format_args!("`{}()` failed", self.0.name))))
    }
}

fn range(c: &Call) -> Res<Val> {
    let (start, stop) = match c.get(1) {
        Some(_) => (c.int(0)?, c.int(1)?),
        None => (0, c.int(0)?),
    };
    let step = c.int_or(2, 1)?;
    if step == 0 {
        return Err(Fault::error("range() arg 3 must not be zero"));
    }
    Ok(Val::object(Range { start, stop, step }))
}

/// Python's range: iterable, but not data by itself.
#[derive(Debug)]
pub(super) struct Range {
    pub start: i128,
    pub stop: i128,
    pub step: i128,
}

impl Range {
    pub fn len(&self) -> i128 {
        let distance = if self.step > 0 {
            self.stop.saturating_sub(self.start)
        } else {
            self.start.saturating_sub(self.stop)
        };
        let step = self.step.saturating_abs();
        (distance.max(0) + step - 1) / step
    }

    pub fn nth(&self, index: i128) -> i128 {
        self.start + index * self.step
    }
}

impl Object for Range {
    fn type_name(&self) -> &'static str {
        "range"
    }
    fn items(&self, _ctx: &Ctx) -> Option<Vec<Val>> {
        let len = self.len().min(MAX_RANGE);
        Some((0..len).map(|i| Val::Int(self.nth(i))).collect())
    }
    fn text(&self) -> String {
        match self.step {
            1 => format!("range({}, {})", self.start, self.stop),
            step => format!("range({}, {}, {step})", self.start, self.stop),
        }
    }
    fn plain(&self, ctx: &Ctx) -> Option<Val> {
        self.items(ctx).map(Val::list)
    }
}

/// A mapping from pairs or another mapping, and from named arguments.
fn dict_of(c: &Call) -> Res<ValMap> {
    let mut map = ValMap::new();
    if let Some(first) = c.get(0) {
        match access::entries(c.ctx, first)? {
            Some(entries) => map.extend(entries),
            None => {
                for pair in access::iterate(c.ctx, first)? {
                    let pair = access::iterate(c.ctx, &pair)?;
                    let [key, value] = &pair[..] else {
                        return Err(Fault::error(
                            "dictionary update sequence element must have length 2",
                        ));
                    };
                    map.insert(key.to_key()?, value.clone());
                }
            }
        }
    }
    map.extend(
        c.named
            .iter()
            .map(|(k, v)| (Key::Str(k.clone()), v.clone())),
    );
    Ok(map)
}

fn dict(c: &Call) -> Res<Val> {
    dict_of(c).map(Val::map)
}

fn namespace(c: &Call) -> Res<Val> {
    Ok(Val::object(Namespace(RefCell::new(dict_of(c)?))))
}

/// What `{% set ns.x = … %}` writes to.
#[derive(Debug)]
struct Namespace(RefCell<ValMap>);

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }
    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok(self.0.borrow().get(name).cloned())
    }
    fn set_attr(&self, name: &str, value: Val) -> bool {
        self.0.borrow_mut().insert(Key::from(name), value);
        true
    }
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Val>,
    at: Cell<usize>,
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }
    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok((name == "current").then(|| self.items.get(self.at.get()).cloned().into()))
    }
    fn method(&self, _ctx: &Ctx, name: &str, _args: &Args) -> Option<Res<Val>> {
        match name {
            "next" => {
                let item = self.items.get(self.at.get()).cloned();
                self.at.set((self.at.get() + 1) % self.items.len().max(1));
                Some(Ok(item.into()))
            }
            "reset" => {
                self.at.set(0);
                Some(Ok(Val::Null))
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Joiner {
    sep: String,
    used: Cell<bool>,
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }
    fn call(&self, _ctx: &Ctx, _args: Args) -> Option<Res<Val>> {
        let text = if self.used.replace(true) {
            &*self.sep
        } else {
            ""
        };
        Some(Ok(Val::from(text)))
    }
}

/// A thing that gives `value` when called: `super()`.
pub(super) fn constant(value: Val) -> Val {
    Val::object(Constant(value))
}

#[derive(Debug)]
struct Constant(Val);

impl Object for Constant {
    fn type_name(&self) -> &'static str {
        "function"
    }
    fn call(&self, _ctx: &Ctx, _args: Args) -> Option<Res<Val>> {
        Some(Ok(self.0.clone()))
    }
}

/// `locked` is for values of the playbook that no vault password opens: their use is an error of another
/// kind, which `debug` does not show as if it were a value.
fn undef(c: &Call) -> Res<Val> {
    let hint = c.text_or(0, "")?;
    if c.truth_or(1, false)? {
        let message = format!("Attempt to use undecryptable variable: {hint}");
        let fault = Fault::new(ErrorKind::Host, message);
        return Err(fault
            .hint("give its password with --vault-password-file, --vault-id or --ask-vault-pass"));
    }
    Ok(Val::Missing(Fault::undefined(if hint.is_empty() {
        NOT_OVERRIDDEN.to_owned()
    } else {
        hint
    })))
}
