//! Parser events → tree of nodes: tags, anchors, merge keys, doubled keys, and limits on all of them.

use super::diagnose;
use super::entries::{Entries, merge_entries};
use super::node::{Kind, Node, NodeData};
use super::resolve::{self, Plain};
use super::tag::Tag;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{SourceFile, Span};
use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Extent, StrInput};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// How many nodes aliases may stand for in one file. Ten lines of aliases to aliases can stand for
/// more values than a machine has memory ("billion laughs").
const MAX_ALIASED_NODES: u64 = 1_000_000;

/// How deep values may be nested, aliases followed. Recursion over a tree stays within the stack.
const MAX_DEPTH: u32 = 256;

/// What a file held.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The documents, in order; none for an empty file.
    pub docs: Vec<Node>,
    /// What is legal but is likely a slip.
    pub warnings: Vec<Warning>,
}

/// Something that is legal but is likely a slip.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What.
    pub message: String,
    /// Where.
    pub span: Span,
}

impl Loaded {
    /// The only document, or nothing if the file is empty.
    ///
    /// # Errors
    /// At the second document, if there are several: Ansible takes one.
    pub fn single(&self) -> Result<Option<&Node>> {
        match self.docs.get(1) {
            Some(second) => Err(second
                .error("expected a single document, but another one starts here")
                .hint("remove the `---` line above it")),
            None => Ok(self.docs.first()),
        }
    }
}

/// Reads all documents of `file`.
///
/// # Errors
/// With place and hints, if it is not YAML, or uses a tag, key or alias that Ansible refuses.
pub fn load(file: &Arc<SourceFile>) -> Result<Loaded> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut composer = Composer {
        file,
        parser: Parser::new_from_str_with_options(&file.text, options),
        anchors: HashMap::new(),
        warnings: Vec::new(),
        unsafe_depth: 0,
        depth: 0,
        aliased: 0,
    };
    let mut docs = Vec::new();
    while let Some(next) = composer.parser.next_event() {
        let (event, extent) = next.map_err(|e| diagnose::scan_error(file, &e))?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(..) => composer.anchors.clear(),
            Event::DocumentEnd => {}
            event => docs.push(composer.node(event, extent)?.node),
        }
    }
    Ok(Loaded {
        docs,
        warnings: composer.warnings,
    })
}

struct Composer<'s> {
    file: &'s Arc<SourceFile>,
    parser: Parser<'s, StrInput<'s>>,
    anchors: HashMap<usize, Composed>,
    warnings: Vec<Warning>,
    unsafe_depth: usize,
    depth: u32,
    aliased: u64,
}

/// A node, with how many nodes it stands for and how deep they are nested, aliases followed.
#[derive(Clone)]
struct Composed {
    node: Node,
    size: u64,
    height: u32,
}

impl<'s> Composer<'s> {
    fn next(&mut self) -> Result<(Event<'s>, Extent)> {
        match self.parser.next_event() {
            Some(next) => next.map_err(|e| diagnose::scan_error(self.file, &e)),
            None => Err(Error::new(ErrorKind::Syntax, "the file ends too early")),
        }
    }

    fn node(&mut self, event: Event<'s>, extent: Extent) -> Result<Composed> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep(&extent));
        }
        let (anchor, composed) = match event {
            Event::Alias(id) => (0, self.alias(id, &extent)?),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = Tag::of(tag.as_deref());
                (anchor, self.scalar(text, style, &tag, &extent)?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = Tag::of(tag.as_deref());
                (anchor, self.tagged(&tag, |c| c.sequence(&tag, &extent))?)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = Tag::of(tag.as_deref());
                self.check_indent(&extent)?;
                (anchor, self.tagged(&tag, |c| c.mapping(&tag, &extent))?)
            }
            _ => return Err(self.fail(&extent, "expected a value")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, composed.clone());
        }
        self.depth -= 1;
        Ok(composed)
    }

    /// Runs `read` with everything below marked unsafe, if the tag says so.
    fn tagged(
        &mut self,
        tag: &Tag,
        read: impl FnOnce(&mut Self) -> Result<Composed>,
    ) -> Result<Composed> {
        let unsafe_ = usize::from(*tag == Tag::Unsafe);
        self.unsafe_depth += unsafe_;
        let result = read(self);
        self.unsafe_depth -= unsafe_;
        result
    }

    fn alias(&mut self, id: usize, extent: &Extent) -> Result<Composed> {
        let Some(target) = self.anchors.get(&id).cloned() else {
            return Err(self.fail(extent, "this alias refers to the value that it is part of"));
        };
        self.aliased = self.aliased.saturating_add(target.size);
        if self.aliased > MAX_ALIASED_NODES {
            return Err(self
                .fail(
                    extent,
                    format!(
                        "the aliases up to here stand for more than {MAX_ALIASED_NODES} values"
                    ),
                )
                .hint(
                    "aliases to lists of aliases multiply; write the values out, or fewer of them",
                ));
        }
        if self.depth.saturating_add(target.height) > MAX_DEPTH {
            return Err(self.too_deep(extent));
        }
        Ok(target)
    }

    fn too_deep(&self, extent: &Extent) -> Error {
        self.fail(
            extent,
            format!("values are nested more than {MAX_DEPTH} levels deep"),
        )
    }

    fn scalar(
        &mut self,
        text: Cow<'s, str>,
        style: ScalarStyle,
        tag: &Tag,
        extent: &Extent,
    ) -> Result<Composed> {
        let span = self.text_span(style, &text, extent);
        let plain = style == ScalarStyle::Plain;
        let kind = tag
            .scalar(text, plain)
            .map_err(|e| e.at(&self.tag_or_start(extent)))?;
        let unsafe_ = *tag == Tag::Unsafe || self.unsafe_depth > 0;
        let node = Node::from_data(NodeData {
            span,
            kind,
            plain,
            unsafe_,
        });
        Ok(Composed {
            node,
            size: 1,
            height: 1,
        })
    }

    fn sequence(&mut self, tag: &Tag, extent: &Extent) -> Result<Composed> {
        let mut items = Vec::new();
        let (mut size, mut height) = (1_u64, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                break;
            }
            let item = self.node(event, at)?;
            size = size.saturating_add(item.size);
            height = height.max(item.height);
            items.push(item.node);
        }
        let span = self.start(extent);
        let kind = tag
            .sequence(items)
            .map_err(|e| e.at(&self.tag_or_start(extent)))?;
        Ok(self.collection(kind, span, size, height))
    }

    fn mapping(&mut self, tag: &Tag, extent: &Extent) -> Result<Composed> {
        let mut entries = Entries::default();
        let mut merged = Vec::new();
        let (mut size, mut height) = (1_u64, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(
                &event,
                Event::Scalar(text, ScalarStyle::Plain, _, None)
                    if resolve::plain(text) == Plain::Merge
            );
            let key = self.node(event, at)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            size = size.saturating_add(key.size).saturating_add(value.size);
            height = height.max(key.height).max(value.height);
            if merge {
                merge_entries(&value.node, &mut merged)?;
            } else {
                self.check_key(&key.node, extent)?;
                self.put(&mut entries, key.node, value.node);
            }
        }
        let span = self.start(extent);
        let kind = tag
            .mapping(entries.after(merged))
            .map_err(|e| e.at(&self.tag_or_start(extent)))?;
        Ok(self.collection(kind, span, size, height))
    }

    fn collection(&self, kind: Kind, span: Span, size: u64, height: u32) -> Composed {
        let node = Node::from_data(NodeData {
            span,
            kind,
            plain: false,
            unsafe_: self.unsafe_depth > 0,
        });
        Composed {
            node,
            size,
            height: height + 1,
        }
    }

    fn put(&mut self, entries: &mut Entries, key: Node, value: Node) {
        let (name, span) = (key.to_key(), key.span.clone());
        if let Some(first) = entries.put(key, value) {
            self.warnings.push(Warning {
                message: format!(
                    "Found duplicate mapping key '{name}': it replaces the one of line {}",
                    first.span.line
                ),
                span,
            });
        }
    }

    /// Python's mappings take no list or mapping as a key; an unquoted `{{ x }}` is one.
    fn check_key(&self, key: &Node, mapping: &Extent) -> Result<()> {
        let what = match key.kind {
            Kind::Seq(_) | Kind::Map(_) => key.what(),
            _ => return Ok(()),
        };
        let from = mapping.start.byte_offset().unwrap_or_default();
        let text = self.file.text.get(from..).unwrap_or_default();
        if text.starts_with("{{") {
            return Err(diagnose::unquoted_template(&self.start(mapping)));
        }
        Err(key.error(format!("{what} cannot be a key")))
    }

    /// Tabs before the first key of a mapping: the parser lets them pass, PyYAML does not.
    fn check_indent(&self, mapping: &Extent) -> Result<()> {
        let from = mapping.start.byte_offset().unwrap_or_default();
        let before = self.file.text.get(..from).unwrap_or_default();
        let margin = before.rsplit('\n').next().unwrap_or_default();
        if margin.contains('\t') && margin.trim().is_empty() {
            return Err(diagnose::tab(&self.start(mapping)));
        }
        Ok(())
    }

    fn fail(&self, extent: &Extent, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Syntax, message).at(&self.start(extent))
    }

    fn start(&self, extent: &Extent) -> Span {
        let mark = extent.start;
        Span::new(self.file, number(mark.line()), number(mark.col() + 1), 1)
    }

    /// Where a value's tag is, to complain about it.
    fn tag_or_start(&self, extent: &Extent) -> Span {
        match extent.tag_span() {
            Some(tag) => {
                let mut span = self.start(&tag);
                span.len = number(tag.len());
                span
            }
            None => self.start(extent),
        }
    }

    /// Where a scalar's text starts, and its length on that line.
    fn text_span(&self, style: ScalarStyle, text: &str, extent: &Extent) -> Span {
        let mut span = self.start(extent);
        let raw = extent.slice(&self.file.text).unwrap_or_default();
        let line = raw.lines().next().unwrap_or_default();
        match style {
            ScalarStyle::Plain => span.len = count(line),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let closing = usize::from(raw.len() == line.len());
                span.column += 1;
                span.len = count(line).saturating_sub(1 + number(closing));
            }
            // The parser points at the first line with text; blank lines above it are text too.
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let blank = text.bytes().take_while(|c| *c == b'\n').count();
                span.line = span.line.saturating_sub(number(blank)).max(1);
                span.len = count(line);
            }
        }
        span
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn count(text: &str) -> u32 {
    number(text.trim_end_matches('\r').chars().count())
}
