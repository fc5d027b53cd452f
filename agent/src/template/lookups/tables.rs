//! Lookups in tables: CSV and INI files.

use super::super::fault::{Fault, Res};
use super::super::filters::regex;
use super::super::val::Val;
use super::{Look, Lookup};
use std::path::Path;

pub(super) static TABLE: &[Lookup] = &[
    Lookup::new(
        "csvfile",
        &["file", "delimiter", "col", "default", "encoding", "keycol"],
        "A cell of a CSV file, by the first cell of its row.",
        csvfile,
    ),
    Lookup::new(
        "ini",
        &[
            "file",
            "section",
            "type",
            "re",
            "default",
            "encoding",
            "case_sensitive",
            "allow_no_value",
        ],
        "A value of an INI or properties file.",
        ini,
    ),
];

/// Options of the term itself, then those of the call.
struct Settings<'l, 'c, 't> {
    look: &'l Look<'c, 't>,
    inline: Vec<(String, String)>,
}

impl Settings<'_, '_, '_> {
    fn get(&self, name: &str, default: &str) -> Res<String> {
        match self.inline.iter().find(|(n, _)| n == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.look.text_option(name, default),
        }
    }
}

fn read(l: &Look, name: &str) -> Res<String> {
    let path = if Path::new(name).is_absolute() {
        Some(Path::new(name).to_path_buf())
    } else {
        l.ctx.outside().find("files", name, &*l.ctx.home)
    };
    let bytes = match path {
        Some(path) => l.ctx.outside().read(&path)?,
        None => None,
    };
    let bytes = bytes.ok_or_else(|| Fault::error(format!("could not find '{name}'")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn csvfile(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in &l.terms {
        let (key, inline) = l.inline(term)?;
        let settings = Settings { look: l, inline };
        let delimiter = settings.get("delimiter", "TAB")?;
        let delimiter = match &*delimiter {
            "TAB" | "\\t" => '\t',
            other => other.chars().next().unwrap_or(','),
        };
        let column = settings.get("col", "1")?.parse::<usize>();
        let key_column = settings.get("keycol", "0")?.parse::<usize>().unwrap_or(0);
        let Ok(column) = column else {
            return Err(Fault::error("`col` must be the number of a column"));
        };
        let text = read(l, &settings.get("file", "ansible.csv")?)?;
        let row = rows(&text, delimiter)
            .into_iter()
            .find(|row| row.get(key_column).is_some_and(|cell| *cell == key));
        out.push(match row {
            Some(mut row) if column < row.len() => Val::from(row.swap_remove(column)),
            _ => match l.option("default") {
                Some(default) => default.clone(),
                None => Val::Null,
            },
        });
    }
    out.retain(|v| !matches!(v, Val::Null));
    Ok(out)
}

/// Rows of cells; quotes may hold delimiters and line breaks.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
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

fn ini(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in &l.terms {
        let (key, inline) = l.inline(term)?;
        let settings = Settings { look: l, inline };
        let properties = settings.get("type", "ini")? == "properties";
        let text = read(l, &settings.get("file", "ansible.ini")?)?;
        let section = if properties {
            String::new()
        } else {
            settings.get("section", "global")?
        };
        let by_pattern =
            l.flag("re", false)? || settings.get("re", "")?.eq_ignore_ascii_case("true");
        let exact = l.flag("case_sensitive", false)?;
        let wanted = if exact {
            key.clone()
        } else {
            key.to_lowercase()
        };
        let pattern = by_pattern
            .then(|| regex::compiled(&key, !exact, false))
            .transpose()?;
        let mut last = None;
        for (in_section, name, value) in entries(&text, properties) {
            if in_section != section {
                continue;
            }
            match &pattern {
                Some(pattern) if pattern.is_match(&name)? => out.push(Val::from(value)),
                Some(_) => {}
                None => {
                    let same = if exact {
                        name == wanted
                    } else {
                        name.to_lowercase() == wanted
                    };
                    if same {
                        last = Some(value);
                    }
                }
            }
        }
        if !by_pattern {
            match (last, settings.get("default", "")?) {
                (Some(value), _) => out.push(Val::from(value)),
                (None, default) => out.push(Val::from(default)),
            }
        }
    }
    Ok(out)
}

/// Section, name and value of each line; indented lines go on with the value above.
fn entries(text: &str, properties: bool) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut out: Vec<(String, String, String)> = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) || properties && bare.starts_with('!') {
            continue;
        }
        if let Some(name) = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some((_, _, value)) = out.last_mut()
        {
            value.push('\n');
            value.push_str(bare);
            continue;
        }
        let (name, value) = bare.split_once(['=', ':']).unwrap_or((bare, ""));
        out.push((
            section.clone(),
            name.trim().to_owned(),
            value.trim().to_owned(),
        ));
    }
    out
}
