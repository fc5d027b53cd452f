//! Templates in files: `{% include %}`, `{% import %}`, `{% extends %}`, and the headers of files.

use super::access;
use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::literals::Backslash;
use super::program::Program;
use super::syntax::Syntax;
use super::val::Val;
use crate::source::{SourceFile, Span};
use std::path::PathBuf;
use std::sync::Arc;

/// A template that was found, read and compiled.
#[derive(Debug)]
pub(super) struct File {
    pub program: Arc<Program>,
    source: Arc<SourceFile>,
}

impl File {
    /// The context in which the file's statements run.
    pub fn ctx<'t>(&self, ctx: &Ctx<'t>) -> Ctx<'t> {
        let start = Span::new(&self.source, 1, 1, 1);
        ctx.run.ctx(&ctx.home, &self.program.text, Some(&start))
    }
}

/// The file that `name` names.
pub(super) fn load(ctx: &Ctx, name: &Val) -> Res<File> {
    find(ctx, name)?
}

/// The first that is there of the file or files that `name` names; inside, that none is.
pub(super) fn find(ctx: &Ctx, name: &Val) -> Res<Res<File>> {
    let names = match name.usable()? {
        Val::Str(s) => vec![s.to_string()],
        other => access::iterate(ctx, other)?
            .iter()
            .map(|v| super::text::to_text(ctx, v))
            .collect::<Res<_>>()?,
    };
    for name in &names {
        let Some(path) = locate(ctx, name)? else {
            continue;
        };
        if let Some(bytes) = ctx.outside().read(&path)? {
            return open(ctx, &path.to_string_lossy(), bytes).map(Ok);
        }
    }
    Ok(Err(Fault::error(format!(
        "could not find the template '{}'",
        names.join("', '")
    ))))
}

fn locate(ctx: &Ctx, name: &str) -> Res<Option<PathBuf>> {
    for dir in &ctx.run.search {
        let path = dir.join(name);
        if ctx.outside().read(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(ctx.outside().find("templates", name, &*ctx.home))
}

fn open(ctx: &Ctx, name: &str, bytes: Vec<u8>) -> Res<File> {
    let bytes = match bytes.starts_with(b"$ANSIBLE_VAULT;") {
        true => ctx.outside().decrypt(&String::from_utf8_lossy(&bytes))?,
        false => bytes,
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::error(format!("the template '{name}' is not UTF-8 text")))?;
    let source = SourceFile::new(name, text);
    let text: Arc<str> = source.text.as_str().into();
    let program = ctx
        .run
        .templar
        .file_program(&text, &ctx.run.syntax, Backslash::Escape)
        .map_err(|f| f.in_file(Some(&Span::new(&source, 1, 1, 1))))?;
    Ok(File { program, source })
}

/// How the `template` module renders a file.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Drop the line break after a statement.
    pub trim_blocks: bool,
    /// Drop the blanks before a statement at the start of a line.
    pub lstrip_blocks: bool,
    /// What a line break is written as.
    pub newline_sequence: String,
    /// Keep the line break at the end of the file.
    pub keep_trailing_newline: bool,
    /// Start and end of an expression, if not `{{` and `}}`.
    pub variable: Option<(String, String)>,
    /// Start and end of a statement, if not `{%` and `%}`.
    pub block: Option<(String, String)>,
    /// Start and end of a comment, if not `{#` and `#}`.
    pub comment: Option<(String, String)>,
    /// What makes a line a statement, and what makes the rest of a line a comment.
    pub line: (String, String),
    /// Directories that `{% include %}` and its kin look in first.
    pub search: Vec<PathBuf>,
    /// Whether a backslash in `{{ '…' }}` is itself, as in playbooks; files read it as Python does.
    pub escape_backslashes: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            keep_trailing_newline: true,
            variable: None,
            block: None,
            comment: None,
            line: Default::default(),
            search: Vec::new(),
            escape_backslashes: false,
        }
    }
}

impl FileOptions {
    pub(super) fn syntax(&self) -> Syntax {
        let base = Syntax::default();
        Syntax {
            variable: self.variable.clone().unwrap_or(base.variable),
            block: self.block.clone().unwrap_or(base.block),
            comment: self.comment.clone().unwrap_or(base.comment),
            trim_blocks: self.trim_blocks,
            lstrip_blocks: self.lstrip_blocks,
            line_statement: self.line.0.clone(),
            line_comment: self.line.1.clone(),
        }
    }

    /// Takes the `#jinja2: key:value, …` line off `text`, if there is one.
    pub(super) fn header<'s>(&mut self, text: &'s str) -> Result<&'s str, Fault> {
        let Some(rest) = text.strip_prefix("#jinja2:") else {
            return Ok(text);
        };
        let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
        for pair in line.split(',') {
            let Some((key, value)) = pair.split_once(':') else {
                return Err(Fault::error(format!(
                    "Missing key-value separator `:` in the `#jinja2:` header: '{}'",
                    pair.trim()
                )));
            };
            self.set(key.trim(), &literal(value.trim()))?;
        }
        Ok(rest)
    }

    fn set(&mut self, key: &str, value: &str) -> Res<()> {
        let on = matches!(value.to_lowercase().as_str(), "true" | "yes" | "1" | "on");
        let base = Syntax::default();
        let markers = match key.split_once('_') {
            Some(("variable", _)) => Some((&mut self.variable, base.variable)),
            Some(("block", _)) => Some((&mut self.block, base.block)),
            Some(("comment", _)) => Some((&mut self.comment, base.comment)),
            _ => None,
        };
        match (key, markers) {
            ("trim_blocks", _) => self.trim_blocks = on,
            ("line_statement_prefix", _) => self.line.0 = value.to_owned(),
            ("line_comment_prefix", _) => self.line.1 = value.to_owned(),
            ("lstrip_blocks", _) => self.lstrip_blocks = on,
            ("keep_trailing_newline", _) => self.keep_trailing_newline = on,
            ("newline_sequence", _) => self.newline_sequence = super::literals::unescape(value),
            (_, Some((pair, base))) if key.ends_with("_start_string") => {
                pair.get_or_insert(base).0 = value.to_owned();
            }
            (_, Some((pair, base))) if key.ends_with("_end_string") => {
                pair.get_or_insert(base).1 = value.to_owned();
            }
            _ => {
                return Err(Fault::error(format!(
                    "the `#jinja2:` header has no key '{key}'"
                )));
            }
        }
        Ok(())
    }
}

/// A value of the header: Python's literals, of which quotes alone matter.
fn literal(text: &str) -> String {
    let unquoted = ['\'', '"']
        .iter()
        .find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    unquoted.unwrap_or(text).to_owned()
}
