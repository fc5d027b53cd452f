//! CSV texts, read as Python's module `csv` reads them.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::text;
use super::super::val::{Val, ValMap};
use crate::value::Key;

pub(super) fn from_csv(c: &Call) -> Res<Val> {
    let delimiter = match &*c.text_or(1, "excel")? {
        "excel" | "unix" => ',',
        "excel-tab" => '\t',
        other => {
            return Err(Fault::error(format!(
                "Dialect '{other}' is not supported by your version of python."
            ))
            .hint("it is excel, excel-tab or unix"));
        }
    };
    let delimiter = match c.opt_text(3)? {
        None => delimiter,
        Some(given) => {
            let mut chars = given.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => c,
                _ => return Err(Fault::error("`delimiter` must be one character")),
            }
        }
    };
    let skip = c.truth_or(4, false)?;
    let mut rows = rows(&c.text(0)?, delimiter).into_iter();
    let names: Vec<String> = match c.given(2) {
        Some(names) => {
            let names = access::iterate(c.ctx, names)?;
            let names = names.iter().map(|n| text::to_text(c.ctx, n));
            names.collect::<Res<_>>()?
        }
        None => rows.next().unwrap_or_default(),
    };
    let cell = |cell: &String| Val::from(if skip { cell.trim_start() } else { cell });
    let mut out = Vec::new();
    for row in rows {
        if row.iter().all(String::is_empty) && row.len() < 2 {
            continue;
        }
        let mut map = ValMap::new();
        for (i, name) in names.iter().enumerate() {
            map.insert(
                Key::from(name.trim_start()),
                row.get(i).map_or(Val::Null, cell),
            );
        }
        if row.len() > names.len() {
            // What is over stands under no name, as in Python.
            map.insert(
                Key::Null,
                Val::list(row[names.len()..].iter().map(cell).collect()),
            );
        }
        out.push(Val::map(map));
    }
    Ok(Val::list(out))
}

/// Rows of cells; quotes may hold delimiters and line breaks.
pub(in super::super) fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            // A quote opens a cell only at its start, as in Python's dialect `excel`.
            '"' if cell.is_empty() => quoted = true,
            c if c == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}
