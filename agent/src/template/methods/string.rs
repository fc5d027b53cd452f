//! Methods of text.

use super::super::access;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::text;
use super::super::val::{Args, Val};
use super::{argument, required, strformat};

/// `text.name(args)`.
pub(super) fn call(ctx: &Ctx, s: &str, name: &str, args: &Args) -> Option<Res<Val>> {
    if let Some(changed) = cased(s, name) {
        return Some(Ok(Val::from(changed)));
    }
    if let Some(answer) = asked(s, name) {
        return Some(Ok(Val::Bool(answer)));
    }
    Some(match name {
        "strip" | "lstrip" | "rstrip" => strip(s, name, args),
        "split" | "rsplit" => split(s, name == "rsplit", args),
        "splitlines" => splitlines(ctx, s, args),
        "partition" | "rpartition" => partition(s, name == "rpartition", args),
        "join" => join(ctx, s, args),
        "replace" => replace(s, args),
        "startswith" | "endswith" => affix(ctx, s, name == "startswith", args),
        "removeprefix" => text_arg(args, 0).map(|p| Val::from(s.strip_prefix(p).unwrap_or(s))),
        "removesuffix" => text_arg(args, 0).map(|p| Val::from(s.strip_suffix(p).unwrap_or(s))),
        "find" | "rfind" | "index" | "rindex" => find(s, name, args),
        "count" => text_arg(args, 0).map(|part| {
            Val::from(match part {
                "" => s.chars().count() + 1,
                part => s.matches(part).count(),
            })
        }),
        "ljust" | "rjust" | "center" => justify(s, name, args),
        "zfill" => zfill(s, args),
        "expandtabs" => expandtabs(s, args),
        "format" => strformat::format(ctx, s, args).map(Val::from),
        "format_map" => required(args, 0).and_then(|map| {
            let named = access::entries(ctx, map)?.unwrap_or_default();
            let named = named.into_iter().map(|(k, v)| (k.to_string().into(), v));
            let args = Args {
                pos: Vec::new(),
                named: named.collect(),
            };
            strformat::format(ctx, s, &args).map(Val::from)
        }),
        // Bytes and text are one here: whoever encodes decodes, hashes or writes next.
        "encode" | "decode" => Ok(Val::from(s)),
        "translate" => translate(ctx, s, args),
        _ => return None,
    })
}

fn cased(s: &str, name: &str) -> Option<String> {
    Some(match name {
        "upper" => s.to_uppercase(),
        "lower" => s.to_lowercase(),
        "casefold" => s.to_lowercase().replace('ß', "ss"),
        "capitalize" => capitalize(s),
        "title" => title(s),
        "swapcase" => s
            .chars()
            .flat_map(|c| -> Vec<char> {
                if c.is_uppercase() {
                    c.to_lowercase().collect()
                } else {
                    c.to_uppercase().collect()
                }
            })
            .collect(),
        _ => return None,
    })
}

/// First letter large, the rest small.
pub(in super::super) fn capitalize(s: &str) -> String {
    let mut chars = s.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

/// Python's `title`: every letter after a non-letter is large.
fn title(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut inside = false;
    for c in s.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn asked(s: &str, name: &str) -> Option<bool> {
    let all = |test: fn(char) -> bool| !s.is_empty() && s.chars().all(test);
    let cased = || s.chars().any(|c| c.is_lowercase() || c.is_uppercase());
    Some(match name {
        "isdigit" | "isdecimal" => all(|c| c.is_ascii_digit()),
        "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => s.is_ascii(),
        "isprintable" => !s.chars().any(char::is_control),
        "isupper" => cased() && !s.chars().any(char::is_lowercase),
        "islower" => cased() && !s.chars().any(char::is_uppercase),
        "istitle" => cased() && title(s) == s,
        "isidentifier" => {
            !s.starts_with(|c: char| c.is_numeric()) && all(|c| c.is_alphanumeric() || c == '_')
        }
        _ => return None,
    })
}

fn text_arg(args: &Args, i: usize) -> Res<&str> {
    let value = required(args, i)?;
    value
        .as_str()
        .ok_or_else(|| Fault::error(format!("must be str, not {}", value.type_name())))
}

fn count_arg(value: Option<&Val>) -> Option<usize> {
    value
        .and_then(Val::as_int)
        .and_then(|i| usize::try_from(i).ok())
}

fn strip(s: &str, name: &str, args: &Args) -> Res<Val> {
    let set: Option<Vec<char>> = match args.pos.first() {
        None | Some(Val::Null) => None,
        Some(_) => Some(text_arg(args, 0)?.chars().collect()),
    };
    let test = |c: char| {
        set.as_ref()
            .map_or(c.is_whitespace(), |set| set.contains(&c))
    };
    Ok(Val::from(match name {
        "lstrip" => s.trim_start_matches(test),
        "rstrip" => s.trim_end_matches(test),
        _ => s.trim_matches(test),
    }))
}

fn split(s: &str, from_right: bool, args: &Args) -> Res<Val> {
    let sep = match argument(args, 0, "sep") {
        None | Some(Val::Null) => None,
        Some(Val::Str(sep)) if sep.is_empty() => return Err(Fault::error("empty separator")),
        Some(Val::Str(sep)) => Some(sep),
        Some(other) => {
            return Err(Fault::error(format!(
                "must be str or None, not {}",
                other.type_name()
            )));
        }
    };
    let max = count_arg(argument(args, 1, "maxsplit"));
    let parts: Vec<&str> = match (sep, max, from_right) {
        (Some(sep), None, _) => s.split(&**sep).collect(),
        (Some(sep), Some(max), false) => s.splitn(max + 1, &**sep).collect(),
        (Some(sep), Some(max), true) => {
            let mut parts: Vec<&str> = s.rsplitn(max + 1, &**sep).collect();
            parts.reverse();
            parts
        }
        (None, None, _) => s.split_whitespace().collect(),
        (None, Some(max), false) => split_blanks(s, max),
        (None, Some(max), true) => rsplit_blanks(s, max),
    };
    Ok(Val::list(parts.into_iter().map(Val::from).collect()))
}

fn split_blanks(s: &str, max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = s.trim_start();
    while !rest.is_empty() {
        match rest.find(char::is_whitespace) {
            Some(at) if parts.len() < max => {
                parts.push(&rest[..at]);
                rest = rest[at..].trim_start();
            }
            _ => {
                parts.push(if parts.len() < max {
                    rest.trim_end()
                } else {
                    rest
                });
                break;
            }
        }
    }
    parts
}

fn rsplit_blanks(s: &str, max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = s.trim_end();
    while !rest.is_empty() {
        match rest.char_indices().rev().find(|(_, c)| c.is_whitespace()) {
            Some((at, c)) if parts.len() < max => {
                parts.push(&rest[at + c.len_utf8()..]);
                rest = rest[..at].trim_end();
            }
            _ => {
                parts.push(rest);
                break;
            }
        }
    }
    parts.reverse();
    parts
}

fn splitlines(ctx: &Ctx, s: &str, args: &Args) -> Res<Val> {
    let keep = match argument(args, 0, "keepends") {
        Some(v) => super::super::ops::truth(ctx, v)?,
        None => false,
    };
    let lines = s.split_inclusive('\n').map(|line| {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        Val::from(if keep { line } else { bare })
    });
    Ok(Val::list(lines.collect()))
}

fn partition(s: &str, from_right: bool, args: &Args) -> Res<Val> {
    let sep = text_arg(args, 0)?;
    let found = if from_right {
        s.rsplit_once(sep)
    } else {
        s.split_once(sep)
    };
    let parts = match (found, from_right) {
        (Some((a, b)), _) => [a, sep, b],
        (None, false) => [s, "", ""],
        (None, true) => ["", "", s],
    };
    Ok(Val::Tuple(parts.into_iter().map(Val::from).collect()))
}

fn join(ctx: &Ctx, sep: &str, args: &Args) -> Res<Val> {
    let mut out = String::new();
    for (i, item) in access::iterate(ctx, required(args, 0)?)?.iter().enumerate() {
        let Val::Str(part) = item.usable()? else {
            return Err(Fault::error(format!(
                "sequence item {i}: expected str instance, {} found",
                item.type_name()
            ))
            .hint("`list | join(',')` joins values of any type"));
        };
        if i > 0 {
            out.push_str(sep);
        }
        out.push_str(part);
    }
    Ok(Val::from(out))
}

fn replace(s: &str, args: &Args) -> Res<Val> {
    let (old, new) = (text_arg(args, 0)?, text_arg(args, 1)?);
    Ok(Val::from(match count_arg(argument(args, 2, "count")) {
        Some(count) => s.replacen(old, new, count),
        None => s.replace(old, new),
    }))
}

fn affix(ctx: &Ctx, s: &str, start: bool, args: &Args) -> Res<Val> {
    let tests = match required(args, 0)? {
        Val::Str(one) => vec![Val::Str(one.clone())],
        many => access::iterate(ctx, many)?,
    };
    let fits = |part: &str| {
        if start {
            s.starts_with(part)
        } else {
            s.ends_with(part)
        }
    };
    Ok(Val::Bool(tests.iter().filter_map(Val::as_str).any(fits)))
}

fn find(s: &str, name: &str, args: &Args) -> Res<Val> {
    let part = text_arg(args, 0)?;
    let start = count_arg(args.pos.get(1)).unwrap_or(0);
    let from = s.char_indices().nth(start).map_or(s.len(), |(i, _)| i);
    let found = if name.starts_with('r') {
        s[from..].rfind(part)
    } else {
        s[from..].find(part)
    };
    match found {
        Some(at) => Ok(Val::from(s[..from + at].chars().count())),
        None if name.ends_with("index") => Err(Fault::error("substring not found")),
        None => Ok(Val::Int(-1)),
    }
}

fn justify(s: &str, name: &str, args: &Args) -> Res<Val> {
    let width = count_arg(Some(required(args, 0)?)).unwrap_or(0);
    let fill = match args.pos.get(1) {
        Some(_) => text_arg(args, 1)?.chars().next().unwrap_or(' '),
        None => ' ',
    };
    let room = strformat::limited(width)?.saturating_sub(s.chars().count());
    let (left, right) = match name {
        "ljust" => (0, room),
        "rjust" => (room, 0),
        // Python puts the odd blank to the left of odd widths.
        _ => {
            let left = room / 2 + (room & width & 1);
            (left, room - left)
        }
    };
    let pad = |n: usize| fill.to_string().repeat(n);
    Ok(Val::from(format!("{}{s}{}", pad(left), pad(right))))
}

fn zfill(s: &str, args: &Args) -> Res<Val> {
    let width = count_arg(Some(required(args, 0)?)).unwrap_or(0);
    let room = strformat::limited(width)?.saturating_sub(s.chars().count());
    let (sign, digits) = match s.strip_prefix(['+', '-']) {
        Some(digits) => (&s[..1], digits),
        None => ("", s),
    };
    Ok(Val::from(format!("{sign}{}{digits}", "0".repeat(room))))
}

fn expandtabs(s: &str, args: &Args) -> Res<Val> {
    let size = count_arg(argument(args, 0, "tabsize")).unwrap_or(8);
    strformat::limited(size)?;
    let mut out = String::new();
    let mut column = 0;
    for c in s.chars() {
        match c {
            '\t' if size == 0 => {}
            '\t' => {
                let blanks = size - column % size;
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    Ok(Val::from(out))
}

fn translate(ctx: &Ctx, s: &str, args: &Args) -> Res<Val> {
    let table = access::entries(ctx, required(args, 0)?)?.unwrap_or_default();
    let mut out = String::new();
    for c in s.chars() {
        let key = crate::value::Key::Int(i64::from(c as u32));
        match table.iter().find(|(k, _)| *k == key) {
            Some((_, Val::Null)) => {}
            Some((_, to)) => match to.as_int().and_then(|i| u32::try_from(i).ok()) {
                Some(code) => out.extend(char::from_u32(code)),
                None => out.push_str(&text::to_text(ctx, to)?),
            },
            None => out.push(c),
        }
    }
    Ok(Val::from(out))
}
