//! Parameters: read from arguments as Ansible coerces them, described for documentation and for the
//! check before a run, from one declaration ([`params!`](crate::params)).

mod declare;
mod kinds;
mod path;

use crate::error::{Error, Result};
use crate::value::{Map, Value};
pub use path::HostPath;

/// A struct of parameters, declared with [`params!`](crate::params).
pub trait Params: Sized {
    /// The documentation page.
    const DOC: &'static str;
    /// Adds the descriptions of the parameters.
    fn specs(out: &mut Vec<ParamSpec>);
    /// Rules across parameters.
    fn rules() -> Vec<Rule> {
        Vec::new()
    }
    /// Reads the parameters.
    ///
    /// # Errors
    /// When one is missing, of the wrong type, or not among its choices.
    fn read(args: &Args<'_>) -> Result<Self>;
}

/// Describes one parameter.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Ansible's name of its type: `str`, `bool`, `int`, `float`, `list`, `dict`, `path`, `raw`.
    pub kind: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// The only values allowed; empty if any is.
    pub choices: &'static [&'static str],
    /// The default, as Rust writes it; nothing if there is none.
    pub default: Option<&'static str>,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Whether a value without templates will be accepted.
    pub check: fn(&Value) -> Result<()>,
}

impl ParamSpec {
    /// Whether `name` is this parameter's name or one of its aliases.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// A rule across parameters, checked before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most one of these may be given.
    Exclusive(&'static [&'static str]),
    /// At least one of these must be given.
    OneOf(&'static [&'static str]),
    /// At least one of these must be written; that a template gives nothing is for the module to tell.
    Written(&'static [&'static str]),
    /// All of these or none.
    Together(&'static [&'static str]),
    /// When the first parameter has this value, the others must be given.
    If(&'static str, &'static str, &'static [&'static str]),
    /// The first parameter needs the others.
    Needs(&'static str, &'static [&'static str]),
}

impl Rule {
    /// Checks the rule. `given` says whether a parameter is given and what its text is.
    ///
    /// # Errors
    /// When the rule is broken.
    pub fn check(&self, given: &dyn Fn(&str) -> Option<Value>) -> Result<()> {
        let has = |name: &&&str| given(name).is_some_and(|v| !v.is_null());
        let list = |names: &[&str]| names.join(", ");
        let missing = |names: &'static [&'static str]| -> Vec<&str> {
            names.iter().filter(|n| !has(n)).copied().collect()
        };
        match self {
            Self::Exclusive(names) => {
                let both: Vec<&str> = names.iter().filter(has).copied().collect();
                if both.len() > 1 {
                    return Err(Error::params(format!(
                        "parameters are mutually exclusive: {}",
                        both.join("|")
                    )));
                }
            }
            Self::OneOf(names) | Self::Written(names) => {
                if names.iter().all(|n| !has(&n)) {
                    return Err(Error::params(format!(
                        "one of the following is required: {}",
                        list(names)
                    )));
                }
            }
            Self::Together(names) => {
                let absent = missing(names);
                if !absent.is_empty() && absent.len() < names.len() {
                    return Err(Error::params(format!(
                        "parameters are required together: {}",
                        list(names)
                    )));
                }
            }
            Self::If(name, value, needs) => {
                let is = given(name).is_some_and(|v| text(&v).is_ok_and(|t| t == *value));
                let absent = missing(needs);
                if is && !absent.is_empty() {
                    return Err(Error::params(format!(
                        "{name} is {value} but all of the following are missing: {}",
                        list(&absent)
                    )));
                }
            }
            Self::Needs(name, needs) => {
                let absent = missing(needs);
                if has(&name) && !absent.is_empty() {
                    return Err(Error::params(format!(
                        "missing parameter(s) required by '{name}': {}",
                        list(&absent)
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Arguments, evaluated.
pub struct Args<'a>(&'a Map);

impl<'a> Args<'a> {
    /// Wraps a mapping.
    #[must_use]
    pub fn new(map: &'a Map) -> Self {
        Self(map)
    }

    /// The value given for a parameter under its name or an alias; `null` and `omit` count as not given.
    #[must_use]
    pub fn get(&self, name: &str, aliases: &[&str]) -> Option<&'a Value> {
        std::iter::once(&name)
            .chain(aliases)
            .find_map(|n| self.0.get(*n))
            .filter(|v| !matches!(v, Value::Null | Value::Omit))
    }

    /// Reads one parameter.
    ///
    /// # Errors
    /// When its value does not fit its type.
    pub fn read<T: Param>(&self, name: &str, aliases: &[&str]) -> Result<Option<T>> {
        match self.get(name, aliases) {
            None => Ok(None),
            Some(value) => {
                if let Some(why) = value.unknown_reason() {
                    return Err(Error::unknown(&*why));
                }
                T::from_value(value)
                    .map(Some)
                    .map_err(|e| about(name, T::KIND, value, e))
            }
        }
    }

    /// All arguments.
    #[must_use]
    pub fn all(&self) -> &'a Map {
        self.0
    }
}

/// What is wrong with a parameter's value, beginning as ansible-core says it.
#[must_use]
pub fn about(name: &str, kind: &str, value: &Value, error: Error) -> Error {
    match error.message().strip_prefix("value must be one of") {
        Some(_) => error.prefixed("value", &format!("value of {name}")),
        None => error.context(format!(
            "argument '{name}' is of type {} and we were unable to convert to {kind}",
            match value.type_name() {
                "null" => "NoneType",
                name => name,
            }
        )),
    }
}

/// A type that a parameter can have.
pub trait Param: Sized {
    /// Ansible's name of the type.
    const KIND: &'static str;
    /// The only values allowed.
    const CHOICES: &'static [&'static str] = &[];
    /// Whether the value must not be shown.
    const SECRET: bool = false;
    /// Reads it as Ansible coerces values: `"yes"` is true, `80` is the text `80`, `a,b` is a list.
    ///
    /// # Errors
    /// When the value cannot be one of this type.
    fn from_value(value: &Value) -> Result<Self>;
}

fn wrong(kind: &str, value: &Value) -> Error {
    let shown = match value {
        Value::List(_) | Value::Map(_) => value.to_json().to_string(),
        other => text(other).unwrap_or_default(),
    };
    let short: String = shown.chars().take(60).collect();
    Error::params(format!(
        "expected {kind}, not {} `{short}`",
        match value.type_name() {
            t @ "int" => format!("an {t}"),
            t => format!("a {t}"),
        }
    ))
}

/// A scalar as text, as Python's `str` writes it.
fn text(value: &Value) -> Result<String> {
    Ok(match value {
        Value::Str(s) => s.to_string(),
        Value::Template(t) => t.text.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 1e16 => format!("{f:.1}"),
        Value::Float(f) => f.to_string(),
        Value::Null => String::new(),
        other => {
            return Err(Error::params(format!(
                "expected text, not a {}",
                other.type_name()
            )));
        }
    })
}

/// Takes Rust's raw-identifier mark off a field's name (`r#type` is the parameter `type`).
#[must_use]
pub const fn plain_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'r' && bytes[1] == b'#' {
        name.split_at(2).1
    } else {
        name
    }
}

/// Declares a parameter type that allows only some words. The first word of a row is the one that
/// is shown; others mean the same.
///
/// ```ignore
/// choices! {
///     /// Whether the package should be there.
///     pub enum State { Present = "present" | "installed", Absent = "absent" | "removed" }
/// }
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident { $( $(#[$vmeta:meta])* $variant:ident = $word:literal $( | $other:literal )* ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum $enum { $( $(#[$vmeta])* $variant ),* }

        impl $enum {
            /// The word that stands for it.
            #[must_use]
            #[allow(dead_code)]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word ),* }
            }
        }

        impl $crate::module::Param for $enum {
            const KIND: &'static str = "str";
            const CHOICES: &'static [&'static str] = &[ $( $word $( , $other )* ),* ];
            fn from_value(value: &$crate::value::Value) -> $crate::error::Result<Self> {
                let given = <String as $crate::module::Param>::from_value(value)?;
                $crate::module::choose(&given, Self::CHOICES)?;
                $( if [$word $(, $other)*].iter().any(|w| w.eq_ignore_ascii_case(&given)) { return Ok(Self::$variant); } )*
                unreachable!("every choice has its row")
            }
        }
    };
}

/// Whether `given` is one of `choices`. YAML reads `yes` and `no` as truth values; where they are
/// choices, `True` and `False` stand for them.
///
/// # Errors
/// When it is none of them: the message names them all.
pub fn choose(given: &str, choices: &[&str]) -> Result<()> {
    if choices.iter().any(|c| c.eq_ignore_ascii_case(given)) {
        return Ok(());
    }
    let list = choices.join(", ");
    Err(
        Error::params(format!("value must be one of: {list}, got: {given}"))
            .did_you_mean(given, choices.iter().copied()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;
    use crate::value::Key;

    choices! {
        /// Test.
        pub enum State { Present = "present" | "installed", Absent = "absent" }
    }

    params! {
        /// A test module.
        pub struct Sample {
            /// Where.
            required path | "dest": HostPath,
            /// How.
            default(State::Present) state: State,
            /// Which.
            optional names: Option<Vec<String>>,
        }
        rules [Rule::Needs("names", &["state"])]
    }

    fn read(pairs: &[(&str, Value)]) -> Result<Sample> {
        let map: Map = pairs
            .iter()
            .map(|(k, v)| (Key::from(*k), v.clone()))
            .collect();
        Sample::read(&Args::new(&map))
    }

    #[test]
    fn aliases_choices_and_lists_are_read_as_ansible_does() {
        let s = read(&[
            ("dest", "/x".into()),
            ("state", "installed".into()),
            ("names", "a, b".into()),
        ])
        .unwrap();
        assert_eq!(s.path.0, "/x");
        assert_eq!(s.state, State::Present);
        assert_eq!(s.names.unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_bad_choice_and_a_missing_parameter_are_named() {
        let e = read(&[("dest", "/x".into()), ("state", "presnt".into())]).unwrap_err();
        assert!(e.to_string().contains("did you mean `present`?"), "{e}");
        let e = read(&[]).unwrap_err();
        assert_eq!(e.message(), "missing required arguments: path");
    }

    #[test]
    fn truth_values_are_read_in_every_spelling() {
        for (given, want) in [("yes", true), ("Off", false), ("1", true), ("n", false)] {
            assert_eq!(bool::from_value(&given.into()).unwrap(), want, "{given}");
        }
        assert!(bool::from_value(&"maybe".into()).is_err());
    }
}
