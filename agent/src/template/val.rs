//! [`Val`]: a value while an expression is evaluated.
//!
//! It is richer than [`Value`]: tuples, markers of what is undefined, functions, dates. Lists and
//! maps that come from variables stay as they are and look inside only when asked; such an
//! untouched container goes back out without a copy.

use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::scope::Home;
use crate::value::{Key, Map, Value};
use indexmap::IndexMap;
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

/// Keys and evaluated values.
pub(super) type ValMap = IndexMap<Key, Val>;

/// A value while an expression is evaluated. It stays within one thread.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Null,
    Bool(bool),
    /// Python's integers are unbounded; 128 bits hold what playbooks compute.
    Int(i128),
    Float(f64),
    Str(Arc<str>),
    List(List),
    Tuple(Tuple),
    Map(Dict),
    /// Undefined, or an evaluation that failed: an error as soon as it is used.
    Missing(Fault),
    /// Check mode cannot know it: an error of its own kind as soon as it is used.
    Unknown(Arc<str>),
    Omit,
    Object(Rc<dyn Object>),
}

/// A thing with behaviour: functions, macros, loops, dates.
pub(super) trait Object: Debug + Any {
    fn type_name(&self) -> &'static str;

    /// The attribute or item `name`.
    fn attr(&self, _ctx: &Ctx, _name: &str) -> Res<Option<Val>> {
        Ok(None)
    }
    /// Sets an attribute (`namespace` alone allows it).
    fn set_attr(&self, _name: &str, _value: Val) -> bool {
        false
    }
    /// A call of the thing itself, or nothing if it cannot be called.
    fn call(&self, _ctx: &Ctx, _args: Args) -> Option<Res<Val>> {
        None
    }
    /// A call of one of its methods, or nothing if it has no such method.
    fn method(&self, _ctx: &Ctx, _name: &str, _args: &Args) -> Option<Res<Val>> {
        None
    }
    /// What iterating over it gives.
    fn items(&self, _ctx: &Ctx) -> Option<Vec<Val>> {
        None
    }
    /// How it prints.
    fn text(&self) -> String {
        format!("<{}>", self.type_name())
    }
    /// What it is as plain data; without it, it cannot leave the template.
    fn plain(&self, _ctx: &Ctx) -> Option<Val> {
        None
    }
}

/// Arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    pub pos: Vec<Val>,
    pub named: Vec<(Arc<str>, Val)>,
}

/// A tuple. Those that `groupby` gives have names for their fields.
#[derive(Clone, Debug)]
pub(super) struct Tuple {
    items: Rc<[Val]>,
    names: &'static [&'static str],
}

impl Tuple {
    /// A tuple whose fields have names, too.
    pub fn named(names: &'static [&'static str], items: Vec<Val>) -> Self {
        Self {
            items: items.into(),
            names,
        }
    }

    /// Whether its fields have names; it prints as a tuple everywhere then.
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Val> {
        let at = self.names.iter().position(|n| *n == name)?;
        self.items.get(at)
    }
}

impl std::ops::Deref for Tuple {
    type Target = [Val];
    fn deref(&self) -> &[Val] {
        &self.items
    }
}
impl From<Vec<Val>> for Tuple {
    fn from(items: Vec<Val>) -> Self {
        Self::named(&[], items)
    }
}
impl<const N: usize> From<[Val; N]> for Tuple {
    fn from(items: [Val; N]) -> Self {
        Self::named(&[], items.into())
    }
}
impl FromIterator<Val> for Tuple {
    fn from_iter<I: IntoIterator<Item = Val>>(items: I) -> Self {
        Self::named(&[], items.into_iter().collect())
    }
}

/// A list, shared: `append` through one name shows through the other.
#[derive(Clone, Debug)]
pub(super) struct List(Rc<RefCell<ListState>>);

#[derive(Debug)]
enum ListState {
    Lazy(Arc<Vec<Value>>, Home),
    Own(Vec<Val>),
}

/// A mapping, shared as [`List`] is.
#[derive(Clone, Debug)]
pub(super) struct Dict(Rc<RefCell<DictState>>);

#[derive(Debug)]
enum DictState {
    Lazy(Arc<Map>, Home),
    Own(ValMap),
}

impl List {
    pub fn lazy(items: &Arc<Vec<Value>>, home: &Home) -> Self {
        Self(Rc::new(RefCell::new(ListState::Lazy(
            Arc::clone(items),
            Arc::clone(home),
        ))))
    }

    pub fn new(items: Vec<Val>) -> Self {
        Self(Rc::new(RefCell::new(ListState::Own(items))))
    }

    pub fn len(&self) -> usize {
        match &*self.0.borrow() {
            ListState::Lazy(l, _) => l.len(),
            ListState::Own(l) => l.len(),
        }
    }

    pub fn get(&self, ctx: &Ctx, index: usize) -> Option<Val> {
        // The borrow ends before a template is evaluated: that may come back to this very list.
        let (item, home) = match &*self.0.borrow() {
            ListState::Own(l) => return l.get(index).cloned(),
            ListState::Lazy(l, home) => (l.get(index)?.clone(), Arc::clone(home)),
        };
        Some(ctx.lift(&item, &home))
    }

    pub fn items(&self, ctx: &Ctx) -> Vec<Val> {
        let (items, home) = match &*self.0.borrow() {
            ListState::Own(l) => return l.clone(),
            ListState::Lazy(l, home) => (Arc::clone(l), Arc::clone(home)),
        };
        items.iter().map(|v| ctx.lift(v, &home)).collect()
    }

    /// Changes the list in place, as Python's `append` does.
    pub fn change<T>(&self, ctx: &Ctx, act: impl FnOnce(&mut Vec<Val>) -> T) -> T {
        let items = self.items(ctx);
        let mut state = self.0.borrow_mut();
        if let ListState::Lazy(..) = &*state {
            *state = ListState::Own(items);
        }
        match &mut *state {
            ListState::Own(l) => act(l),
            ListState::Lazy(..) => act(&mut Vec::new()),
        }
    }

    /// The list as it came in, if nothing inside needs evaluating.
    pub fn untouched(&self) -> Option<Arc<Vec<Value>>> {
        match &*self.0.borrow() {
            ListState::Lazy(l, _) if !l.iter().any(needs_work) => Some(Arc::clone(l)),
            _ => None,
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Dict {
    pub fn lazy(map: &Arc<Map>, home: &Home) -> Self {
        Self(Rc::new(RefCell::new(DictState::Lazy(
            Arc::clone(map),
            Arc::clone(home),
        ))))
    }

    pub fn new(map: ValMap) -> Self {
        Self(Rc::new(RefCell::new(DictState::Own(map))))
    }

    pub fn len(&self) -> usize {
        match &*self.0.borrow() {
            DictState::Lazy(m, _) => m.len(),
            DictState::Own(m) => m.len(),
        }
    }

    pub fn keys(&self) -> Vec<Key> {
        match &*self.0.borrow() {
            DictState::Lazy(m, _) => m.keys().cloned().collect(),
            DictState::Own(m) => m.keys().cloned().collect(),
        }
    }

    pub fn has(&self, key: &Key) -> bool {
        match &*self.0.borrow() {
            DictState::Lazy(m, _) => m.contains_key(key),
            DictState::Own(m) => m.contains_key(key),
        }
    }

    pub fn get(&self, ctx: &Ctx, key: &Key) -> Option<Val> {
        let (item, home) = match &*self.0.borrow() {
            DictState::Own(m) => return m.get(key).cloned(),
            DictState::Lazy(m, home) => (m.get(key)?.clone(), Arc::clone(home)),
        };
        Some(ctx.lift(&item, &home))
    }

    pub fn get_str(&self, ctx: &Ctx, key: &str) -> Option<Val> {
        let (item, home) = match &*self.0.borrow() {
            DictState::Own(m) => return m.get(key).cloned(),
            DictState::Lazy(m, home) => (m.get(key)?.clone(), Arc::clone(home)),
        };
        Some(ctx.lift(&item, &home))
    }

    pub fn entries(&self, ctx: &Ctx) -> Vec<(Key, Val)> {
        let (map, home) = match &*self.0.borrow() {
            DictState::Own(m) => return m.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            DictState::Lazy(m, home) => (Arc::clone(m), Arc::clone(home)),
        };
        map.iter()
            .map(|(k, v)| (k.clone(), ctx.lift(v, &home)))
            .collect()
    }

    /// Changes the mapping in place, as Python's `update` does.
    pub fn change<T>(&self, ctx: &Ctx, act: impl FnOnce(&mut ValMap) -> T) -> T {
        let entries = self.entries(ctx);
        let mut state = self.0.borrow_mut();
        if let DictState::Lazy(..) = &*state {
            *state = DictState::Own(entries.into_iter().collect());
        }
        match &mut *state {
            DictState::Own(m) => act(m),
            DictState::Lazy(..) => act(&mut ValMap::new()),
        }
    }

    /// The mapping as it came in, if nothing inside needs evaluating.
    pub fn untouched(&self) -> Option<Arc<Map>> {
        match &*self.0.borrow() {
            DictState::Lazy(m, _) if !m.values().any(needs_work) => Some(Arc::clone(m)),
            _ => None,
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Whether a value must be evaluated before it may leave.
fn needs_work(value: &Value) -> bool {
    value.any(&|v| matches!(v, Value::Template(_) | Value::Omit))
}

impl Val {
    pub fn list(items: Vec<Val>) -> Self {
        Self::List(List::new(items))
    }

    pub fn map(map: ValMap) -> Self {
        Self::Map(Dict::new(map))
    }

    pub fn pair(a: Val, b: Val) -> Self {
        Self::Tuple([a, b].into())
    }

    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// A mapping with text keys.
    pub fn record(entries: impl IntoIterator<Item = (&'static str, Val)>) -> Self {
        Self::map(
            entries
                .into_iter()
                .map(|(k, v)| (Key::from(k), v))
                .collect(),
        )
    }

    /// Whether using it is an error: undefined, failed or not known.
    pub fn is_marker(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Unknown(_))
    }

    /// Fails if it is a marker.
    pub fn usable(&self) -> Res<&Self> {
        match self {
            Self::Missing(fault) => Err(fault.clone()),
            Self::Unknown(why) => Err(Fault::unknown(why)),
            other => Ok(other),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// A whole number; Python's truth values are numbers too.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(i) => Some(*i),
            Self::Bool(b) => Some(i128::from(*b)),
            _ => None,
        }
    }

    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(f) => Some(*f),
            other => other.as_int().map(|i| i as f64),
        }
    }

    pub fn is_sequence(&self) -> bool {
        matches!(self, Self::List(_) | Self::Tuple(_))
    }

    /// The object behind it, if it is a `T`.
    pub fn downcast<T: Object>(&self) -> Option<&T> {
        match self {
            Self::Object(o) => (&**o as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// What Python's `type(x).__name__` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "dict",
            Self::Missing(_) => "Undefined",
            Self::Unknown(_) => "unknown",
            Self::Omit => "Omit",
            Self::Object(o) => o.type_name(),
        }
    }

    /// As the key of a mapping.
    pub fn to_key(&self) -> Res<Key> {
        Ok(match self.usable()? {
            Self::Str(s) => Key::Str(Arc::clone(s)),
            Self::Bool(b) => Key::Bool(*b),
            Self::Null => Key::Null,
            Self::Int(i) => i64::try_from(*i).map_or_else(|_| Key::from(i.to_string()), Key::Int),
            Self::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Key::Int(*f as i64),
            Self::Float(f) => Key::from(super::text::float(*f)),
            other => {
                return Err(Fault::error(format!(
                    "unhashable type: '{}'",
                    other.type_name()
                )));
            }
        })
    }
}

impl From<Key> for Val {
    fn from(key: Key) -> Self {
        match key {
            Key::Str(s) => Self::Str(s),
            Key::Int(i) => Self::Int(i.into()),
            Key::Bool(b) => Self::Bool(b),
            Key::Null => Self::Null,
        }
    }
}
impl From<bool> for Val {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<&str> for Val {
    fn from(s: &str) -> Self {
        Self::Str(s.into())
    }
}
impl From<String> for Val {
    fn from(s: String) -> Self {
        Self::Str(s.into())
    }
}
impl From<i128> for Val {
    fn from(i: i128) -> Self {
        Self::Int(i)
    }
}
impl From<i64> for Val {
    fn from(i: i64) -> Self {
        Self::Int(i.into())
    }
}
impl From<usize> for Val {
    fn from(i: usize) -> Self {
        Self::Int(i as i128)
    }
}
impl From<f64> for Val {
    fn from(f: f64) -> Self {
        Self::Float(f)
    }
}
impl From<Vec<Val>> for Val {
    fn from(items: Vec<Val>) -> Self {
        Self::list(items)
    }
}
impl<T: Into<Val>> From<Option<T>> for Val {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
