//! Numbers events and hands them to the sink.

use crate::event::{Event, EventKind, Sink};
use crate::host::here;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Numbers the events of one run, for each host on its own, and hands them to the sink.
pub struct Emitter {
    run: Arc<str>,
    sink: Arc<dyn Sink>,
    numbers: Mutex<HashMap<Arc<str>, u64>>,
}

impl Emitter {
    /// For a run of this name.
    #[must_use]
    pub fn new(run: impl Into<Arc<str>>, sink: Arc<dyn Sink>) -> Self {
        Self {
            run: run.into(),
            sink,
            numbers: Mutex::default(),
        }
    }

    /// Goes on after these numbers: a run that was interrupted keeps its own.
    pub fn go_on_after(&self, last: impl IntoIterator<Item = (Arc<str>, u64)>) {
        let mut numbers = self
            .numbers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        numbers.extend(last);
    }

    /// An event of the run itself.
    pub fn run(&self, kind: EventKind) {
        self.host(&Arc::from(""), kind);
    }

    /// An event of a host.
    pub fn host(&self, host: &Arc<str>, kind: EventKind) {
        // The lock is held while the sink takes the event: numbers arrive in order.
        let mut numbers = self
            .numbers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for kind in self.sink.admit(host, kind) {
            let number = numbers.entry(Arc::clone(host)).or_insert(0);
            *number += 1;
            self.sink.emit(&Event {
                run: Arc::clone(&self.run),
                host: Arc::clone(host),
                seq: *number,
                at_ms: (here::now() * 1000.0) as u64,
                kind,
            });
        }
    }
}
