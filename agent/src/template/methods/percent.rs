//! `'%s-%05.2f' % (a, b)`: Python's formatting of the printf kind.

use super::super::access;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::text;
use super::super::val::Val;
use super::strformat::{self, Align, Spec};
use crate::value::Key;

/// Formats `values` (a tuple, a mapping or one value) after `format`.
pub(in super::super) fn format(ctx: &Ctx, format: &str, values: &Val) -> Res<String> {
    let tuple = match values.usable()? {
        Val::Tuple(t) => t.to_vec(),
        one => vec![one.clone()],
    };
    let mut state = State {
        ctx,
        values,
        tuple: tuple.into_iter(),
        chars: format.chars().peekable(),
    };
    let mut out = String::with_capacity(format.len());
    let mut named = false;
    while let Some(c) = state.chars.next() {
        if c == '%' {
            named |= state.chars.peek() == Some(&'(');
            state.directive(&mut out)?;
        } else {
            out.push(c);
        }
    }
    let is_mapping = named || matches!(values, Val::Map(_));
    if !is_mapping && state.tuple.next().is_some() {
        return Err(Fault::error(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out)
}

struct State<'c, 't, 's> {
    ctx: &'c Ctx<'t>,
    values: &'s Val,
    tuple: std::vec::IntoIter<Val>,
    chars: std::iter::Peekable<std::str::Chars<'s>>,
}

impl State<'_, '_, '_> {
    fn directive(&mut self, out: &mut String) -> Res<()> {
        let mut value = None;
        if self.chars.next_if_eq(&'(').is_some() {
            let key: String = self.chars.by_ref().take_while(|c| *c != ')').collect();
            value = Some(self.named(&key)?);
        }
        let mut spec = Spec::default();
        while let Some(flag) = self.chars.next_if(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = Some(Align::Left),
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                sign => spec.sign = Some(sign),
            }
        }
        spec.width = self.number()?;
        if self.chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(self.number()?.unwrap_or(0));
        }
        while self.chars.next_if(|c| "hlL".contains(*c)).is_some() {}
        let Some(kind) = self.chars.next() else {
            return Err(Fault::error("incomplete format"));
        };
        if kind == '%' {
            out.push('%');
            return Ok(());
        }
        let value = match value {
            Some(value) => value,
            None => self.next()?,
        };
        out.push_str(&self.convert(kind, spec, &value)?);
        Ok(())
    }

    fn next(&mut self) -> Res<Val> {
        self.tuple
            .next()
            .ok_or_else(|| Fault::error("not enough arguments for format string"))
    }

    fn named(&self, key: &str) -> Res<Val> {
        let entries = access::entries(self.ctx, self.values)?
            .ok_or_else(|| Fault::error("format requires a mapping"))?;
        let found = entries.into_iter().find(|(k, _)| *k == Key::from(key));
        found
            .map(|(_, v)| v)
            .ok_or_else(|| Fault::error(format!("there is no key '{key}' to format")))
    }

    fn number(&mut self) -> Res<Option<usize>> {
        if self.chars.next_if_eq(&'*').is_some() {
            let value = self.next()?.as_int().unwrap_or(0);
            return strformat::limited(usize::try_from(value.max(0)).unwrap_or(usize::MAX))
                .map(Some);
        }
        let mut digits = String::new();
        while let Some(c) = self.chars.next_if(char::is_ascii_digit) {
            digits.push(c);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        strformat::limited(digits.parse().unwrap_or(usize::MAX)).map(Some)
    }

    fn convert(&self, kind: char, mut spec: Spec, value: &Val) -> Res<String> {
        match kind {
            's' | 'r' | 'a' => {
                let text = if kind == 's' {
                    text::to_text(self.ctx, value)?
                } else {
                    text::repr(self.ctx, value)?
                };
                spec.zero = false;
                spec.align.get_or_insert(Align::Right);
                Ok(spec.text(&text))
            }
            'c' => match value.usable()? {
                Val::Str(s) => Ok(spec.text(s)),
                other => {
                    let code = other.as_int().and_then(|i| u32::try_from(i).ok());
                    Ok(spec.text(&code.and_then(char::from_u32).unwrap_or('?').to_string()))
                }
            },
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let number = match value.usable()? {
                    Val::Float(f) if f.is_finite() => Some(*f as i128),
                    other => other.as_int(),
                };
                let Some(number) = number else {
                    return Err(Fault::error(format!(
                        "%{kind} format: a real number is required, not {}",
                        value.type_name()
                    )));
                };
                spec.kind = Some(if "iu".contains(kind) { 'd' } else { kind });
                // For whole numbers the precision is the least number of digits.
                if let Some(digits) = spec.precision.take() {
                    let text = format!("{:0>digits$}", number.unsigned_abs());
                    return Ok(spec.number(number < 0, "", &text));
                }
                spec.integer(number)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let Some(number) = value.usable()?.as_float() else {
                    return Err(Fault::error(format!(
                        "must be real number, not {}",
                        value.type_name()
                    )));
                };
                spec.kind = Some(kind);
                spec.float(number)
            }
            other => Err(Fault::error(format!(
                "unsupported format character '{other}'"
            ))),
        }
    }
}
