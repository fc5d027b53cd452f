//! [`Value`]: what variables, parameters and results are made of.
//!
//! A string that a playbook or inventory wrote and that holds template markers is a
//! [`Value::Template`]; every other string is a [`Value::Str`] and is never evaluated. That is
//! ansible-core 2.19's rule of trust, held by the type: what a host answered cannot become code.

use crate::source::Span;
use indexmap::{Equivalent, IndexMap};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Keys in the order they were written.
pub type Map = IndexMap<Key, Value>;

/// A value as YAML and Jinja know it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`, Python's `None`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text that is never evaluated.
    Str(Arc<str>),
    /// Text of a playbook that is evaluated when it is used.
    Template(Arc<TemplateText>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A mapping.
    Map(Arc<Map>),
    /// Check mode cannot know this; the text says why.
    Unknown(Arc<str>),
    /// The place of an argument that must be left out (Ansible's `omit`).
    Omit,
}

/// Text with template markers, and where it was written.
#[derive(Debug)]
pub struct TemplateText {
    /// The text, as written.
    pub text: Arc<str>,
    /// Where, if it came from a file.
    pub span: Option<Span>,
}

impl PartialEq for TemplateText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A key of a [`Map`]. YAML allows numbers and truth values as keys, and Python keeps them apart from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Text.
    Str(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// `null`.
    Null,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            // As `str` hashes, so that a map can be asked with a `&str`.
            Self::Str(s) => s.hash(state),
            Self::Int(i) => i.hash(state),
            Self::Bool(b) => b.hash(state),
            Self::Null => 0_u8.hash(state),
        }
    }
}

impl Equivalent<Key> for str {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Str(s) if **s == *self)
    }
}

impl Key {
    /// The text of a text key.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The key as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Str(s) => Value::Str(Arc::clone(s)),
            Self::Int(i) => Value::Int(*i),
            Self::Bool(b) => Value::Bool(*b),
            Self::Null => Value::Null,
        }
    }
}

impl fmt::Display for Key {
    /// As JSON writes a Python key: `true`, `null`, `1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(s) => f.write_str(s),
            Self::Int(i) => write!(f, "{i}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl From<&str> for Key {
    fn from(s: &str) -> Self {
        Self::Str(s.into())
    }
}
impl From<String> for Key {
    fn from(s: String) -> Self {
        Self::Str(s.into())
    }
}
impl From<Arc<str>> for Key {
    fn from(s: Arc<str>) -> Self {
        Self::Str(s)
    }
}

impl Value {
    /// `over` in the place of this; of two mappings, their entries together, all the way down (Ansible's
    /// `hash_behaviour: merge`).
    #[must_use]
    pub fn merged(self, over: Self) -> Self {
        match (self, over) {
            (Self::Map(under), Self::Map(over)) => {
                let mut out = (*under).clone();
                for (key, value) in over.iter() {
                    let value = match out.get(key) {
                        Some(present) => present.clone().merged(value.clone()),
                        None => value.clone(),
                    };
                    out.insert(key.clone(), value);
                }
                out.into()
            }
            (_, over) => over,
        }
    }

    /// Text as a playbook wrote it: a [`Value::Template`] if it has markers, else a [`Value::Str`].
    #[must_use]
    pub fn written(text: impl Into<Arc<str>>, span: Option<&Span>) -> Self {
        let text = text.into();
        if has_markers(&text) {
            Self::Template(Arc::new(TemplateText {
                text,
                span: span.cloned(),
            }))
        } else {
            Self::Str(text)
        }
    }

    /// A list.
    #[must_use]
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A mapping.
    #[must_use]
    pub fn map(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }

    /// The text of a string or of an unevaluated template.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            Self::Template(t) => Some(&t.text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(l) => Some(l),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The value under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map().and_then(|m| m.get(key))
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Python's truth: empty text, zero, empty containers and `None` are false.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null | Self::Omit => false,
            Self::Bool(b) => *b,
            Self::Int(i) => *i != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::Template(t) => !t.text.is_empty(),
            Self::List(l) => !l.is_empty(),
            Self::Map(m) => !m.is_empty(),
            Self::Unknown(_) => true,
        }
    }

    /// Whether a template or an unknown is anywhere inside.
    #[must_use]
    pub fn any(&self, test: &dyn Fn(&Value) -> bool) -> bool {
        test(self)
            || match self {
                Self::List(l) => l.iter().any(|v| v.any(test)),
                Self::Map(m) => m.values().any(|v| v.any(test)),
                _ => false,
            }
    }

    /// Whether a template is anywhere inside.
    #[must_use]
    pub fn has_template(&self) -> bool {
        self.any(&|v| matches!(v, Self::Template(_)))
    }

    /// Why this value, or a part of it, is not known in check mode.
    #[must_use]
    pub fn unknown_reason(&self) -> Option<Arc<str>> {
        match self {
            Self::Unknown(why) => Some(Arc::clone(why)),
            Self::List(l) => l.iter().find_map(Self::unknown_reason),
            Self::Map(m) => m.values().find_map(Self::unknown_reason),
            _ => None,
        }
    }

    /// What Python's `type(x).__name__` says, for error messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Template(_) => "template",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
            Self::Unknown(_) => "unknown",
            Self::Omit => "omit",
        }
    }

    /// As JSON. Templates become their text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or(serde_json::Value::Null)
    }
}

/// Whether `text` holds a template marker at all.
#[must_use]
pub fn has_markers(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .windows(2)
        .any(|w| w[0] == b'{' && matches!(w[1], b'{' | b'%' | b'#'))
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Self::Int(i)
    }
}
impl From<i32> for Value {
    fn from(i: i32) -> Self {
        Self::Int(i.into())
    }
}
impl From<u32> for Value {
    fn from(i: u32) -> Self {
        Self::Int(i.into())
    }
}
impl From<u64> for Value {
    fn from(i: u64) -> Self {
        i64::try_from(i).map_or(Self::Float(i as f64), Self::Int)
    }
}
impl From<usize> for Value {
    fn from(i: usize) -> Self {
        Self::from(i as u64)
    }
}
impl From<f64> for Value {
    fn from(f: f64) -> Self {
        Self::Float(f)
    }
}
impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::Str(s.into())
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::Str(s.into())
    }
}
impl From<&String> for Value {
    fn from(s: &String) -> Self {
        Self::Str(s.as_str().into())
    }
}
impl From<Arc<str>> for Value {
    fn from(s: Arc<str>) -> Self {
        Self::Str(s)
    }
}
impl From<Map> for Value {
    fn from(m: Map) -> Self {
        Self::map(m)
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(v: Vec<T>) -> Self {
        Self::list(v.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}
impl From<serde_json::Value> for Value {
    /// Strings become [`Value::Str`]: JSON comes from hosts and services, and is never evaluated.
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(b),
            serde_json::Value::Number(n) => n
                .as_i64()
                .map_or_else(|| Self::Float(n.as_f64().unwrap_or(f64::NAN)), Self::Int),
            serde_json::Value::String(s) => Self::from(s),
            serde_json::Value::Array(a) => Self::list(a.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(o) => Self::map(
                o.into_iter()
                    .map(|(k, v)| (Key::from(k), Self::from(v)))
                    .collect(),
            ),
        }
    }
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null | Self::Omit => s.serialize_unit(),
            Self::Bool(b) => s.serialize_bool(*b),
            Self::Int(i) => s.serialize_i64(*i),
            Self::Float(f) => s.serialize_f64(*f),
            Self::Str(text) => s.serialize_str(text),
            Self::Template(t) => s.serialize_str(&t.text),
            Self::List(l) => {
                let mut seq = s.serialize_seq(Some(l.len()))?;
                for v in l.iter() {
                    seq.serialize_element(v)?;
                }
                seq.end()
            }
            Self::Map(m) => {
                let mut map = s.serialize_map(Some(m.len()))?;
                for (k, v) in m.iter() {
                    map.serialize_entry(&k.to_string(), v)?;
                }
                map.end()
            }
            Self::Unknown(_) => s.serialize_str("unknown in check mode"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }
    fn visit_u64<E>(self, i: u64) -> Result<Value, E> {
        Ok(Value::from(i))
    }
    fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
        Ok(Value::Float(f))
    }
    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::from(s))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(v) = seq.next_element()? {
            items.push(v);
        }
        Ok(Value::list(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some((k, v)) = map.next_entry::<String, Value>()? {
            out.insert(Key::from(k), v);
        }
        Ok(Value::map(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_text_with_markers_is_a_template() {
        assert!(matches!(
            Value::written("{{ x }}", None),
            Value::Template(_)
        ));
        assert!(matches!(Value::written("plain", None), Value::Str(_)));
        assert!(matches!(Value::from("{{ x }}"), Value::Str(_)));
    }

    #[test]
    fn a_map_is_asked_with_text_and_keeps_numbers_apart() {
        let map: Map = [
            (Key::from("a"), Value::Int(1)),
            (Key::Int(80), Value::Int(2)),
            (Key::from("80"), Value::Int(3)),
        ]
        .into_iter()
        .collect();
        assert_eq!(map.get("a"), Some(&Value::Int(1)));
        assert_eq!(map.get("80"), Some(&Value::Int(3)));
        assert_eq!(map.get(&Key::Int(80)), Some(&Value::Int(2)));
    }
}
