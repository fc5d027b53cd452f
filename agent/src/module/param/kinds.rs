//! The types of parameters, and what each is read from: Ansible is lenient, and so is this.

use super::{Param, text, wrong};
use crate::error::Result;
use crate::secret::Secret;
use crate::value::{Key, Map, Value};

impl Param for String {
    const KIND: &'static str = "str";
    fn from_value(value: &Value) -> Result<Self> {
        text(value)
    }
}

impl Param for Secret<String> {
    const KIND: &'static str = "str";
    const SECRET: bool = true;
    fn from_value(value: &Value) -> Result<Self> {
        text(value).map(Secret::new)
    }
}

impl Param for bool {
    const KIND: &'static str = "bool";
    fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::Bool(b) => return Ok(*b),
            Value::Int(0) => return Ok(false),
            Value::Int(1) => return Ok(true),
            Value::Float(f) if *f == 0.0 || *f == 1.0 => return Ok(*f == 1.0),
            Value::Str(s) => match s.to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" | "true" | "t" | "y" | "1.0" => return Ok(true),
                "no" | "off" | "0" | "false" | "f" | "n" | "0.0" => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(wrong("a truth value (true or false)", value))
    }
}

impl Param for i64 {
    const KIND: &'static str = "int";
    fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::Int(i) => Ok(*i),
            Value::Bool(b) => Ok(i64::from(*b)),
            Value::Float(f) if f.fract() == 0.0 => Ok(*f as i64),
            Value::Str(s) => s.trim().parse().map_err(|_| wrong("a whole number", value)),
            _ => Err(wrong("a whole number", value)),
        }
    }
}

impl Param for u64 {
    const KIND: &'static str = "int";
    fn from_value(value: &Value) -> Result<Self> {
        u64::try_from(i64::from_value(value)?).map_err(|_| wrong("a number of 0 or more", value))
    }
}

impl Param for u32 {
    const KIND: &'static str = "int";
    fn from_value(value: &Value) -> Result<Self> {
        u32::try_from(i64::from_value(value)?).map_err(|_| wrong("a number of 0 or more", value))
    }
}

impl Param for u16 {
    const KIND: &'static str = "int";
    fn from_value(value: &Value) -> Result<Self> {
        u16::try_from(i64::from_value(value)?)
            .map_err(|_| wrong("a number between 0 and 65535", value))
    }
}

impl Param for f64 {
    const KIND: &'static str = "float";
    fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::Float(f) => Ok(*f),
            Value::Int(i) => Ok(*i as f64),
            Value::Str(s) => s.trim().parse().map_err(|_| wrong("a number", value)),
            _ => Err(wrong("a number", value)),
        }
    }
}

impl Param for Value {
    const KIND: &'static str = "raw";
    fn from_value(value: &Value) -> Result<Self> {
        Ok(value.clone())
    }
}

impl Param for Map {
    const KIND: &'static str = "dict";
    fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::Map(m) => Ok((**m).clone()),
            Value::Str(s) if s.trim_start().starts_with('{') => {
                match serde_json::from_str::<Value>(s) {
                    Ok(Value::Map(m)) => Ok((*m).clone()),
                    _ => Err(wrong("a mapping", value)),
                }
            }
            Value::Str(s) if s.contains('=') => s
                .split([',', ' '])
                .filter(|part| !part.is_empty())
                .map(|part| {
                    let (k, v) = part
                        .split_once('=')
                        .ok_or_else(|| wrong("a mapping", value))?;
                    Ok((Key::from(k.trim()), Value::from(v.trim())))
                })
                .collect(),
            _ => Err(wrong("a mapping", value)),
        }
    }
}

impl<T: Param> Param for Vec<T> {
    const KIND: &'static str = "list";
    const CHOICES: &'static [&'static str] = T::CHOICES;
    fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::List(items) => items.iter().map(T::from_value).collect(),
            Value::Str(s) if T::KIND != "raw" && T::KIND != "dict" => s
                .split(',')
                .map(|part| T::from_value(&Value::from(part.trim())))
                .collect(),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(vec![T::from_value(value)?]),
            Value::Map(_) if T::KIND == "dict" || T::KIND == "raw" => {
                Ok(vec![T::from_value(value)?])
            }
            _ => Err(wrong("a list", value)),
        }
    }
}

impl<T: Param> Param for Option<T> {
    const KIND: &'static str = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const SECRET: bool = T::SECRET;
    fn from_value(value: &Value) -> Result<Self> {
        T::from_value(value).map(Some)
    }
}
