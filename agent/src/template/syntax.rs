//! Markers and whitespace rules of a template.

use super::literals::Region;

/// Markers and whitespace rules; those of Ansible unless a file says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Syntax {
    pub variable: (String, String),
    pub block: (String, String),
    pub comment: (String, String),
    pub trim_blocks: bool,
    pub lstrip_blocks: bool,
    /// What makes a line a statement; empty: nothing.
    pub line_statement: String,
    /// What makes the rest of a line a comment; empty: nothing.
    pub line_comment: String,
}

impl Default for Syntax {
    fn default() -> Self {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        Self {
            variable: pair("{{", "}}"),
            block: pair("{%", "%}"),
            comment: pair("{#", "#}"),
            trim_blocks: true,
            lstrip_blocks: false,
            line_statement: String::new(),
            line_comment: String::new(),
        }
    }
}

impl Syntax {
    /// The first start marker in `text`; the longest wins where two begin together.
    pub fn next_start(&self, text: &str) -> Option<(usize, Region)> {
        [Region::Variable, Region::Block, Region::Comment]
            .into_iter()
            .filter_map(|r| text.find(r.start(self)).map(|at| (at, r)))
            .min_by_key(|(at, r)| (*at, usize::MAX - r.start(self).len()))
    }

    /// For the parser.
    pub fn config(&self) -> Result<minijinja::syntax::SyntaxConfig, minijinja::Error> {
        let own = |pair: &(String, String)| (pair.0.clone(), pair.1.clone());
        let mut builder = minijinja::syntax::SyntaxConfig::builder();
        let (a, b) = own(&self.variable);
        builder.variable_delimiters(a, b);
        let (a, b) = own(&self.block);
        builder.block_delimiters(a, b);
        let (a, b) = own(&self.comment);
        builder.comment_delimiters(a, b);
        if !self.line_statement.is_empty() {
            builder.line_statement_prefix(self.line_statement.clone());
        }
        if !self.line_comment.is_empty() {
            builder.line_comment_prefix(self.line_comment.clone());
        }
        builder
            .trim_blocks(self.trim_blocks)
            .lstrip_blocks(self.lstrip_blocks)
            .keep_trailing_newline(false)
            .build()
    }
}
