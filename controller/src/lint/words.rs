//! Words in all text files of a project: where a name is defined, and whether anything names it. Text
//! and not trees, so that a use in a script, a template or a file of another playbook counts.

use lks_agent::host::here;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Files larger than this are no playbooks, templates or scripts.
const MAX_SIZE: usize = 512 << 10;

/// A folder with more files is no project: what is not read might use a variable.
const MAX_FILES: usize = 6000;

/// How often each word stands somewhere, but for the places where it is defined.
#[derive(Debug, Default)]
pub struct Words {
    used: HashMap<String, usize>,
    defined: HashSet<String>,
    /// Whether all files were read.
    pub complete: bool,
    seen: HashSet<PathBuf>,
}

impl Words {
    /// Of all files below these folders.
    #[must_use]
    pub fn below(folders: &[PathBuf]) -> Self {
        let mut words = Self {
            complete: true,
            ..Self::default()
        };
        for folder in folders {
            words.folder(folder, 0);
        }
        words
    }

    /// How often a word is used.
    #[must_use]
    pub fn uses(&self, word: &str) -> usize {
        self.used.get(word).copied().unwrap_or(0)
    }

    /// Whether a word stands anywhere as a key, or as the name of a result.
    #[must_use]
    pub fn defines(&self, word: &str) -> bool {
        self.defined.contains(word)
    }

    fn folder(&mut self, folder: &Path, depth: u32) {
        let folder = here::real_path(folder);
        if !self.seen.insert(folder.clone()) {
            return;
        }
        if self.seen.len() > MAX_FILES || depth > 12 {
            self.complete = false;
            return;
        }
        for name in here::list(&folder).unwrap_or_default() {
            let path = folder.join(&name);
            if here::is_dir(&path) {
                if !matches!(
                    &*name,
                    ".git" | "node_modules" | ".venv" | "venv" | "target"
                ) {
                    self.folder(&path, depth + 1);
                }
            } else if !is_prose(&name) && self.seen.insert(path.clone()) {
                let text = here::read_text(&path).ok().flatten();
                if let Some(text) = text.filter(|t| t.len() <= MAX_SIZE) {
                    let is_data = [".yml", ".yaml", ".ini", ".cfg", ".json", ".toml"];
                    let is_data = is_data.iter().any(|e| name.ends_with(e)) || !name.contains('.');
                    self.text(&text, is_data);
                }
            }
        }
    }

    fn text(&mut self, text: &str, is_data: bool) {
        for line in text.lines() {
            self.line(line, is_data);
        }
    }

    fn line(&mut self, line: &str, is_data: bool) {
        let trimmed = line.trim_start();
        if is_data && trimmed.starts_with('#') && !trimmed.starts_with("#jinja2:") {
            return;
        }
        let mut rest = line;
        // Entries may begin on one line: `- - name:`.
        let start = line.len() - trimmed.trim_start_matches(['-', ' ', '"', '\'', '{']).len();
        while let Some(at) = rest.find(is_word_start) {
            let from = line.len() - rest.len() + at;
            let len = line[from..]
                .find(|c| !is_word(c))
                .unwrap_or(line.len() - from);
            let word = &line[from..from + len];
            let after = &line[from + len..];
            rest = after;
            let before = line[..from].chars().next_back();
            // `3x` is no name.
            if before.is_some_and(|c| c.is_ascii_digit()) {
                continue;
            }
            if is_data && is_definition(line, from, start, after) {
                self.defined.insert(word.into());
            } else {
                *self.used.entry(word.into()).or_default() += 1;
            }
        }
    }
}

/// Whether the word at `from` is a key, or the value of `register`.
fn is_definition(line: &str, from: usize, start: usize, after: &str) -> bool {
    let after = after.trim_start_matches(['"', '\'']);
    let key = after.starts_with(':') && !after.starts_with("::");
    let pair = after.starts_with('=') && !after.starts_with("==");
    let before = line[..from].trim_end_matches(['"', '\'']).trim_end();
    let registered = before.ends_with("register:") || before.ends_with("register=");
    let in_mapping = before.ends_with(',') || before.ends_with('{') && !before.ends_with("{{");
    registered || (key && (from == start || in_mapping)) || (pair && from == start)
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Documents tell of variables and use none.
fn is_prose(name: &str) -> bool {
    [".md", ".rst", ".png", ".jpg", ".gz", ".lock", ".pyc"]
        .iter()
        .any(|e| name.ends_with(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_define_and_all_else_uses() {
        let mut words = Words::default();
        words.text(
            "port: 80\n- register: out\n  vars: {a: 1, b: \"{{ port }}\"}\n# c\nwhen: out.rc == d\n",
            true,
        );
        for (word, uses, defines) in [
            ("port", 1, true),
            ("out", 1, true),
            ("a", 0, true),
            ("b", 0, true),
            ("c", 0, false),
            ("d", 1, false),
        ] {
            assert_eq!(
                (words.uses(word), words.defines(word)),
                (uses, defines),
                "{word}"
            );
        }
    }
}
