//! Secrets in plain text, by their names and by their shapes. No view shows what was found.

use crate::lint::Check::Project as Whole;
use crate::lint::Found;
use crate::lint::project::Project;
use lks_agent::playbook::yaml::{Kind, Node};

rules! {
    /// A password, key or token stands in plain text.
    ///
    /// Whoever can read the repository, its copies and its history has it. Encrypt it
    /// (`lks-ctl vault encrypt_string`), or look it up when the play runs; and change it, because it is
    /// known now. Templates, vaulted values and words that stand for a secret to come (`changeme`,
    /// `<token>`) are left in peace.
    PLAIN_SECRET "plain-secret" Warning on => Whole(plain_secrets);
}

fn plain_secrets(project: &Project, out: &mut Vec<Found>) {
    for tree in project.trees() {
        walk(tree, None, out);
    }
}

fn walk(node: &Node, name: Option<&str>, out: &mut Vec<Found>) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|n| walk(n, None, out)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                walk(value, key.as_str(), out);
            }
        }
        Kind::Str(text) => {
            let found = by_shape(text).map(|what| format!("{what} stands in plain text"));
            let named = || {
                let name = name.filter(|n| is_secret_name(n) && is_secret_value(n, text))?;
                Some(format!("`{name}` stands in plain text"))
            };
            if let Some(message) = found.or_else(named) {
                let mut found = Found::at(&node.span, message)
                    .hint("encrypt it with `lks-ctl vault encrypt_string`, and change it");
                found.secret = true;
                out.push(found);
            }
        }
        _ => {}
    }
}

/// Beginnings of keys and tokens, how many characters follow at least, and what it is.
const SHAPES: &[(&str, usize, &str)] = &[
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("github_pat_", 60, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("hf_", 30, "a Hugging Face token"),
    ("nvapi-", 40, "an NVIDIA API key"),
    ("sk-ant-", 40, "an Anthropic API key"),
    ("sk-proj-", 40, "an OpenAI API key"),
    ("xoxb-", 24, "a Slack token"),
    ("xoxp-", 24, "a Slack token"),
    ("AIza", 35, "a Google API key"),
    ("tskey-auth-", 20, "a Tailscale key"),
];

fn by_shape(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") && !text.contains("{{") {
        // The line alone is what somebody looks for, not a key.
        return (text.len() > 120).then_some("a private key");
    }
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let words = text.split(|c| !is_key(c));
    words.filter(|w| w.len() > 15).find_map(|word| {
        SHAPES.iter().find_map(|(start, len, what)| {
            let rest = word.strip_prefix(start)?;
            let plain = rest.len() >= *len && varied(rest);
            plain.then_some(*what)
        })
    })
}

/// Whether it is more than one character over and over, as in examples.
fn varied(text: &str) -> bool {
    let mut chars: Vec<char> = text.chars().collect();
    chars.sort_unstable();
    chars.dedup();
    chars.len() > 8
}

/// Whether a variable or parameter of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let words: Vec<&str> = name.split('_').collect();
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let before_key = [
        "api",
        "private",
        "access",
        "secret",
        "auth",
        "encryption",
        "license",
    ];
    match *last {
        "password" | "passwd" | "passphrase" | "pwd" => !before.iter().any(|w| {
            matches!(
                *w,
                "update" | "no" | "ask" | "change" | "generate" | "expire" | "random"
            )
        }),
        "secret" | "token" | "apikey" | "credentials" => true,
        "key" => before.last().is_some_and(|w| before_key.contains(w)),
        "pass" => !before.is_empty() && !before.contains(&"ask"),
        _ => false,
    }
}

/// Whether a text is a secret itself, and not a word for one, a path, or a choice.
fn is_secret_value(name: &str, text: &str) -> bool {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let stands_for = [
        "change",
        "example",
        "your",
        "xxx",
        "todo",
        "dummy",
        "replace",
        "placeholder",
        "insert",
        "generat",
        "lookup(",
        "vault",
        "random",
        "***",
        "...",
        "redacted",
        "fixme",
        "foobar",
        "set_me",
        "setme",
        "not_set",
        "undefined",
        "env.",
        "getenv",
    ];
    let choices = [
        "true",
        "false",
        "yes",
        "no",
        "none",
        "null",
        "always",
        "on_create",
        "required",
        "optional",
        "present",
        "absent",
        "string",
        "str",
        "bool",
        "default",
        "prompt",
        "disabled",
        "enabled",
        "omit",
        "basic",
        "bearer",
        "env",
        "file",
        "auto",
        "password",
        "secret",
        "token",
    ];
    let is_word = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '-' | '.'));
    let excluded = text.len() < 4
        || text.contains(char::is_whitespace)
        || text.starts_with(['/', '~', '$', '<', '%', '!', '*', '{', '['])
        || text.contains("{{")
        || text.contains("://")
        || text.contains("${")
        || stands_for.iter().any(|w| lower.contains(w))
        || choices.contains(&&*lower)
        || [".pem", ".key", ".yml", ".txt", ".json", ".crt", ".pub"]
            .iter()
            .any(|e| lower.ends_with(e));
    if excluded {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let is_password = ["password", "passwd", "passphrase", "pwd", "pass"]
        .iter()
        .any(|w| name.ends_with(w));
    // A word for a token or key is the name of one, such as that of a Kubernetes secret.
    let has_digit = text.chars().any(|c| c.is_ascii_digit());
    is_password || (has_digit && !is_word && text.len() >= 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_and_shape_and_words_for_them_are_not() {
        for (name, value, want) in [
            ("db_password", "hunter22", true),
            ("db_password", "changeme", false),
            ("db_password", "{{ vault_db }}", false),
            ("db_password_file", "/run/x", false),
            ("update_password", "on_create", false),
            ("max_tokens", "4096", false),
            ("api_key", "0123456789abcdefXYZ", true),
            ("secret", "my-secret-name", false),
            ("token", "<your token>", false),
            ("motd", "hello", false),
        ] {
            let found = is_secret_name(name) && is_secret_value(name, value);
            assert_eq!(found, want, "{name}: {value}");
        }
        let token = format!("hf_{}", "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345");
        assert_eq!(
            by_shape(&format!("curl -H 'Bearer {token}'")),
            Some("a Hugging Face token")
        );
        assert_eq!(by_shape(&format!("hf_{}", "x".repeat(34))), None);
    }
}
