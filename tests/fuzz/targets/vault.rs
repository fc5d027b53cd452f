//! Vaults: whole files, and values inside YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lks_agent::playbook::yaml;
use lks_agent::source::SourceFile;

fuzz_target!(|text: &str| {
    let keys = lks_fuzz::keys();
    let whole = format!("$ANSIBLE_VAULT;{text}");
    for text in [text, &whole] {
        let _ = keys.open(text).map_err(|e| e.to_string());
        let _ = keys.decrypt_text(text).map_err(|e| e.to_string());
    }
    let indented = whole.replace('\n', "\n  ");
    let file = SourceFile::new("fuzz.yml", format!("a: !vault |\n  {indented}\n"));
    if let Ok(loaded) = yaml::load(&file) {
        for node in &loaded.docs {
            let _ = node.to_value(&keys).map_err(|e| e.to_string());
        }
    }
});
