//! Tags: what `!!int`, `!vault` or `!unsafe` make of a value.

use super::node::{Kind, Node};
use super::resolve::{self, Plain};
use crate::error::{Error, ErrorKind, Result};
use base64::Engine;
use std::borrow::Cow;
use std::sync::Arc;

const CORE: &str = "tag:yaml.org,2002:";

/// A tag that a value carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// None: the value's form decides.
    None,
    /// `!`: libyaml passes `! 5` on as if it had no tag, but `!` alone is empty text.
    NonSpecific,
    /// `!unsafe`
    Unsafe,
    /// `!vault`, and the old `!vault-encrypted`.
    Vault,
    /// `!!name`
    Core(String),
    /// Anything else, as written.
    Other(String),
}

impl Tag {
    pub(super) fn of(tag: Option<&granit_parser::Tag>) -> Self {
        let Some(tag) = tag else {
            return Self::None;
        };
        if let Some(name) = tag.suffix_in_namespace(CORE) {
            return Self::Core(name.into_owned());
        }
        match tag.original().as_str() {
            "!" => Self::NonSpecific,
            "!unsafe" => Self::Unsafe,
            "!vault" | "!vault-encrypted" => Self::Vault,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The value of a scalar under this tag.
    pub(super) fn scalar(&self, text: Cow<'_, str>, plain: bool) -> Result<Kind> {
        match self {
            Self::None if plain => Ok(resolved(text)),
            Self::NonSpecific if plain && !text.is_empty() => Ok(resolved(text)),
            Self::None | Self::NonSpecific => Ok(Kind::Str(text.into())),
            // As Ansible's `_resolve_and_construct_object`: quotes make no difference here.
            Self::Unsafe => Ok(resolved(text)),
            Self::Vault => match resolved(text) {
                Kind::Str(cipher) => Ok(Kind::Vault(cipher)),
                _ => Err(syntax("the tag `!vault` wants encrypted text")),
            },
            Self::Core(name) => core_scalar(name, text),
            Self::Other(name) => Err(unknown(name)),
        }
    }

    /// The value of a list under this tag.
    pub(super) fn sequence(&self, items: Vec<Node>) -> Result<Kind> {
        match self {
            Self::None | Self::NonSpecific | Self::Unsafe => Ok(Kind::Seq(items)),
            Self::Core(name) => match name.as_str() {
                "seq" => Ok(Kind::Seq(items)),
                "omap" | "pairs" => pairs(name, &items),
                _ => Err(mismatch(&format!("!!{name}"), "a list")),
            },
            Self::Vault => Err(mismatch("!vault", "a list")),
            Self::Other(name) => Err(unknown(name)),
        }
    }

    /// The value of a mapping under this tag.
    pub(super) fn mapping(&self, entries: Vec<(Node, Node)>) -> Result<Kind> {
        match self {
            Self::None | Self::NonSpecific | Self::Unsafe => Ok(Kind::Map(entries)),
            Self::Core(name) => match name.as_str() {
                "map" | "python/dict" => Ok(Kind::Map(entries)),
                "set" => Ok(Kind::Seq(entries.into_iter().map(|(key, _)| key).collect())),
                _ => Err(mismatch(&format!("!!{name}"), "a mapping")),
            },
            Self::Vault => Err(mismatch("!vault", "a mapping")),
            Self::Other(name) => Err(unknown(name)),
        }
    }
}

fn resolved(text: Cow<'_, str>) -> Kind {
    match resolve::plain(&text) {
        Plain::Null => Kind::Null,
        Plain::Bool(b) => Kind::Bool(b),
        Plain::Int(Some(i)) => Kind::Int(i),
        Plain::Float(f) => Kind::Float(f),
        Plain::Timestamp(shown) => Kind::Str(shown.into()),
        Plain::Int(None) | Plain::Merge | Plain::Value | Plain::Str => Kind::Str(text.into()),
    }
}

fn core_scalar(name: &str, text: Cow<'_, str>) -> Result<Kind> {
    let kind = match name {
        "str" | "timestamp" | "python/unicode" => Some(Kind::Str(text.clone().into())),
        "null" => Some(Kind::Null),
        "bool" => resolve::boolean(&text.to_lowercase()).map(Kind::Bool),
        "int" => resolve::int(&text).flatten().map(Kind::Int),
        "float" => float(&text).map(Kind::Float),
        "binary" => binary(&text).map(Kind::Str),
        "seq" | "map" | "omap" | "pairs" | "set" | "python/dict" => {
            return Err(mismatch(&format!("!!{name}"), "text"));
        }
        _ => return Err(unknown(&format!("!!{name}"))),
    };
    kind.ok_or_else(|| syntax(format!("`{text}` is not what the tag `!!{name}` says")))
}

fn float(text: &str) -> Option<f64> {
    let whole = || resolve::int(text).flatten().map(|i| i as f64);
    resolve::float(text)
        .or_else(whole)
        .or_else(|| text.parse().ok())
}

/// The bytes as text. What is no UTF-8 is shown as `\u{fffd}`, as it is wherever bytes are printed.
fn binary(text: &str) -> Option<Arc<str>> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into())
}

/// `!!omap` and `!!pairs`: a list of one-entry mappings becomes a list of pairs.
fn pairs(name: &str, items: &[Node]) -> Result<Kind> {
    let pair = |item: &Node| match item.as_map() {
        Some([(key, value)]) => {
            let pair = vec![key.clone(), value.clone()];
            Ok(Node::new(Kind::Seq(pair), item.span.clone()))
        }
        _ => Err(item.error(format!(
            "the tag `!!{name}` wants a list of one-entry mappings"
        ))),
    };
    Ok(Kind::Seq(items.iter().map(pair).collect::<Result<_>>()?))
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Syntax, message)
}

fn mismatch(tag: &str, what: &str) -> Error {
    syntax(format!("the tag `{tag}` does not go with {what}"))
}

fn unknown(tag: &str) -> Error {
    let known = [
        "!vault", "!unsafe", "!!str", "!!int", "!!float", "!!bool", "!!binary",
    ];
    syntax(format!("unknown tag `{tag}`"))
        .did_you_mean(tag, known)
        .hint("text that starts with `!` must be quoted")
}
