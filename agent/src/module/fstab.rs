//! The table of mounts at boot, as text: comments, order and what is not understood stay as they are.

/// One entry, fields escaped as in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub source: String,
    pub target: String,
    pub fstype: String,
    pub options: String,
    pub dump: String,
    pub passno: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let text = line.split('#').next().unwrap_or_default();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [source, target, fstype, options, rest @ ..] = fields.as_slice() else {
            return None;
        };
        (rest.len() <= 2).then(|| Self {
            source: (*source).into(),
            target: (*target).into(),
            fstype: (*fstype).into(),
            options: (*options).into(),
            dump: rest.first().copied().unwrap_or("0").into(),
            passno: rest.get(1).copied().unwrap_or("0").into(),
        })
    }

    /// Whether both are about the same place; swap areas have none, so their source tells.
    fn is_for(&self, other: &Self) -> bool {
        let bare = |path: &str| match path.trim_end_matches('/') {
            "" => "/".to_string(),
            bare => bare.to_string(),
        };
        let swap = self.target == "none" && self.fstype == "swap";
        bare(&self.target) == bare(&other.target) && (!swap || self.source == other.source)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            source,
            target,
            fstype,
            options,
            dump,
            passno,
        } = self;
        write!(f, "{source} {target} {fstype} {options} {dump} {passno}")
    }
}

/// Escapes a field: spaces, ampersands and backslashes.
#[must_use]
pub fn escape(field: &str) -> String {
    field
        .replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('&', "\\046")
}

/// The table with `wanted` in it, and the entry that it takes the place of.
#[must_use]
pub fn with(text: &str, wanted: &Entry) -> (String, Option<Entry>) {
    let mut old = None;
    let mut out = rewrite(text, |entry| {
        if !entry.is_for(wanted) {
            return Keep::Yes;
        }
        old.get_or_insert_with(|| entry.clone());
        match entry == wanted {
            true => Keep::Yes,
            false => Keep::As(wanted.to_string()),
        }
    });
    if old.is_none() {
        out.push_str(&format!("{wanted}\n"));
    }
    (out, old)
}

/// The table without the entries for `unwanted`'s place.
#[must_use]
pub fn without(text: &str, unwanted: &Entry) -> String {
    rewrite(text, |entry| match entry.is_for(unwanted) {
        true => Keep::No,
        false => Keep::Yes,
    })
}

enum Keep {
    Yes,
    As(String),
    No,
}

fn rewrite(text: &str, mut keep: impl FnMut(&Entry) -> Keep) -> String {
    let mut out = String::with_capacity(text.len() + 80);
    for line in text.lines() {
        match Entry::parse(line).map_or(Keep::Yes, |entry| keep(&entry)) {
            Keep::Yes => out.push_str(line),
            Keep::As(new) => out.push_str(&new),
            Keep::No => continue,
        }
        out.push('\n');
    }
    // A missing line feed at the end alone is no reason to write the file.
    match out.strip_suffix('\n') {
        Some(same) if same == text => text.into(),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Entry {
        Entry::parse(line).unwrap()
    }

    #[test]
    fn an_entry_is_added_changed_and_removed_in_its_place() {
        let text = "# boot\nUUID=1 / ext4 defaults 0 1\n\n10.0.0.5:/\t/share nfs4 ro # old\nbad line\nx /y z w";
        let share = entry("10.0.0.5:/ /share nfs4 defaults,_netdev 0 0");
        let (new, old) = with(text, &share);
        assert_eq!(old.unwrap().options, "ro");
        assert_eq!(
            new,
            "# boot\nUUID=1 / ext4 defaults 0 1\n\n10.0.0.5:/ /share nfs4 defaults,_netdev 0 0\nbad line\nx /y z w\n"
        );
        assert_eq!(with(&new, &share).0, new);
        assert_eq!(
            without(&new, &share),
            "# boot\nUUID=1 / ext4 defaults 0 1\n\nbad line\nx /y z w\n"
        );
        assert_eq!(with("", &share).0, format!("{share}\n"));
        assert_eq!(with("a /b c d", &entry("a /b c d 0 0")).0, "a /b c d");
    }

    #[test]
    fn swap_areas_are_told_apart_by_their_source() {
        let text = "/dev/a none swap sw 0 0\n";
        let (new, _) = with(text, &entry("/dev/b none swap sw 0 0"));
        assert_eq!(new, "/dev/a none swap sw 0 0\n/dev/b none swap sw 0 0\n");
    }
}
