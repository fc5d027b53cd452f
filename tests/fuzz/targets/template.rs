//! The template compiler: whole templates, and expressions without braces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::source::{SourceFile, Span};
use lks_agent::template::{Nowhere, Templar, used};
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let file = SourceFile::new("fuzz.yml", text);
    let span = Span::new(&file, 1, 1, 1);
    let templar = Templar::new(Arc::new(Nowhere));
    let _ = templar.check(text, Some(&span)).map_err(|e| e.to_string());
    let _ = templar
        .check_condition(text, Some(&span))
        .map_err(|e| e.to_string());
    let _ = used::names(text, Some(&span), false);
    let _ = used::names(text, Some(&span), true);
    let _ = used::names_in_file(&file);
    let _ = used::not_a_condition(text);
});
