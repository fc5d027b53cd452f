//! As much XML as `nvidia-smi -q -x` writes: no comments, no CDATA, no element within one of its own name.

/// What stands in the first element of this name.
#[must_use]
pub fn inner<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    each(xml, name).into_iter().next()
}

/// What stands in each element of this name, the outermost where they are nested in others.
#[must_use]
pub fn each<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut out = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(&open) {
        rest = &rest[at + open.len()..];
        // `<gpu_util>` begins as `<gpu>` does.
        if !rest.starts_with(['>', ' ', '\n', '\t']) {
            continue;
        }
        let Some(begin) = rest.find('>') else { break };
        rest = &rest[begin + 1..];
        let Some(end) = rest.find(&close) else { break };
        out.push(&rest[..end]);
        rest = &rest[end + close.len()..];
    }
    out
}

/// A value, unless it says that there is none.
#[must_use]
pub fn said(text: &str) -> Option<String> {
    let text = text.trim();
    let none = ["", "N/A", "[N/A]", "Unknown Error", "[Unknown Error]"];
    let plain = || {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    };
    (!none.contains(&text)).then(plain)
}

/// The number that a text such as `81559 MiB` or `16x` begins with.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    text[..end].parse().ok()
}
