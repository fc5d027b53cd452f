//! `-t DIR`: the last result of each host as JSON, for its caller to write into a file of its name.
//!
//! From `ansible/plugins/callback/tree.py` of ansible-core 2.19.

use super::human::without_internals;
use super::text::json_line;
use crate::event::{Event, EventKind, Sink};

/// Takes a host's name and its result.
type Write = dyn Fn(&str, &str) + Send + Sync;

/// Hands each result on as a line of JSON.
pub struct Tree(Box<Write>);

impl Tree {
    /// A view that hands results to `write`.
    pub fn new(write: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self(Box::new(write))
    }
}

impl Sink for Tree {
    fn emit(&self, event: &Event) {
        if let EventKind::TaskFinished { report, .. } = &event.kind {
            let result = without_internals(&report.result);
            (self.0)(&event.host, &json_line(&result));
        }
    }
}
