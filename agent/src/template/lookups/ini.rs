//! The lookup `ini`: INI and properties files, read as Python's `configparser` reads them.

use super::super::fault::{Fault, Res};
use super::super::filters::regex;
use super::super::val::Val;
use super::{Look, Lookup, file_text};
use indexmap::IndexMap;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "ini",
    OPTIONS,
    "A value of an INI or properties file.",
    ini,
)];

const OPTIONS: &[&str] = &[
    "file",
    "section",
    "type",
    "re",
    "default",
    "encoding",
    "case_sensitive",
    "allow_no_value",
    "allow_none",
    "interpolation",
];

/// The section that gives the others their defaults.
const DEFAULT: &str = "DEFAULT";
/// Sections may use each other's values this deep (`MAX_INTERPOLATION_DEPTH` of Python).
const MAX_DEPTH: usize = 10;

type Section = IndexMap<String, Option<String>>;

fn ini(l: &Look) -> Res<Vec<Val>> {
    let mut look = l.copy();
    let mut out = Vec::new();
    for term in l.texts()? {
        let key = key_of(&mut look, &term)?;
        one(&look, &key, &mut out)?;
    }
    Ok(out)
}

/// The key of a term; its own options are set.
fn key_of(l: &mut Look, term: &str) -> Res<String> {
    if !term.contains('=') && !term.trim().contains(' ') {
        return Ok(term.to_owned());
    }
    let mut key = None;
    for part in parts(term) {
        match part.split_once('=') {
            None => {
                key.get_or_insert(part);
            }
            Some((_, value)) if value.contains('=') => {
                return Err(Fault::error(format!(
                    "Could not use '{part}': it is not one option=value"
                )));
            }
            Some((name, value)) => {
                if !OPTIONS.contains(&name) {
                    return Err(Fault::error(format!("'{name}' is not a valid option."))
                        .hint(format!("options are: {}", OPTIONS.join(", "))));
                }
                l.set(name, Val::from(value));
            }
        }
    }
    key.ok_or_else(|| {
        Fault::error(format!(
            "No key to look up was provided as first term within string inline options: {term}"
        ))
    })
}

/// The key and the options of a term; blanks within them stay.
fn parts(term: &str) -> Vec<String> {
    let mut parts: IndexMap<&str, String> = IndexMap::new();
    let mut at = "";
    for word in term.split_whitespace() {
        if let Some((name, _)) = word.split_once('=')
            && let Some(known) = OPTIONS.iter().find(|o| name.ends_with(**o))
        {
            at = known;
        }
        let part = parts.entry(at).or_default();
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(word);
    }
    parts.into_values().collect()
}

fn one(l: &Look, key: &str, out: &mut Vec<Val>) -> Res<()> {
    let properties = l.text_option("type", "ini")? == "properties";
    let file = l.text_option("file", "ansible.ini")?;
    let mut text = file_text(l, &file, &l.text_option("encoding", "utf-8")?)?;
    let mut wanted = l.text_option("section", "global")?;
    if properties {
        wanted = "java_properties".into();
        text.insert_str(0, "[java_properties]\n");
    }
    let exact = l.flag("case_sensitive", false)?;
    let sections = Reader {
        file: &file,
        exact,
        no_value: l.flag("allow_no_value", false)? || l.flag("allow_none", false)?,
        sections: IndexMap::new(),
    }
    .read(&text)?;
    let Some(section) = merged(&sections, &wanted) else {
        return Err(Fault::error(format!("No section '{wanted}' in '{file}'.")));
    };
    let interpolation = l.flag("interpolation", true)?;
    let value = |raw: &Option<String>| match raw {
        Some(raw) if interpolation => interpolated(&section, raw, 1).map(Some),
        other => Ok(other.clone()),
    };
    if l.flag("re", false)? {
        let pattern = regex::compiled(&format!("^(?:{key})"), false, false)?;
        for (name, raw) in &section {
            if pattern.is_match(name)? {
                out.extend(value(raw)?.map(Val::from));
            }
        }
        return Ok(());
    }
    let name = if exact {
        key.to_owned()
    } else {
        key.to_lowercase()
    };
    match section.get(&name) {
        Some(raw) => out.extend(value(raw)?.map(Val::from)),
        None => match l.option("default") {
            Some(Val::List(items)) => out.extend(items.items(l.ctx)),
            Some(default) => out.push(default.clone()),
            None => out.push(Val::from("")),
        },
    }
    Ok(())
}

/// A section with the defaults that it does not set itself.
fn merged(sections: &IndexMap<String, Section>, name: &str) -> Option<Section> {
    let own = sections.get(name)?.clone();
    let mut section = sections.get(DEFAULT).cloned().unwrap_or_default();
    section.extend(own);
    Some(section)
}

/// `%(name)s` is another value of the section, `%%` a per cent sign.
fn interpolated(section: &Section, text: &str, depth: usize) -> Res<String> {
    if depth > MAX_DEPTH {
        return Err(Fault::error(
            "the values of the section use each other too deep",
        ));
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|a| a.split_once(")s"));
        let Some((name, after)) = name else {
            return Err(Fault::error(format!(
                "'%' must be followed by '%' or '(', found: '%{after}'"
            ))
            .hint("`interpolation=false` takes per cent signs as they are"));
        };
        let Some(value) = section
            .get(&name.to_lowercase())
            .or_else(|| section.get(name))
        else {
            return Err(Fault::error(format!(
                "the value uses '{name}', which the section does not have"
            )));
        };
        let value = value.as_deref().unwrap_or_default();
        out.push_str(&interpolated(section, value, depth + 1)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

struct Reader<'f> {
    file: &'f str,
    exact: bool,
    no_value: bool,
    sections: IndexMap<String, Section>,
}

impl Reader<'_> {
    fn read(mut self, text: &str) -> Res<IndexMap<String, Section>> {
        self.sections.insert(DEFAULT.into(), Section::new());
        let mut section: Option<String> = None;
        let mut option: Option<(String, usize)> = None;
        for (i, line) in text.lines().enumerate() {
            let bare = line.trim();
            let indent = line.len() - line.trim_start().len();
            if bare.starts_with(['#', ';']) {
                continue;
            }
            if bare.is_empty() {
                // Within a value of several lines, an empty one is part of it.
                self.add(section.as_deref(), option.as_ref(), "");
                continue;
            }
            if let Some((_, base)) = &option
                && indent > *base
            {
                self.add(section.as_deref(), option.as_ref(), bare);
                continue;
            }
            if let Some(name) = bare.strip_prefix('[').and_then(|b| b.split(']').next())
                && bare.contains(']')
            {
                if self.sections.contains_key(name) && name != DEFAULT {
                    return Err(self.fault(i, &format!("Duplicate section '{name}' in")));
                }
                self.sections.entry(name.to_owned()).or_default();
                section = Some(name.to_owned());
                option = None;
                continue;
            }
            let Some(section) = &section else {
                return Err(self.fault(i, "there is no section header before this line of"));
            };
            let name = self.option(i, section, bare)?;
            option = Some((name, indent));
        }
        let values = self.sections.values_mut().flat_map(Section::values_mut);
        for text in values.flatten() {
            text.truncate(text.trim_end().len());
        }
        Ok(self.sections)
    }

    fn add(&mut self, section: Option<&str>, option: Option<&(String, usize)>, line: &str) {
        if let (Some(section), Some((name, _))) = (section, option)
            && let Some(Some(value)) = self.sections.get_mut(section).and_then(|s| s.get_mut(name))
        {
            value.push('\n');
            value.push_str(line);
        }
    }

    /// Reads `name = value` and gives the name.
    fn option(&mut self, line: usize, section: &str, bare: &str) -> Res<String> {
        let (name, value) = match bare.split_once(['=', ':']) {
            Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
            None if self.no_value => (bare, None),
            None => return Err(self.fault(line, "Source contains parsing errors:")),
        };
        let name = if self.exact {
            name.to_owned()
        } else {
            name.to_lowercase()
        };
        let options = self.sections.entry(section.to_owned()).or_default();
        if options.contains_key(&name) {
            return Err(self.fault(line, &format!("'{name}': Duplicate option in")));
        }
        options.insert(name.clone(), value);
        Ok(name)
    }

    fn fault(&self, line: usize, what: &str) -> Fault {
        Fault::error(format!("{what} '{}', line {}", self.file, line + 1))
    }
}
