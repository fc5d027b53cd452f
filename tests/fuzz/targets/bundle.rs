//! Bundles, before and behind their signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::bundle::{self, Index, Keys, Parts, Statement};

fuzz_target!(|data: &[u8]| {
    let with_magic = [bundle::MAGIC, data].concat();
    for bytes in [data, &with_magic[..]] {
        if let Ok(parts) = Parts::read(bytes) {
            assert_eq!(parts.write(), bytes, "what is read is what is written");
            if let Ok(index) = Index::read(parts.index) {
                let _ = index.split(parts.files).map_err(|e| e.to_string());
            }
            if let Some((statement, _)) = parts.signed {
                let _ = Statement::read(statement).map_err(|e| e.to_string());
            }
        }
    }
    let _ = Index::read(data).map_err(|e| e.to_string());
    let _ = Statement::read(data).map_err(|e| e.to_string());
    if let Ok(keys) = Keys::read(&String::from_utf8_lossy(data)) {
        let _ = bundle::verify(&with_magic, &keys, 1_700_000_000);
    }
});
