//! Truth, equality, order and arithmetic, as Python has them.

use super::access;
use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::methods::percent;
use super::program::{Binary, Compare};
use super::text;
use super::val::{List, Val};
use std::cmp::Ordering;

/// Text and lists that multiplication makes may hold this many bytes or items.
const MAX_LEN: usize = 1 << 26;

/// Python's truth.
pub(super) fn truth(ctx: &Ctx, value: &Val) -> Res<bool> {
    if let Val::Missing(fault) = value
        && fault.is_blank()
    {
        return Ok(false);
    }
    Ok(match value.usable()? {
        Val::Null => false,
        Val::Bool(b) => *b,
        Val::Int(i) => *i != 0,
        Val::Float(f) => *f != 0.0,
        Val::Str(s) => !s.is_empty(),
        Val::List(l) => l.len() > 0,
        Val::Tuple(t) => !t.is_empty(),
        Val::Map(m) => m.len() > 0,
        Val::Object(o) => o.items(ctx).is_none_or(|items| !items.is_empty()),
        Val::Omit | Val::Missing(_) | Val::Unknown(_) => true,
    })
}

/// Python's `==`.
pub(super) fn equal(ctx: &Ctx, a: &Val, b: &Val) -> Res<bool> {
    equal_at(ctx, a, b, 0)
}

fn equal_at(ctx: &Ctx, a: &Val, b: &Val, depth: usize) -> Res<bool> {
    if depth > 100 {
        return Err(Fault::error("a container holds itself"));
    }
    Ok(match (a.usable()?, b.usable()?) {
        (Val::Null, Val::Null) | (Val::Omit, Val::Omit) => true,
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::List(a), Val::List(b)) => {
            a.same(b) || a.len() == b.len() && all_equal(ctx, &a.items(ctx), &b.items(ctx), depth)?
        }
        (Val::Tuple(a), Val::Tuple(b)) => a.len() == b.len() && all_equal(ctx, a, b, depth)?,
        (Val::Map(a), Val::Map(b)) => {
            if a.same(b) {
                return Ok(true);
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, left) in a.entries(ctx) {
                let Some(right) = b.get(ctx, &key) else {
                    return Ok(false);
                };
                if !equal_at(ctx, &left, &right, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Val::Object(a), Val::Object(b)) if std::rc::Rc::ptr_eq(a, b) => true,
        (Val::Object(a), b) => match a.plain(ctx) {
            Some(a) => equal_at(ctx, &a, b, depth + 1)?,
            None => false,
        },
        (a, Val::Object(b)) => match b.plain(ctx) {
            Some(b) => equal_at(ctx, a, &b, depth + 1)?,
            None => false,
        },
        (a, b) => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        },
    })
}

fn all_equal(ctx: &Ctx, a: &[Val], b: &[Val], depth: usize) -> Res<bool> {
    for (a, b) in a.iter().zip(b) {
        if !equal_at(ctx, a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Python's order; `sign` is what the error names.
pub(super) fn order(ctx: &Ctx, a: &Val, b: &Val, sign: &str) -> Res<Ordering> {
    let found = match (a.usable()?, b.usable()?) {
        (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
        (Val::List(a), Val::List(b)) => Some(order_items(ctx, &a.items(ctx), &b.items(ctx), sign)?),
        (Val::Tuple(a), Val::Tuple(b)) => Some(order_items(ctx, a, b, sign)?),
        (Val::Object(_), Val::Object(_)) => super::datetime::order(a, b),
        (a, b) => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => Some(a.partial_cmp(&b).unwrap_or(Ordering::Greater)),
                _ => None,
            },
        },
    };
    found.ok_or_else(|| {
        Fault::error(format!(
            "'{sign}' not supported between instances of '{}' and '{}'",
            a.type_name(),
            b.type_name()
        ))
    })
}

fn order_items(ctx: &Ctx, a: &[Val], b: &[Val], sign: &str) -> Res<Ordering> {
    for (a, b) in a.iter().zip(b) {
        if !equal(ctx, a, b)? {
            return order(ctx, a, b, sign);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// Sorts, keeping the order of equals; the first comparison that cannot be made is the error.
pub(super) fn sort_by_key<T>(
    ctx: &Ctx,
    items: &mut [T],
    reverse: bool,
    key: impl Fn(&T) -> Val,
) -> Res<()> {
    let mut fault = None;
    items.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        let order = order(ctx, &a, &b, "<").unwrap_or_else(|f| {
            fault.get_or_insert(f);
            Ordering::Equal
        });
        if reverse { order.reverse() } else { order }
    });
    fault.map_or(Ok(()), Err)
}

/// One link of a comparison.
pub(super) fn compare(ctx: &Ctx, op: Compare, a: &Val, b: &Val) -> Res<bool> {
    Ok(match op {
        Compare::Eq => equal(ctx, a, b)?,
        Compare::Ne => !equal(ctx, a, b)?,
        Compare::Lt => order(ctx, a, b, "<")?.is_lt(),
        Compare::Le => order(ctx, a, b, "<=")?.is_le(),
        Compare::Gt => order(ctx, a, b, ">")?.is_gt(),
        Compare::Ge => order(ctx, a, b, ">=")?.is_ge(),
        Compare::In => contains(ctx, b, a)?,
        Compare::NotIn => !contains(ctx, b, a)?,
    })
}

/// Python's `item in container`.
pub(super) fn contains(ctx: &Ctx, container: &Val, item: &Val) -> Res<bool> {
    item.usable()?;
    match container.usable()? {
        Val::Str(text) => match item.as_str() {
            Some(part) => Ok(text.contains(part)),
            None => Err(Fault::error(format!(
                "'in <string>' requires string as left operand, not {}",
                item.type_name()
            ))),
        },
        Val::Map(m) => Ok(m.has(&item.to_key()?)),
        other => {
            for candidate in access::iterate(ctx, other)? {
                if equal(ctx, &candidate, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Arithmetic and concatenation.
pub(super) fn binary(ctx: &Ctx, op: Binary, a: &Val, b: &Val) -> Res<Val> {
    let (a, b) = (a.usable()?, b.usable()?);
    if let Some(result) = super::datetime::binary(op, a, b) {
        return result;
    }
    match (op, a, b) {
        (Binary::Concat, a, b) => Ok(Val::from(text::to_text(ctx, a)? + &text::to_text(ctx, b)?)),
        (Binary::Rem, Val::Str(format), b) => percent::format(ctx, format, b).map(Val::from),
        (Binary::Add, Val::Str(x), Val::Str(y)) => Ok(Val::from(format!("{x}{y}"))),
        (Binary::Add, Val::List(x), Val::List(y)) => {
            let mut items = x.items(ctx);
            items.extend(y.items(ctx));
            Ok(Val::list(items))
        }
        (Binary::Add, Val::Tuple(x), Val::Tuple(y)) => {
            Ok(Val::Tuple(x.iter().chain(y.iter()).cloned().collect()))
        }
        (Binary::Mul, x, Val::Int(n)) if is_repeatable(x) => repeat(ctx, x, *n),
        (Binary::Mul, Val::Int(n), x) if is_repeatable(x) => repeat(ctx, x, *n),
        _ => numeric(op, a, b),
    }
}

fn is_repeatable(value: &Val) -> bool {
    matches!(value, Val::Str(_)) || value.is_sequence()
}

fn repeat(ctx: &Ctx, value: &Val, times: i128) -> Res<Val> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    let fits = |len: usize| {
        len.checked_mul(times)
            .filter(|n| *n <= MAX_LEN)
            .ok_or_else(|| Fault::error("the result of `*` would be too large"))
    };
    Ok(match value {
        Val::Str(s) => {
            fits(s.len())?;
            Val::from(s.repeat(times))
        }
        other => {
            let items = access::iterate(ctx, other)?;
            let len = fits(items.len())?;
            let all = items.iter().cycle().take(len).cloned().collect();
            match other {
                Val::Tuple(_) => Val::Tuple(Vec::into(all)),
                _ => Val::List(List::new(all)),
            }
        }
    })
}

fn numeric(op: Binary, a: &Val, b: &Val) -> Res<Val> {
    let too_large = || Fault::error("the result is too large a number");
    let by_zero = |what: &str| Fault::error(what.to_owned());
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        return Ok(match op {
            Binary::Add => Val::Int(x.checked_add(y).ok_or_else(too_large)?),
            Binary::Sub => Val::Int(x.checked_sub(y).ok_or_else(too_large)?),
            Binary::Mul => Val::Int(x.checked_mul(y).ok_or_else(too_large)?),
            Binary::Div if y == 0 => return Err(by_zero("division by zero")),
            Binary::Div => Val::Float(x as f64 / y as f64),
            Binary::FloorDiv if y == 0 => {
                return Err(by_zero("integer division or modulo by zero"));
            }
            Binary::FloorDiv => Val::Int(floor_div(x, y)),
            Binary::Rem if y == 0 => return Err(by_zero("integer modulo by zero")),
            Binary::Rem => Val::Int(x - y * floor_div(x, y)),
            Binary::Pow if y < 0 => Val::Float((x as f64).powf(y as f64)),
            Binary::Pow => {
                let exponent = u32::try_from(y).map_err(|_| too_large())?;
                Val::Int(x.checked_pow(exponent).ok_or_else(too_large)?)
            }
            Binary::Concat => return Err(unsupported(op, a, b)),
        });
    }
    let (Some(x), Some(y)) = (a.as_float(), b.as_float()) else {
        return Err(unsupported(op, a, b));
    };
    Ok(Val::Float(match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div if y == 0.0 => return Err(by_zero("float division by zero")),
        Binary::Div => x / y,
        Binary::FloorDiv if y == 0.0 => return Err(by_zero("float floor division by zero")),
        Binary::FloorDiv => (x / y).floor(),
        Binary::Rem if y == 0.0 => return Err(by_zero("float modulo")),
        Binary::Rem => x - y * (x / y).floor(),
        Binary::Pow => x.powf(y),
        Binary::Concat => return Err(unsupported(op, a, b)),
    }))
}

/// Rounds towards minus infinity, as Python does; `y` is not zero.
fn floor_div(x: i128, y: i128) -> i128 {
    let quotient = x.wrapping_div(y);
    if x % y != 0 && (x < 0) != (y < 0) {
        quotient - 1
    } else {
        quotient
    }
}

fn unsupported(op: Binary, a: &Val, b: &Val) -> Fault {
    if let (Binary::Add, Val::Str(_) | Val::List(_)) = (op, a) {
        let name = a.type_name();
        let fault = Fault::error(format!(
            "can only concatenate {name} (not \"{}\") to {name}",
            b.type_name()
        ));
        return match a {
            Val::Str(_) => fault.hint("`~` joins anything as text; `| int` makes a number"),
            _ => fault,
        };
    }
    let sign = match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::FloorDiv => "//",
        Binary::Rem => "%",
        Binary::Pow => "** or pow()",
        Binary::Concat => "~",
    };
    Fault::error(format!(
        "unsupported operand type(s) for {sign}: '{}' and '{}'",
        a.type_name(),
        b.type_name()
    ))
}

/// `-value`.
pub(super) fn negative(value: &Val) -> Res<Val> {
    match value.usable()? {
        Val::Float(f) => Ok(Val::Float(-f)),
        other => match other.as_int() {
            Some(i) => Ok(Val::Int(-i)),
            None => Err(Fault::error(format!(
                "bad operand type for unary -: '{}'",
                other.type_name()
            ))),
        },
    }
}
