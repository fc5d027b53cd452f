//! The lookup `csvfile`.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::csv_rows as rows;
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup, file_text};

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "csvfile",
    OPTIONS,
    "A cell of a CSV file, by a cell of its row.",
    csvfile,
)];

const OPTIONS: &[&str] = &["file", "delimiter", "col", "default", "encoding", "keycol"];

fn csvfile(l: &Look) -> Res<Vec<Val>> {
    let missing = || Fault::error("Search key is required but was not found");
    if l.terms.is_empty() {
        return Err(missing());
    }
    // What a term sets stays set for the terms after it.
    let mut look = l.copy();
    let mut out = Vec::new();
    for term in l.texts()? {
        let (key, own) = l.inline(&term)?;
        let key = key.ok_or_else(missing)?;
        for (name, value) in own {
            if !OPTIONS.contains(&&*name) {
                return Err(Fault::error(format!("'{name}' is not a valid option"))
                    .hint(format!("options are: {}", OPTIONS.join(", "))));
            }
            look.set(&name, Val::from(value));
        }
        match cell(&look, &key)? {
            Some(Val::List(items)) => out.extend(items.items(l.ctx)),
            Some(Val::Null) | None => {}
            Some(value) => out.push(value),
        }
    }
    Ok(out)
}

fn cell(l: &Look, key: &str) -> Res<Option<Val>> {
    let delimiter = match &*l.text_option("delimiter", "TAB")? {
        "TAB" | "\\t" => '\t',
        other => {
            let mut chars = other.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => c,
                _ => return Err(Fault::error("`delimiter` must be one character")),
            }
        }
    };
    let column = l.number("col")?.unwrap_or(1);
    let key_column = l.number("keycol")?.unwrap_or(0);
    let encoding = l.text_option("encoding", "utf-8")?;
    let text = file_text(l, &l.text_option("file", "ansible.csv")?, &encoding)?;
    for row in rows(&text, delimiter) {
        // A blank line is no row.
        if row.len() == 1 && row.iter().all(String::is_empty) {
            continue;
        }
        let row = Val::list(row.into_iter().map(Val::from).collect());
        let at = |column: i128| match access::item(l.ctx, &row, &Val::Int(column))? {
            Val::Missing(_) => Err(Fault::error(format!(
                "a row has no column {column} (columns count from 0)"
            ))),
            cell => text::to_text(l.ctx, &cell),
        };
        if at(key_column)? == key {
            return at(column).map(|cell| Some(Val::from(cell)));
        }
    }
    Ok(l.option("default").cloned())
}
