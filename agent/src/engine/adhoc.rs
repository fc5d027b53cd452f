//! One task without a playbook: what `ansible PATTERN -m MODULE -a ARGS` runs, as the play it stands for.

use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::VaultKeys;
use crate::playbook::yaml::{self, Kind, Node};
use crate::source::{SourceFile, Span};
use crate::value::Value;
use std::path::PathBuf;

/// One task without a playbook.
#[derive(Clone, Debug, Default)]
pub struct Adhoc {
    /// The hosts.
    pub pattern: String,
    /// The module.
    pub module: String,
    /// Its arguments: `k=v` words, free-form text, or JSON.
    pub args: String,
    /// `async`; 0 is not at all.
    pub seconds: u64,
    /// `poll`.
    pub poll: u64,
    /// `timeout`; 0 is for ever.
    pub timeout: u64,
    /// The folder that stands for the playbook's.
    pub dir: PathBuf,
}

impl Adhoc {
    /// The play, whose errors point into the arguments of the command line. `render` evaluates the
    /// module's name, which may be a template.
    ///
    /// # Errors
    /// When that template fails.
    pub fn play(
        &self,
        vault: &VaultKeys,
        render: &dyn Fn(&Value) -> Result<Value>,
    ) -> Result<Node> {
        let module = text("-m", &self.module);
        let name = match module.to_value(vault)? {
            value @ Value::Template(_) => {
                let value = render(&value).map_err(|e| e.at(&module.span))?;
                let name = value.as_str().map(String::from).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Template,
                        format!("a module's name must be text, not a {}", value.type_name()),
                    )
                    .at(&module.span)
                })?;
                Node::new(Kind::Str(name.into()), module.span.clone())
            }
            _ => module,
        };
        let span = name.span.clone();
        let mut task = vec![(name, self.arguments())];
        let mut add = |key: &str, kind: Kind| {
            task.push((key_node(key, &span), Node::new(kind, span.clone())));
        };
        let whole = |n: u64| Kind::Int(i64::try_from(n).unwrap_or(i64::MAX));
        if self.timeout > 0 {
            add("timeout", whole(self.timeout));
        }
        if self.seconds > 0 {
            add("async", whole(self.seconds));
            add("poll", whole(self.poll));
        }
        let task = Node::new(Kind::Map(task), span.clone());
        let mut play = Vec::new();
        let mut add = |key: &str, node: Node| play.push((key_node(key, &span), node));
        add(
            "name",
            Node::new(Kind::Str("Ansible Ad-Hoc".into()), span.clone()),
        );
        add("hosts", text("PATTERN", self.hosts()));
        add("gather_facts", Node::new(Kind::Bool(false), span.clone()));
        add("tasks", Node::new(Kind::Seq(vec![task]), span.clone()));
        Ok(Node::new(Kind::Map(play), span.clone()))
    }

    /// The pattern; nothing but commas means everybody.
    #[must_use]
    pub fn hosts(&self) -> &str {
        match self.pattern.trim_matches([',', ' ']) {
            "" => "all",
            _ => &self.pattern,
        }
    }

    /// The arguments: JSON if they are an object of it, else text that the module's own rules split.
    fn arguments(&self) -> Node {
        let node = text("-a", &self.args);
        let is_object = self.args.starts_with('{')
            && self.args.ends_with('}')
            && serde_json::from_str::<serde_json::Value>(&self.args).is_ok();
        if !is_object {
            return node;
        }
        let loaded = yaml::load(&node.span.file);
        let object = loaded.ok().and_then(|l| l.docs.into_iter().next());
        object.unwrap_or(node)
    }
}

/// Text of the command line, which shows in errors under the name of its flag.
fn text(flag: &str, text: &str) -> Node {
    let file = SourceFile::new(flag, text);
    let len = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let span = Span::new(&file, 1, 1, len.max(1));
    match text {
        "" => Node::new(Kind::Null, span),
        text => Node::new(Kind::Str(text.into()), span),
    }
}

fn key_node(name: &str, span: &Span) -> Node {
    Node::new(Kind::Str(name.into()), span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_or_text() {
        let with = |args: &str| {
            let adhoc = Adhoc {
                args: args.into(),
                ..Adhoc::default()
            };
            adhoc.arguments()
        };
        let json = with(r#"{"cmd": "a {{ b }}", "n": [1]}"#);
        assert_eq!(json.get("cmd").and_then(|n| n.as_str()), Some("a {{ b }}"));
        assert_eq!(json.get("cmd").unwrap().span.to_string(), "-a:1:10");
        for text in ["{{ whole }}", "a=1 b=2", "{ls; }", "{not: json}"] {
            assert_eq!(with(text).as_str(), Some(text));
        }
        assert!(with("").is_null());
    }

    #[test]
    fn a_pattern_of_commas_means_everybody() {
        for (pattern, want) in [(",", "all"), (" ,, ", "all"), ("", "all"), (",,a", ",,a")] {
            let adhoc = Adhoc {
                pattern: pattern.into(),
                ..Adhoc::default()
            };
            assert_eq!(adhoc.hosts(), want);
        }
    }
}
