//! Inventories in ini form, from `ansible/plugins/inventory/ini.py`.

use super::{ALL, Inventory, UNGROUPED, address, literal, words};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{SourceFile, Span};
use crate::value::{Key, Value};
use indexmap::IndexMap;
use std::sync::Arc;

/// Adds what `file` says to `inventory`.
///
/// # Errors
/// With the place, at the first line that is wrong.
pub(super) fn read(file: &Arc<SourceFile>, inventory: &mut Inventory) -> Result<()> {
    let mut reader = Reader {
        inventory,
        section: (UNGROUPED.to_owned(), Kind::Hosts),
        declared: Vec::from([ALL.to_owned(), UNGROUPED.to_owned()]),
        owed: IndexMap::new(),
    };
    reader.declared.extend(
        reader
            .inventory
            .groups()
            .map(|group| group.name.to_string()),
    );
    for (line, number) in file.text.lines().zip(1_u32..) {
        reader.line(&Line {
            file,
            text: line,
            number,
        })?;
    }
    reader.settle()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Vars,
    Children,
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    section: (String, Kind),
    declared: Vec<String>,
    /// Groups that were used and must still be declared.
    owed: IndexMap<String, Owed>,
}

/// Why a group must be declared, where it was used, and which groups wait to take it in: they
/// do so once it is declared, which decides the order of their hosts.
struct Owed {
    why: String,
    span: Span,
    parents: Vec<String>,
}

struct Line<'a> {
    file: &'a Arc<SourceFile>,
    text: &'a str,
    number: u32,
}

impl Line<'_> {
    /// The place of `len` characters at a byte of the line.
    fn span(&self, byte: usize, len: usize) -> Span {
        let column = self.text.get(..byte).unwrap_or_default().chars().count() + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span::new(self.file, self.number, narrow(column), narrow(len))
    }

    fn error(&self, message: impl Into<String>, byte: usize, len: usize) -> Error {
        Error::new(ErrorKind::Syntax, message).at(&self.span(byte, len))
    }

    /// The line's content and where it starts.
    fn content(&self) -> (&str, usize) {
        let content = self.text.trim();
        (content, self.text.len() - self.text.trim_start().len())
    }
}

impl Reader<'_> {
    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        let (content, start) = line.content();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some((group, kind)) = section(content) {
            return self.open_section(group, kind, line);
        }
        if content.starts_with('[') && content.ends_with(']') {
            return Err(line
                .error(
                    format!("`{content}` is not a section"),
                    start,
                    content.chars().count(),
                )
                .hint("a section is written [group], [group:vars] or [group:children], without blanks"));
        }
        match self.section.1 {
            Kind::Hosts => self.host(line),
            Kind::Vars => self.variable(line),
            Kind::Children => self.child(line),
        }
    }

    fn open_section(&mut self, group: &str, kind: &str, line: &Line<'_>) -> Result<()> {
        let (content, start) = line.content();
        let kind = match kind {
            "" | "hosts" => Kind::Hosts,
            "vars" => Kind::Vars,
            "children" => Kind::Children,
            other => {
                let at = start + 1 + group.len() + 1;
                return Err(line
                    .error(
                        format!("unknown kind of section `{other}`"),
                        at,
                        other.chars().count(),
                    )
                    .did_you_mean(other, ["vars", "children", "hosts"])
                    .hint("a section is [group], [group:vars] or [group:children]"));
            }
        };
        let span = line.span(start + 1, group.chars().count());
        self.inventory.add_group_at(group, Some(&span));
        let safe = self.inventory.group_chars.name(group).into_owned();
        let group = safe.as_str();
        if kind == Kind::Vars {
            if !self.declared.iter().any(|name| name == group) {
                let why = format!("the section [{group}:vars] is of a group that is not defined");
                let span = line.span(start, content.chars().count());
                let owed = Owed {
                    why,
                    span,
                    parents: Vec::new(),
                };
                self.owed.entry(group.to_owned()).or_insert(owed);
            }
        } else {
            self.declare(group)?;
        }
        self.section = (group.to_owned(), kind);
        Ok(())
    }

    fn declare(&mut self, group: &str) -> Result<()> {
        self.declared.push(group.to_owned());
        let Some(owed) = self.owed.shift_remove(group) else {
            return Ok(());
        };
        let mut parents = owed.parents.iter();
        parents.try_for_each(|parent| {
            let added = self.inventory.add_child(parent, group);
            added.map_err(|e| e.at(&owed.span))
        })
    }

    fn host(&mut self, line: &Line<'_>) -> Result<()> {
        let words = words::split(line.text).map_err(|(why, at)| line.error(why, at, 1))?;
        let Some(((entry, at), pairs)) = words.split_first() else {
            return Ok(());
        };
        let wrong = |why: String| line.error(why, *at, entry.chars().count());
        let (hosts, port) = address::expand(entry).map_err(wrong)?;
        if entry == "---" {
            return Err(
                wrong("`---` is no host".into()).hint("is this a YAML file? then name it *.yml")
            );
        }
        if entry.ends_with(':') {
            return Err(
                wrong(format!("a host name cannot end in a colon: `{entry}`"))
                    .hint("behind the colon stands a port; a YAML inventory needs the ending .yml"),
            );
        }
        let variables = pairs
            .iter()
            .map(|(word, at)| host_variable(word, *at, line))
            .collect::<Result<Vec<_>>>()?;
        for host in hosts {
            self.inventory.add_host(&host, &self.section.0);
            if let Some(port) = port {
                let span = line.span(*at, entry.chars().count());
                let port = Value::Int(port.into());
                self.inventory
                    .set_host_var(&host, "ansible_port".into(), port, Some(&span));
            }
            for (key, value, span) in &variables {
                self.inventory
                    .set_host_var(&host, key.clone(), value.clone(), Some(span));
            }
        }
        Ok(())
    }

    fn variable(&mut self, line: &Line<'_>) -> Result<()> {
        let (content, start) = line.content();
        let Some((key, value)) = content.split_once('=') else {
            return Err(line.error(
                format!("expected key=value, but this is `{content}`"),
                start,
                content.chars().count(),
            ));
        };
        let (key, value) = (key.trim(), value.trim());
        let at = line.text.len() - line.text.trim_start().len() + content.len() - value.len();
        let value = literal::value(value, &line.span(at, value.chars().count()));
        let span = line.span(start, key.chars().count());
        let group = self.section.0.clone();
        self.inventory
            .set_group_var(&group, key.into(), value, Some(&span))
    }

    fn child(&mut self, line: &Line<'_>) -> Result<()> {
        let (content, start) = line.content();
        let name = content.split('#').next().unwrap_or_default().trim_end();
        let span = line.span(start, name.chars().count());
        if name.is_empty() || name.contains([':', ']']) || name.contains(char::is_whitespace) {
            return Err(Error::new(
                ErrorKind::Syntax,
                format!("expected the name of a group, but this is `{content}`"),
            )
            .at(&span));
        }
        let parent = self.section.0.clone();
        let safe = self.inventory.group_chars.name(name).into_owned();
        let name = safe.as_str();
        if self.inventory.groups.contains_key(name) {
            return self
                .inventory
                .add_child(&parent, name)
                .map_err(|e| e.at(&span));
        }
        let why = format!("[{parent}:children] names the group `{name}`, which is not defined");
        let owed = Owed {
            why,
            span,
            parents: Vec::new(),
        };
        self.owed
            .entry(name.to_owned())
            .or_insert(owed)
            .parents
            .push(parent);
        Ok(())
    }

    /// All groups that were used must have been declared by now.
    fn settle(self) -> Result<()> {
        let Some((name, owed)) = self.owed.first() else {
            return Ok(());
        };
        let known = self.declared.iter().map(String::as_str);
        Err(Error::new(ErrorKind::Syntax, owed.why.clone())
            .at(&owed.span)
            .did_you_mean(name, known)
            .hint(format!("define it with a section [{name}]")))
    }
}

fn host_variable(word: &str, at: usize, line: &Line<'_>) -> Result<(Key, Value, Span)> {
    let span = line.span(at, word.chars().count());
    match word.split_once('=') {
        Some((key, value)) => Ok((key.into(), literal::value(value, &span), span)),
        None => Err(Error::new(
            ErrorKind::Syntax,
            format!("expected key=value behind the host's name, but this is `{word}`"),
        )
        .at(&span)
        .hint("one host stands on each line; values with blanks need quotes")),
    }
}

/// `[group]` or `[group:kind]`, with a comment behind it.
fn section(content: &str) -> Option<(&str, &str)> {
    let (inside, after) = content.strip_prefix('[')?.split_once(']')?;
    let after = after.trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return None;
    }
    let (group, kind) = inside.split_once(':').unwrap_or((inside, ""));
    let word = kind.chars().all(|c| c.is_alphanumeric() || c == '_');
    let empty_kind = kind.is_empty() && inside.ends_with(':');
    let valid = !group.is_empty() && !inside.contains(char::is_whitespace) && word && !empty_kind;
    valid.then_some((group, kind))
}
