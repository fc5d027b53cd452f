//! Filters. Each family is a file with a table at its top: a filter is a function and a row.

mod combine;
mod crypt;
mod csv;
mod data;
mod general;
mod hashes;
mod inner;
mod jmespath;
mod lists;
mod logic;
mod math;
pub(super) mod net;
mod paths;
mod pick;
mod random;
pub(super) mod regex;
mod sets;
mod strings;
mod times;
mod urls;
mod wrap;

pub(super) use crypt::{crypt, random_salt, salt_size};
pub(super) use csv::rows as csv_rows;
pub(super) use data::{decoded, inert};
pub(super) use lists::{flatten_one, subelements};
pub(super) use paths::{expand_user, normal as normal_path};
pub(super) use random::Twister;

use super::Doc;
use super::call::{Function, Params};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A filter: a row of a family's table.
#[derive(Debug)]
pub(super) struct Filter {
    pub name: &'static str,
    /// The first is the value that is filtered.
    pub params: Params,
    pub doc: &'static str,
    pub run: Function,
    /// Whether it wants to see undefined values rather than pass them on.
    pub markers: bool,
    /// The collection it comes from; nothing for ansible-core's own.
    pub from: &'static str,
}

impl Filter {
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

static TABLES: &[&[Filter]] = &[
    combine::TABLE,
    crypt::TABLE,
    data::TABLE,
    general::TABLE,
    hashes::TABLE,
    inner::TABLE,
    jmespath::TABLE,
    lists::TABLE,
    logic::TABLE,
    math::TABLE,
    net::TABLE,
    paths::TABLE,
    pick::TABLE,
    random::TABLE,
    regex::TABLE,
    sets::TABLE,
    strings::TABLE,
    times::TABLE,
    urls::TABLE,
    wrap::TABLE,
];

fn all() -> impl Iterator<Item = &'static Filter> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The filter `name`, with or without the collection it comes from.
pub(super) fn find(name: &str) -> Option<&'static Filter> {
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Filter>> = OnceLock::new();
    let (collection, short) = super::names::split(name);
    BY_NAME
        .get_or_init(|| all().map(|f| (f.name, f)).collect())
        .get(short)
        .copied()
        .filter(|filter| super::names::belongs(filter.from, collection))
}

/// Names of all filters.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|f| f.name)
}

/// Documentation of all filters.
pub(super) fn docs() -> impl Iterator<Item = Doc> {
    all().map(|f| Doc {
        name: f.name,
        params: f.params,
        text: f.doc,
    })
}
