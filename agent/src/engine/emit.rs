//! Numbers events and hands them to the sink.

use crate::event::{Event, EventKind, Level, Sink};
use crate::host::here;
use crate::secret;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// Numbers the events of one run, for each host on its own, and hands them to the sink.
pub struct Emitter {
    run: Arc<str>,
    sink: Arc<dyn Sink>,
    numbers: Mutex<HashMap<Arc<str>, u64>>,
    warned: Mutex<HashSet<String>>,
}

impl Emitter {
    /// For a run of this name.
    #[must_use]
    pub fn new(run: impl Into<Arc<str>>, sink: Arc<dyn Sink>) -> Self {
        Self {
            run: run.into(),
            sink,
            numbers: Mutex::default(),
            warned: Mutex::default(),
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

    /// A warning that many hosts may give cause for: told once.
    pub fn warn_once(&self, text: &str) {
        let mut warned = self
            .warned
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if warned.insert(text.to_string()) {
            drop(warned);
            self.run(EventKind::Notice {
                level: Level::Warning,
                text: text.to_string(),
            });
        }
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
        for kind in self.sink.admit(host, clean(kind)) {
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

/// The event without texts that are hidden.
fn clean(kind: EventKind) -> EventKind {
    if !secret::hides() {
        return kind;
    }
    // What cannot be looked through is not let out.
    let left_out = |_| EventKind::Notice {
        level: Level::Warning,
        text: "an event was left out, since it may hold a secret".into(),
    };
    let mut json = match serde_json::to_value(&kind) {
        Ok(json) => json,
        Err(error) => return left_out(error),
    };
    let plain = json.clone();
    if !secret::mask_json(&mut json) {
        return kind;
    }
    // Words of ours, whatever a secret is.
    for word in ["/type", "/level", "/news", "/report/status"] {
        if let (Some(masked), Some(word)) = (json.pointer_mut(word), plain.pointer(word)) {
            *masked = word.clone();
        }
    }
    serde_json::from_value(json).unwrap_or_else(left_out)
}
