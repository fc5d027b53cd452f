//! Values that must never be shown: [`Secret`] by its type, and texts that were handed out to templates,
//! which are hidden wherever they turn up.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// A value that does not show in `Debug`, `Display` or serde output. Take it out with [`Secret::reveal`],
/// as late as can be.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T> serde::Serialize for Secret<T> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str("[secret]")
    }
}

/// What stands in the place of a hidden text, as in Ansible.
pub const MASK: &str = "********";
/// A shorter text is hidden only where it is all there is: it would be found everywhere.
const SHORT: usize = 4;
/// Members of a secret in JSON that tell no secret (of those that RDS makes, by its documentation).
const PLAIN_KEYS: [&str; 10] = [
    "username",
    "user",
    "host",
    "hostname",
    "port",
    "engine",
    "dbname",
    "database",
    "dbInstanceIdentifier",
    "dbClusterIdentifier",
];

/// Texts of this process that are hidden, the longest first. They are of the process and not of a run,
/// because everything that a process says must be looked through, its last words too.
static HIDDEN: RwLock<Vec<String>> = RwLock::new(Vec::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Hides a text from now on: in whatever [`masked`] looks through. With it its lines, its form in base64,
/// and the texts in it if it is JSON.
pub fn hide(text: &str) {
    let mut found = Vec::new();
    forms(text, &mut found);
    keep(found);
}

/// Hides the texts in a value, but for those under names that tell no secret (`username`, `host`, …).
pub fn hide_all(json: &serde_json::Value) {
    let mut found = Vec::new();
    members(json, &mut found);
    keep(found);
}

fn keep(found: Vec<String>) {
    let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
    for form in found {
        if !hidden.contains(&form) {
            hidden.push(form);
        }
    }
    hidden.sort_by_key(|t| std::cmp::Reverse(t.len()));
    ANY.store(!hidden.is_empty(), Ordering::Release);
}

fn forms(text: &str, out: &mut Vec<String>) {
    let bare = text.trim();
    if bare.is_empty() {
        return;
    }
    out.push(bare.to_owned());
    if bare.len() >= SHORT {
        out.push(STANDARD.encode(text));
    }
    if bare.contains('\n') {
        let lines = bare.lines().map(str::trim).filter(|l| l.len() >= 2 * SHORT);
        out.extend(lines.map(str::to_owned));
    }
    if let Ok(json @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) =
        serde_json::from_str(bare)
    {
        members(&json, out);
    }
}

fn members(json: &serde_json::Value, out: &mut Vec<String>) {
    match json {
        serde_json::Value::Object(map) => {
            let telling = map
                .iter()
                .filter(|(k, _)| !PLAIN_KEYS.contains(&k.as_str()));
            telling.for_each(|(_, value)| members(value, out));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|i| members(i, out)),
        serde_json::Value::String(text) if text.trim().len() >= SHORT => forms(text, out),
        _ => {}
    }
}

/// Whether anything is hidden.
#[must_use]
pub fn hides() -> bool {
    ANY.load(Ordering::Acquire)
}

/// The text with [`MASK`] in the place of each hidden text.
#[must_use]
pub fn masked(text: &str) -> String {
    if !hides() {
        return text.to_owned();
    }
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    let mut out = text.to_owned();
    for secret in hidden.iter() {
        if secret.len() < SHORT {
            if out.trim() == secret {
                out = MASK.to_owned();
            }
        } else if out.contains(secret.as_str()) {
            out = out.replace(secret.as_str(), MASK);
        }
    }
    out
}

/// Masks all of them; whether there was anything to mask in any.
fn some<'j>(all: impl Iterator<Item = &'j mut serde_json::Value>) -> bool {
    all.map(mask_json).filter(|changed| *changed).count() > 0
}

/// Masks all texts of a JSON value, keys too. Whether there was anything to mask.
pub fn mask_json(json: &mut serde_json::Value) -> bool {
    match json {
        serde_json::Value::String(text) => {
            let clean = masked(text);
            let changed = clean != *text;
            *text = clean;
            changed
        }
        serde_json::Value::Number(number) => {
            let changed = masked(&number.to_string()) == MASK;
            if changed {
                *json = MASK.into();
            }
            changed
        }
        serde_json::Value::Array(items) => some(items.iter_mut()),
        serde_json::Value::Object(map) => {
            let mut changed = some(map.values_mut());
            if map.keys().any(|k| masked(k) != *k) {
                changed = true;
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(k, v)| (masked(&k), v))
                    .collect();
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_shows_nowhere() {
        hide("correct-horse battery\n");
        hide("{\"username\": \"anna-of-db\", \"password\": \"p4ssw0rd-of-db\"}");
        hide("-----BEGIN KEY-----\nAAAA-first-line\nBBBB-second-line\n-----END KEY-----");
        hide("q9");
        for text in [
            "a correct-horse battery b",
            "psql://anna-of-db:p4ssw0rd-of-db@h",
            "+ BBBB-second-line",
            &STANDARD.encode("p4ssw0rd-of-db"),
            "q9",
        ] {
            assert!(masked(text).contains(MASK), "{text}");
        }
        assert!(masked("psql://anna-of-db:p4ssw0rd-of-db@h").contains("anna-of-db"));
        assert_eq!(masked("faq9x"), "faq9x", "a short one is hidden only alone");
        let mut json = serde_json::json!({"p4ssw0rd-of-db": [1, "x p4ssw0rd-of-db"]});
        assert!(mask_json(&mut json));
        assert_eq!(json, serde_json::json!({MASK: [1, format!("x {MASK}")]}));
        assert!(!mask_json(&mut serde_json::json!({"a": [1, "b"]})));
    }
}
