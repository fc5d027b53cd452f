//! Jinja's tests, `x is …`. (In Rust, a module `tests` holds tests of another kind.)

mod about;
mod inner;
mod net;
mod places;
mod results;
mod versions;

pub(super) use versions::loose as loose_order;

use super::Doc;
use super::call::{Function, Params};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A test: a row of a family's table.
#[derive(Debug)]
pub(super) struct Test {
    pub name: &'static str,
    /// The first is the value that is tested.
    pub params: Params,
    pub doc: &'static str,
    pub run: Function,
    /// Whether it wants to see undefined values rather than pass them on.
    pub markers: bool,
    /// The collection it comes from; nothing for ansible-core's own.
    pub from: &'static str,
}

impl Test {
    const fn new(name: &'static str, params: Params, doc: &'static str, run: Function) -> Self {
        Self {
            name,
            params,
            doc,
            run,
            markers: false,
            from: "",
        }
    }

    const fn of(mut self, collection: &'static str) -> Self {
        self.from = collection;
        self
    }

    const fn with_markers(mut self) -> Self {
        self.markers = true;
        self
    }
}

static TABLES: &[&[Test]] = &[
    about::TABLE,
    inner::TABLE,
    net::TABLE,
    places::TABLE,
    results::TABLE,
    versions::TABLE,
];

fn all() -> impl Iterator<Item = &'static Test> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The test `name`, with or without the collection it comes from.
pub(super) fn find(name: &str) -> Option<&'static Test> {
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Test>> = OnceLock::new();
    let (collection, short) = super::names::split(name);
    BY_NAME
        .get_or_init(|| all().map(|t| (t.name, t)).collect())
        .get(short)
        .copied()
        .filter(|test| super::names::belongs(test.from, collection))
}

/// Names of all tests.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|t| t.name)
}

/// Documentation of all tests.
pub(super) fn docs() -> impl Iterator<Item = Doc> {
    all().map(|t| Doc {
        name: t.name,
        params: t.params,
        text: t.doc,
    })
}
