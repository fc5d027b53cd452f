//! Text in addresses, as signatures want it.

/// All but letters, digits and `-_.~` as `%41` (RFC 3986's unreserved characters), with `keep` left as
/// they are.
#[must_use]
pub fn percent(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-_.~".contains(c) || (c.is_ascii() && keep.contains(c)) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Names and values joined as a query or a form, in their order.
pub(super) fn pairs(list: &[(String, String)]) -> String {
    let one =
        |(name, value): &(String, String)| format!("{}={}", percent(name, ""), percent(value, ""));
    list.iter().map(one).collect::<Vec<_>>().join("&")
}

/// A path without `.`, `..` and empty parts.
pub(super) fn plain_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", parts.join("/"))
}
