//! Batches of events, as an agent sends them, through every view.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::event::{Event, Sink};
use lks_agent::uplink::wire::EventBatch;
use lks_agent::view::{Human, HumanOptions, Json, Junit, Lines};

fuzz_target!(|data: &[u8]| {
    let Ok(batch) = serde_json::from_slice::<EventBatch>(data) else {
        return;
    };
    let options = HumanOptions {
        verbosity: 3,
        diff: true,
        ..HumanOptions::default()
    };
    let views: [Box<dyn Sink>; 4] = [
        Box::new(Human::new(Vec::new(), Vec::new(), options)),
        Box::new(Json::new(Vec::new())),
        Box::new(Lines::new(Vec::new())),
        Box::new(Junit::new(Vec::new())),
    ];
    for json in batch.events {
        let Ok(event) = serde_json::from_value::<Event>(json) else {
            continue;
        };
        for view in &views {
            view.emit(&event);
        }
    }
});
