//! Names of filters, tests and lookups: short, or with the collection they come from.

/// ansible-core's inner collection. What is in it has no short name.
pub(super) const INNER: &str = "ansible._protomatter";

/// Collection and name; the collection of a short name is empty.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// Whether what comes from collection `home` (nothing: ansible-core) is found in `asked`.
///
/// ansible-core sends the short names of what it gave away to the collections that took it, and
/// `ansible.netcommon` what it gave to `ansible.utils` (`meta/runtime.yml` of both).
pub(super) fn belongs(home: &str, asked: &str) -> bool {
    match asked {
        "" => home != INNER,
        "ansible.builtin" | "ansible.legacy" => home.is_empty(),
        "ansible.netcommon" => matches!(home, "ansible.utils" | "ansible.netcommon"),
        asked => home == asked,
    }
}
