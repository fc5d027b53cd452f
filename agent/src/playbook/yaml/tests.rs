//! Against what ansible-core 2.19.14's loader and PyYAML 6.0.3's C dumper were recorded to do.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests count time"
)]

use super::{Kind, Node, Style, from_str, load, to_styled_string};
use crate::playbook::vault::VaultKeys;
use crate::source::SourceFile;
use crate::value::{Key, Map, Value};
use serde::Deserialize;
use serde_json::Value as Json;
use std::time::Instant;

fn recorded(lines: &str) -> impl Iterator<Item = Json> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

/// A value as the recorder wrote it: `{"map": [[key, value]]}`, `{"seq": []}`, `{"float": "1.0"}`.
fn value(json: &Json) -> Value {
    let Some((tag, content)) = json.as_object().and_then(|o| o.iter().next()) else {
        return Value::from(json.clone());
    };
    match (tag.as_str(), content) {
        ("float", Json::String(text)) => Value::Float(text.parse().unwrap()),
        ("seq", Json::Array(items)) => Value::list(items.iter().map(value).collect()),
        ("map", Json::Array(pairs)) => {
            let pair = |pair: &Json| (key(&value(&pair[0])), value(&pair[1]));
            Value::map(pairs.iter().map(pair).collect::<Map>())
        }
        other => panic!("{other:?}"),
    }
}

fn key(value: &Value) -> Key {
    match value {
        Value::Str(s) => Key::Str(s.clone()),
        Value::Int(i) => Key::Int(*i),
        Value::Bool(b) => Key::Bool(*b),
        Value::Null => Key::Null,
        other => panic!("{other:?}"),
    }
}

fn one(text: &str) -> Node {
    let loaded = load(&SourceFile::new("t.yml", text)).unwrap();
    loaded.single().unwrap().unwrap().clone()
}

/// Cases where we differ from Ansible on purpose.
const ON_PURPOSE: &[(&str, &str)] = &[
    (
        "a: 99999999999999999999\n",
        "our numbers have 64 bits: kept as text",
    ),
    ("a: 0b_\n", "PyYAML crashes: kept as text"),
    (
        "a: =\n",
        "PyYAML has no constructor for its own type: kept as text",
    ),
    ("a: <<\n", "as above"),
    ("- <<\n", "as above"),
    (
        "1: a\ntrue: b\nnull: c\n'1': d\n",
        "to Python, 1 and true are the same key",
    ),
    ("&a [*a]\n", "Python can hold a list in itself, we cannot"),
];

#[test]
fn files_mean_what_ansible_says() {
    let mut wrong = Vec::new();
    for case in recorded(include_str!("tests/load.jsonl")) {
        let text = case["text"].as_str().unwrap();
        if ON_PURPOSE.iter().any(|(known, _)| *known == text) {
            continue;
        }
        let got = load(&SourceFile::new("t.yml", text)).and_then(|loaded| {
            let node = loaded.single()?.cloned();
            node.map_or(Ok(Value::Null), |n| n.to_value(&VaultKeys::none()))
        });
        match (case.get("value"), got) {
            (None, Err(_)) => {}
            (Some(want), _) if want.to_string().contains("\"vault\"") => {}
            // Compared as text, since NaN is not NaN and maps compare without their order.
            (Some(want), Ok(got))
                if format!("{:?}", untemplate(&got)) == format!("{:?}", value(want)) => {}
            (want, got) => wrong.push(format!("{text:?}\n  want {want:?}\n  got  {got:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn untemplate(value: &Value) -> Value {
    match value {
        Value::Template(t) => {
            // `!unsafe` without braces.
            let inner = t.text.strip_prefix("{% raw %}");
            let inner = inner.and_then(|s| s.strip_suffix("{% endraw %}"));
            inner.map_or_else(|| Value::Str(t.text.clone()), Value::from)
        }
        Value::List(items) => Value::list(items.iter().map(untemplate).collect()),
        Value::Map(map) => Value::map(
            map.iter()
                .map(|(k, v)| (k.clone(), untemplate(v)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[test]
fn values_are_written_as_pyyaml_writes_them() {
    let mut wrong = Vec::new();
    for case in recorded(include_str!("tests/dump.jsonl")) {
        let options = &case["options"];
        let size = |name: &str, usual| {
            options[name]
                .as_u64()
                .map_or(usual, |n| usize::try_from(n).unwrap())
        };
        let style = Style {
            indent: size("indent", 2),
            width: size("width", 80),
            sort_keys: options["sort_keys"].as_bool().unwrap_or(true),
            default_flow_style: options["default_flow_style"].as_bool(),
            explicit_start: options["explicit_start"].as_bool().unwrap_or(false),
            ..Style::default()
        };
        let (want, got) = (
            case["text"].as_str().unwrap(),
            to_styled_string(&value(&case["value"]), &style),
        );
        if want != got {
            wrong.push(format!(
                "{}\n  want {want:?}\n  got  {got:?}",
                case["value"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nodes_know_where_their_text_starts() {
    let text = "a: plain text\nb: 'quoted'\nc: |\n  line\n\n  more\nd:\n  - [x, \"é y\"]\ne: ! \"two\n  lines\"\n";
    let root = one(text);
    let place = |n: &Node| (n.span.line, n.span.column, n.span.len);
    for (key, want) in [
        ("a", (1, 4, 10)),
        ("b", (2, 5, 6)),
        ("c", (4, 3, 4)),
        ("e", (9, 7, 3)),
    ] {
        assert_eq!(place(root.get(key).unwrap()), want, "{key}");
    }
    let list = root.get("d").unwrap();
    assert_eq!(place(list), (8, 3, 1));
    assert_eq!(
        place(&list.as_seq().unwrap()[0].as_seq().unwrap()[1]),
        (8, 10, 3)
    );
    assert_eq!(place(&root.entry("d").unwrap().0), (7, 1, 1));
}

#[test]
fn a_doubled_key_is_warned_about_where_it_stands() {
    let file = SourceFile::new("t.yml", "a: 1\nb: 2\na: 3\n");
    let warnings = load(&file).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].span.to_string(), "t.yml:3:1");
    assert_eq!(
        warnings[0].message,
        "Found duplicate mapping key 'a': it replaces the one of line 1"
    );
}

#[test]
fn only_trusted_text_becomes_a_template() {
    let root = one("a: '{{ x }}'\nb: !unsafe '{{ x }}'\nc: !unsafe\n  d: ['{{ x }}']\n");
    let value = root.to_value(&VaultKeys::none()).unwrap();
    assert!(matches!(value.get("a"), Some(Value::Template(_))));
    assert!(matches!(value.get("b"), Some(Value::Str(_))));
    assert!(!value.get("c").unwrap().has_template());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test of time needs a clock")]
fn a_billion_laughs_are_refused_quickly() {
    use std::fmt::Write;
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for i in 1..1000 {
        let alias = format!("*a{}", i - 1);
        writeln!(bomb, "a{i}: &a{i} [{}]", [alias.as_str(); 9].join(", ")).unwrap();
        writeln!(deep, "a{i}: &a{i} [{alias}]").unwrap();
    }
    let start = Instant::now();
    for (text, want) in [
        (bomb, "stand for more than"),
        (deep, "nested more than"),
        ("[".repeat(100_000), "nested"),
        ("- ".repeat(100_000), "nested"),
    ] {
        let error = load(&SourceFile::new("bomb.yml", text)).unwrap_err();
        assert!(error.message().contains(want), "{error}");
    }
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn slips_are_named_shown_and_mended() {
    for case in include_str!("tests/slips.txt").split("=====\n") {
        let (text, want) = case.split_once("-----\n").unwrap();
        let error = load(&SourceFile::new("t.yml", text)).unwrap_err();
        assert_eq!(error.to_string(), want.trim_end(), "\n{text}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Play {
    hosts: String,
    #[serde(default)]
    gather_facts: Option<bool>,
    #[serde(default)]
    strategy: Strategy,
    #[serde(default)]
    tasks: Vec<Node>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    #[default]
    Linear,
    Free,
}

#[test]
fn structs_are_read_with_nodes_inside() {
    let play: Play =
        from_str("hosts: all\ngather_facts: no\nstrategy: free\ntasks:\n- ping:\n").unwrap();
    assert_eq!(
        (play.hosts.as_str(), play.gather_facts),
        ("all", Some(false))
    );
    assert_eq!(play.strategy, Strategy::Free);
    assert!(matches!(play.tasks[0].kind, Kind::Map(_)));
    assert_eq!(play.tasks[0].span.line, 5);
    assert_eq!(from_str::<Option<u8>>("").unwrap(), None);
}

#[test]
fn structs_say_what_is_wrong_and_where() {
    for (text, want) in [
        (
            "hosts: all\ngather_fact: no\n",
            "unknown key `gather_fact`\n --> <text>:2:1\n  |\n2 | gather_fact: no\n  | ^^^^^^^^^^^\nhint: did you mean `gather_facts`?",
        ),
        (
            "hosts: all\nstrategy: fre\n",
            "`fre` is not one of `linear`, `free`\n --> <text>:2:11\n  |\n2 | strategy: fre\n  |           ^^^\nhint: did you mean `free`?",
        ),
        (
            "gather_facts: maybe\nhosts: x\n",
            "invalid type: string \"maybe\", expected a boolean\n --> <text>:1:15\n  |\n1 | gather_facts: maybe\n  |               ^^^^^",
        ),
        (
            "tasks: []\n",
            "the key `hosts` is missing\n --> <text>:1:1\n  |\n1 | tasks: []\n  | ^",
        ),
    ] {
        assert_eq!(from_str::<Play>(text).unwrap_err().to_string(), want);
    }
}

/// Speed is a promise: a megabyte in a quarter of a second. Meant for `--release`.
#[test]
#[ignore = "measures; run with --release"]
#[allow(clippy::disallowed_methods, reason = "a test of time needs a clock")]
fn a_megabyte_takes_a_quarter_of_a_second() {
    let task = "    - name: install a package\n      apt: {name: foo, state: present}\n      when: ansible_os_family == 'Debian'\n      notify: [restart foo]\n";
    let text = format!("- hosts: all\n  tasks:\n{}", task.repeat(8_000));
    let file = SourceFile::new("big.yml", text);
    let start = Instant::now();
    let loaded = load(&file).unwrap();
    let took = start.elapsed();
    assert_eq!(loaded.docs.len(), 1);
    let per_megabyte = took.as_secs_f64() / (file.text.len() as f64 / 1e6);
    assert!(per_megabyte < 0.25, "{per_megabyte} s per megabyte");
}

/// As `to_nice_yaml` sorts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.iter().map(sorted).collect()),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            let text = |key: &Key| key.as_str().map(str::to_owned);
            if entries.iter().all(|(k, _)| text(k).is_some()) {
                entries.sort_by_key(|(k, _)| text(k));
            }
            Value::map(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Recorded cases are cut and mixed; whatever comes, nothing panics, and what was read can be
/// written and read again.
#[test]
fn no_input_is_a_panic() {
    let texts: Vec<String> = recorded(include_str!("tests/load.jsonl"))
        .map(|case| case["text"].as_str().unwrap().to_owned())
        .collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..5_000 {
        let text: Vec<char> = texts[random(texts.len())].chars().collect();
        let other: Vec<char> = texts[random(texts.len())].chars().collect();
        let (cut, join) = (random(text.len() + 1), random(other.len() + 1));
        let mixed: String = text[..cut].iter().chain(&other[join..]).collect();
        let file = SourceFile::new("t.yml", mixed);
        match load(&file) {
            Ok(loaded) => {
                for doc in &loaded.docs {
                    let value = doc.to_value(&VaultKeys::none()).unwrap_or_default();
                    let text = to_styled_string(&value, &Style::nice());
                    let again = one(&text).to_value(&VaultKeys::none()).unwrap();
                    assert_eq!(
                        format!("{:?}", untemplate(&again)),
                        format!("{:?}", untemplate(&sorted(&value))),
                        "{text}"
                    );
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let span = crate::source::Span::new(&file, 1, 1, 1);
        crate::playbook::kv::parse_kv(&file.text, &span, false).ok();
    }
}
