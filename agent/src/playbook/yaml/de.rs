//! Typed structs out of nodes, through serde; errors keep the place.
//!
//! A field of type [`Node`] takes its node as it is, with everything below.

use super::compose::load;
use super::node::{Kind, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::source::SourceFile;
use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use std::cell::RefCell;
use std::fmt;

/// Reads a `T` from YAML text: serde's familiar face, for tests and small files.
///
/// # Errors
/// As [`load`] and [`from_node`] do; also if there is more than one document.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T> {
    let file = SourceFile::new("<text>", text);
    match load(&file)?.single()? {
        Some(node) => from_node(node),
        None => T::deserialize(serde::de::value::UnitDeserializer::<Fault>::new()).map_err(|e| e.0),
    }
}

/// Reads a `T` from a node. A [`crate::value::Value`] read this way holds no templates: take a
/// [`Node`] and call [`Node::to_value`] where text may be one.
///
/// # Errors
/// With the place, if the node is not what `T` wants.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T> {
    T::deserialize(Reader { node }).map_err(|fault| fault.0)
}

/// [`Error`] as serde wants one.
#[derive(Debug)]
pub struct Fault(Error);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Error::new(ErrorKind::Syntax, message.to_string()))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(
            Error::new(ErrorKind::Syntax, format!("unknown key `{field}`"))
                .did_you_mean(field, expected.iter().copied()),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let choices = expected.join("`, `");
        Self(
            Error::new(
                ErrorKind::Syntax,
                format!("`{variant}` is not one of `{choices}`"),
            )
            .did_you_mean(variant, expected.iter().copied()),
        )
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key `{field}` is missing"))
    }
}

struct Reader<'n> {
    node: &'n Node,
}

impl<'n> Reader<'n> {
    fn at<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| Fault(fault.0.at(&self.node.span)))
    }

    fn refuse(&self, expected: &dyn serde::de::Expected) -> Fault {
        let unexpected = match &self.node.kind {
            Kind::Null => Unexpected::Unit,
            Kind::Bool(b) => Unexpected::Bool(*b),
            Kind::Int(i) => Unexpected::Signed(*i),
            Kind::Float(f) => Unexpected::Float(*f),
            Kind::Str(s) => Unexpected::Str(s),
            Kind::Seq(_) => Unexpected::Other("a list"),
            Kind::Map(_) => Unexpected::Other("a mapping"),
            Kind::Vault(_) => Unexpected::Other("a vaulted value"),
        };
        Fault::invalid_type(unexpected, expected)
    }
}

/// The name under which a [`Node`] asks for itself.
const NODE: &str = "lks::Node";

thread_local! {
    /// The node on its way from a [`Reader`] into the `Node` that asked: serde's data model has
    /// no room for it.
    static PASSED: RefCell<Option<Node>> = const { RefCell::new(None) };
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node of a YAML file")
            }
            fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
                PASSED
                    .with_borrow_mut(Option::take)
                    .ok_or_else(|| E::custom("a node can only be read from a node"))
            }
        }
        d.deserialize_newtype_struct(NODE, Take)
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Int(i) => visitor.visit_i64(*i),
            Kind::Float(f) => visitor.visit_f64(*f),
            Kind::Str(s) => visitor.visit_str(s),
            Kind::Seq(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                value: None,
            }),
            Kind::Vault(_) => Err(self.refuse(&visitor)),
        };
        self.at(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name != NODE {
            return visitor.visit_newtype_struct(self);
        }
        PASSED.with_borrow_mut(|slot| *slot = Some(self.node.clone()));
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (name, content) = match &self.node.kind {
            Kind::Str(_) => (self.node, None),
            Kind::Map(entries) => match entries.as_slice() {
                [(name, content)] => (name, Some(content)),
                _ => return self.at(Err(self.refuse(&"a mapping with one key"))),
            },
            _ => return self.at(Err(self.refuse(&visitor))),
        };
        let result = visitor.visit_enum(Choice { name, content });
        self.at(result)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|node| seed.deserialize(Reader { node }))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'n> {
    rest: std::slice::Iter<'n, (Node, Node)>,
    value: Option<&'n Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(Reader { node: key }).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        match self.value.take() {
            Some(node) => seed.deserialize(Reader { node }),
            None => Err(Fault::custom("a value was asked for before its key")),
        }
    }
}

struct Choice<'n> {
    name: &'n Node,
    content: Option<&'n Node>,
}

impl<'de, 'n> EnumAccess<'de> for Choice<'n> {
    type Error = Fault;
    type Variant = Content<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'n>), Fault> {
        let name = seed.deserialize(Reader { node: self.name })?;
        Ok((name, Content(self.content)))
    }
}

struct Content<'n>(Option<&'n Node>);

impl<'n> Content<'n> {
    fn reader(&self) -> Result<Reader<'n>, Fault> {
        self.0
            .map(|node| Reader { node })
            .ok_or_else(|| Fault::custom("this choice needs a value"))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.0 {
            Some(node) if !node.is_null() => Err(Fault(node.error("this choice takes no value"))),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.reader()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.reader()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.reader()?.deserialize_any(visitor)
    }
}
