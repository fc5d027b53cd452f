//! [`Node`]: one value of a YAML file, and where it was written.

use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::VaultKeys;
use crate::source::Span;
use crate::value::{Key, Map, Value};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// One value of a YAML file. Cheap to clone; its parts are reached as fields of [`NodeData`].
#[derive(Clone)]
pub struct Node(Arc<NodeData>);

/// What a [`Node`] holds.
#[derive(Debug)]
pub struct NodeData {
    /// Where it was written. Of text: its first character, inside any quotes; of a block scalar,
    /// its first line.
    pub span: Span,
    /// The value.
    pub kind: Kind,
    /// Written as a plain scalar, without quotes or block style.
    pub plain: bool,
    /// Under `!unsafe`: text in here is never a template.
    pub unsafe_: bool,
}

/// The value of a [`Node`].
#[derive(Clone, Debug)]
pub enum Kind {
    /// `null`, `~` or nothing at all.
    Null,
    /// `yes`, `off`, `true` …
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text, also dates and numbers beyond 64 bits.
    Str(Arc<str>),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, merge keys resolved and doubles removed, in Python's order.
    Map(Vec<(Node, Node)>),
    /// `!vault` with its ciphertext.
    Vault(Arc<str>),
}

impl Deref for Node {
    type Target = NodeData;

    fn deref(&self) -> &NodeData {
        &self.0
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Seq(items) => f.debug_list().entries(items).finish(),
            Kind::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|(k, v)| (k, v)))
                .finish(),
            scalar => scalar.fmt(f),
        }
    }
}

impl Node {
    /// A node of `kind` at `span`, as if written in quotes.
    #[must_use]
    pub fn new(kind: Kind, span: Span) -> Self {
        Self::from_data(NodeData {
            span,
            kind,
            plain: false,
            unsafe_: false,
        })
    }

    pub(super) fn from_data(data: NodeData) -> Self {
        Self(Arc::new(data))
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match &self.kind {
            Kind::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The value under the text key `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value under `key`: the key's node has the place to point at.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.as_map()?
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))
    }

    /// The sort of value, in words for an error: `a list`, `text` …
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a truth value",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Str(_) => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Vault(_) => "a vaulted value",
        }
    }

    /// A syntax error at this node.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Syntax, message).at(&self.span)
    }

    /// The scalar as the text a person would write for it (`true`, `10`); `None` for lists,
    /// mappings, `null` and vaulted values.
    #[must_use]
    pub fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(b) => Some(b.to_string()),
            Kind::Int(i) => Some(i.to_string()),
            Kind::Float(f) => Some(super::python_float(*f)),
            Kind::Str(s) => Some(s.to_string()),
            Kind::Null | Kind::Seq(_) | Kind::Map(_) | Kind::Vault(_) => None,
        }
    }

    /// The value: text with markers becomes a template unless it is `!unsafe`, vaulted text is
    /// decrypted.
    ///
    /// # Errors
    /// With the place, if a vaulted value cannot be decrypted.
    pub fn to_value(&self, vault: &VaultKeys) -> Result<Value> {
        Ok(match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Int(i) => Value::Int(*i),
            Kind::Float(f) => Value::Float(*f),
            Kind::Str(s) => self.text_value(Arc::clone(s)),
            Kind::Vault(cipher) if vault.keeps_sealed() => crate::playbook::vault::sealed(cipher),
            Kind::Vault(cipher) => match vault.decrypt_value(cipher) {
                Ok(text) => self.text_value(text.into()),
                Err(error) => self.locked(&error),
            },
            Kind::Seq(items) => Value::list(
                items
                    .iter()
                    .map(|item| item.to_value(vault))
                    .collect::<Result<_>>()?,
            ),
            Kind::Map(_) => Value::map(self.to_map(vault)?),
        })
    }

    /// What stands for a vaulted value that no password opens: as in Ansible, only its use is an
    /// error, since many values of a file are those of other hosts.
    fn locked(&self, error: &Error) -> Value {
        let hint = error.message().replace('\\', "\\\\").replace('\'', "\\'");
        let text = format!("{{{{ undef(hint='{hint}', locked=true) }}}}");
        Value::written(text, Some(&self.span))
    }

    fn text_value(&self, text: Arc<str>) -> Value {
        if self.unsafe_ && text.contains('{') {
            Value::Str(text)
        } else if self.unsafe_ {
            // Other plain text may be taken for an expression (`when`, `debug: var=`): this one gives
            // itself, and nothing else.
            let inert = format!("{{% raw %}}{text}{{% endraw %}}");
            Value::written(inert, Some(&self.span))
        } else {
            Value::written(text, Some(&self.span))
        }
    }

    /// As [`Node::to_value`], of a mapping; `null` counts as an empty one, as for an empty file.
    ///
    /// # Errors
    /// If it is something else, or a vaulted value cannot be decrypted.
    pub fn to_map(&self, vault: &VaultKeys) -> Result<Map> {
        let entries = match &self.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Null => &[],
            _ => {
                return Err(self.error(format!("expected a mapping, but this is {}", self.what())));
            }
        };
        entries
            .iter()
            .map(|(key, value)| Ok((key.to_key(), value.to_value(vault)?)))
            .collect()
    }

    /// The node as a key. Loading has made sure that keys are scalars; a fraction becomes its text.
    #[must_use]
    pub fn to_key(&self) -> Key {
        match &self.kind {
            Kind::Str(s) | Kind::Vault(s) => Key::Str(Arc::clone(s)),
            Kind::Int(i) => Key::Int(*i),
            Kind::Bool(b) => Key::Bool(*b),
            Kind::Float(f) => Key::from(super::python_float(*f)),
            Kind::Null | Kind::Seq(_) | Kind::Map(_) => Key::Null,
        }
    }
}
