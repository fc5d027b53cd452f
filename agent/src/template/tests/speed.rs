//! What costs are kept down by.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this test counts time"
)]

use super::{templar, vars};
use crate::value::Value;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_template_is_compiled_once() {
    let templar = templar();
    let vars = vars(json!({"a": "x"}));
    for _ in 0..3 {
        let text = Value::written("{{ a }}-{{ a }}", None);
        assert_eq!(templar.resolve(&text, &vars).ok(), Some(Value::from("x-x")));
    }
    let kept = templar.templates.read().map(|t| t.len());
    assert_eq!(kept.ok(), Some(1));
}

/// Generous, for a busy machine and an unoptimised build: an order of magnitude is what it guards.
#[test]
fn a_simple_template_takes_microseconds() {
    let started = Instant::now();
    let templar = templar();
    let made = started.elapsed();
    assert!(made < Duration::from_millis(5), "{made:?}");
    let vars = vars(json!({"a": "x"}));
    let text = Value::written("{{ a | upper }}", None);
    let once = || drop(templar.resolve(&text, &vars));
    once();
    let best = (0..50).map(|_| {
        let started = Instant::now();
        (0..20).for_each(|_| once());
        started.elapsed() / 20
    });
    let best = best.min().unwrap_or_default();
    assert!(best < Duration::from_micros(200), "{best:?}");
}
