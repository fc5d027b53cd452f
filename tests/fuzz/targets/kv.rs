//! `key=value` arguments and `--extra-vars`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::playbook::kv;
use lks_agent::playbook::vault::VaultKeys;
use lks_agent::source::{SourceFile, Span};

fuzz_target!(|text: &str| {
    let file = SourceFile::new("fuzz.yml", text);
    let span = Span::new(&file, 1, 1, 1);
    for free_form in [false, true] {
        if let Ok((free, arguments)) = kv::parse_kv(text, &span, free_form) {
            assert!(free.is_none_or(|f| f.len() <= 2 * text.len() + 2));
            assert!(arguments.len() <= text.len());
        }
    }
    if let Ok(words) = kv::split_args(text, &span) {
        assert!(words.iter().all(|w| w.offset <= text.len()));
    }
    let _ = kv::parse_extra_vars(text, &VaultKeys::none()).map_err(|e| e.to_string());
});
