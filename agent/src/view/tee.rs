//! Several views of one run.

use crate::event::{Event, Sink};
use std::sync::Arc;

/// Hands every event to each of its sinks, in order.
#[derive(Clone, Default)]
pub struct Tee(pub Vec<Arc<dyn Sink>>);

impl Sink for Tee {
    fn emit(&self, event: &Event) {
        for sink in &self.0 {
            sink.emit(event);
        }
    }
}
