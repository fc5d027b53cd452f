//! Arguments bound to the parameters of a filter, test, lookup or method.

use super::access;
use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::ops;
use super::text;
use super::val::{Args, Val};
use crate::value::Key;
use std::sync::Arc;

/// Names of parameters in order. A last `*name` takes any number, `**name` any named ones.
pub(super) type Params = &'static [&'static str];

/// What runs a filter, a test, a lookup or a method.
pub(super) type Function = fn(&Call) -> Res<Val>;

/// A call with its arguments in place.
pub(super) struct Call<'c, 't> {
    pub ctx: &'c Ctx<'t>,
    params: Params,
    slots: Vec<Option<Val>>,
    /// What `*name` took.
    pub rest: Vec<Val>,
    /// What `**name` took.
    pub named: Vec<(Arc<str>, Val)>,
}

impl<'c, 't> Call<'c, 't> {
    /// Puts `input` (the filtered value) and `args` into the slots of `params`.
    pub fn bind(
        ctx: &'c Ctx<'t>,
        params: Params,
        input: Option<Val>,
        args: Args,
    ) -> Res<Call<'c, 't>> {
        let plain = params.iter().take_while(|p| !p.starts_with('*')).count();
        let mut call = Self {
            ctx,
            params,
            slots: vec![None; plain],
            rest: Vec::new(),
            named: Vec::new(),
        };
        let takes_rest = params[plain..].iter().any(|p| !p.starts_with("**"));
        let takes_named = params.last().is_some_and(|p| p.starts_with("**"));
        for (i, value) in input.into_iter().chain(args.pos).enumerate() {
            match call.slots.get_mut(i) {
                Some(slot) => *slot = Some(value),
                None if takes_rest => call.rest.push(value),
                None => {
                    return Err(Fault::error(format!(
                        "takes {plain} arguments, and was given more"
                    ))
                    .hint(call.usage()));
                }
            }
        }
        for (name, value) in args.named {
            match params[..plain].iter().position(|p| **p == *name) {
                Some(i) if call.slots[i].is_none() => call.slots[i] = Some(value),
                Some(_) => {
                    return Err(Fault::error(format!(
                        "got multiple values for argument '{name}'"
                    )));
                }
                None if takes_named => call.named.push((name, value)),
                None => {
                    return Err(Fault::error(format!(
                        "got an unexpected keyword argument '{name}'"
                    ))
                    .hint(call.usage()));
                }
            }
        }
        Ok(call)
    }

    fn usage(&self) -> String {
        format!("its arguments are: {}", self.params.join(", "))
    }

    /// The argument, if it was given.
    pub fn get(&self, i: usize) -> Option<&Val> {
        self.slots.get(i).and_then(Option::as_ref)
    }

    /// The argument, if it was given and is not `None`.
    pub fn given(&self, i: usize) -> Option<&Val> {
        self.get(i).filter(|v| !matches!(v, Val::Null))
    }

    /// The argument, which must be given.
    pub fn need(&self, i: usize) -> Res<&Val> {
        match self.get(i) {
            Some(value) => Ok(value),
            None => Err(Fault::error(format!(
                "missing required argument: '{}'",
                self.params.get(i).unwrap_or(&"?")
            ))
            .hint(self.usage())),
        }
    }

    /// The argument as Python's `str` gives it.
    pub fn text(&self, i: usize) -> Res<String> {
        text::to_text(self.ctx, self.need(i)?)
    }

    /// As [`Call::text`], or `default`.
    pub fn text_or(&self, i: usize, default: &str) -> Res<String> {
        match self.given(i) {
            Some(value) => text::to_text(self.ctx, value),
            None => Ok(default.to_owned()),
        }
    }

    /// As [`Call::text`], if it was given.
    pub fn opt_text(&self, i: usize) -> Res<Option<String>> {
        self.given(i)
            .map(|v| text::to_text(self.ctx, v))
            .transpose()
    }

    /// The argument, which must be text already.
    pub fn string(&self, i: usize) -> Res<&str> {
        match self.need(i)?.usable()? {
            Val::Str(s) => Ok(s),
            other => Err(Fault::error(format!(
                "'{}' must be text, not {}",
                self.params.get(i).unwrap_or(&"?"),
                other.type_name()
            ))),
        }
    }

    /// The argument as a whole number; text with digits is one.
    pub fn int(&self, i: usize) -> Res<i128> {
        let value = self.need(i)?.usable()?;
        let number = match value {
            Val::Float(f) => Some(*f as i128),
            Val::Str(s) => s.trim().parse().ok(),
            other => other.as_int(),
        };
        number.ok_or_else(|| {
            Fault::error(format!(
                "'{}' must be a number, not {}",
                self.params.get(i).unwrap_or(&"?"),
                value.type_name()
            ))
        })
    }

    pub fn int_or(&self, i: usize, default: i128) -> Res<i128> {
        self.given(i).map_or(Ok(default), |_| self.int(i))
    }

    /// A count, which cannot be below zero.
    pub fn size_or(&self, i: usize, default: usize) -> Res<usize> {
        match self.given(i) {
            Some(_) => Ok(usize::try_from(self.int(i)?.max(0)).unwrap_or(usize::MAX)),
            None => Ok(default),
        }
    }

    /// The argument as a number with a fraction.
    pub fn float(&self, i: usize) -> Res<f64> {
        let value = self.need(i)?.usable()?;
        value
            .as_float()
            .ok_or_else(|| Fault::error(format!("must be real number, not {}", value.type_name())))
    }

    /// The argument's truth, or `default`.
    pub fn truth_or(&self, i: usize, default: bool) -> Res<bool> {
        self.get(i).map_or(Ok(default), |v| ops::truth(self.ctx, v))
    }

    /// What iterating over the argument gives.
    pub fn items(&self, i: usize) -> Res<Vec<Val>> {
        access::iterate(self.ctx, self.need(i)?)
    }

    /// The items of a list, for filters that take nothing else.
    pub fn sequence(&self, i: usize) -> Res<Vec<Val>> {
        let value = self.need(i)?.usable()?;
        if matches!(value, Val::Str(_) | Val::Map(_)) {
            return Err(Fault::error(format!(
                "a list is wanted, not {}",
                value.type_name()
            )));
        }
        access::iterate(self.ctx, value)
    }

    /// The entries of a mapping.
    pub fn entries(&self, i: usize) -> Res<Vec<(Key, Val)>> {
        let value = self.need(i)?;
        access::entries(self.ctx, value)?
            .ok_or_else(|| Fault::error(format!("a dict is wanted, not {}", value.type_name())))
    }

    /// The names of the parameters that were given beyond the declared ones, as arguments again.
    pub fn spare(&self) -> Args {
        Args {
            pos: self.rest.clone(),
            named: self.named.clone(),
        }
    }
}

impl Args {
    /// The first marker among the arguments.
    pub fn marker(&self) -> Option<&Val> {
        let named = self.named.iter().map(|(_, v)| v);
        self.pos.iter().chain(named).find(|v| v.is_marker())
    }
}
