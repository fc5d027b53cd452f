//! The commands that the README prints, as a reader finds them.

use std::path::PathBuf;

/// A section of the README, with its sub-sections.
pub struct Section(String);

impl Section {
    /// The section under this heading.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn named(heading: &str) -> Self {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let text = std::fs::read_to_string(file).expect("the README");
        Self::of(&text, heading).expect("the section is in the README")
    }

    fn of(text: &str, heading: &str) -> Option<Self> {
        let (_, rest) = text.split_once(&format!("\n## {heading}\n"))?;
        Some(Self(rest.split("\n## ").next()?.to_owned()))
    }

    /// The lines behind a `$` of its blocks for a terminal, in order, with their comments.
    #[must_use]
    pub fn commands(&self) -> Vec<&str> {
        let blocks = self.0.split("```console\n").skip(1);
        let lines = blocks.flat_map(|b| b.split("```").next().unwrap_or_default().lines());
        lines.filter_map(|l| l.strip_prefix("$ ")).collect()
    }

    /// What stands in backquotes, in text and in comments, and begins with one of these words, with another
    /// one behind it.
    #[must_use]
    pub fn quoted(&self, beginnings: &[&str]) -> Vec<String> {
        let fences = |l: &&str| !l.starts_with("```");
        let text: Vec<&str> = self.0.lines().filter(fences).collect();
        let text = text.join("\n");
        let quoted = text.split('`').skip(1).step_by(2);
        let words = quoted.map(|q| q.split_whitespace().collect::<Vec<_>>());
        words
            .filter(|w| w.len() > 1 && beginnings.contains(&w[0]))
            .map(|w| w.join(" "))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_one_begins() {
        let text = "# a\n## b\nx `run\nit` y\n```console\n$ one # `hosts forget NAME`\nsaid\n```\n### c\n\
            ```sh\n$ no\n```\n```console\n$ two\n```\n## d\n```console\n$ three\n```\n";
        let section = Section::of(text, "b").expect("it is there");
        assert_eq!(section.commands(), ["one # `hosts forget NAME`", "two"]);
        assert_eq!(
            section.quoted(&["run", "hosts"]),
            ["run it", "hosts forget NAME"]
        );
        assert!(Section::of(text, "c").is_none());
    }
}
