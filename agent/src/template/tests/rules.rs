//! Rules that an expression and its value cannot show: places, check mode, conditions, files.

use super::{Names, World, templar, vars, written};
use crate::error::{Error, ErrorKind};
use crate::source::{SourceFile, Span};
use crate::template::{FileOptions, Nowhere, Templar, Variables};
use crate::value::{Key, Map, Value};
use serde_json::json;
use std::sync::Arc;

fn resolve(text: &str, vars: &Arc<dyn Variables>) -> Result<Value, Error> {
    templar().resolve(&Value::written(text, None), vars)
}

fn error(result: Result<Value, Error>) -> Error {
    match result {
        Ok(value) => panic!("gave {value:?}"),
        Err(error) => error,
    }
}

#[test]
fn an_error_shows_the_token_in_the_playbook() {
    let file = SourceFile::new(
        "site.yml",
        "- name: x\n  debug:\n    msg: \"{{ host_name | lower }}\"\n    more: >-\n      a\n      {{ 1 | nofilter }}\n",
    );
    let vars = vars(json!({"hostname": "h"}));
    let text = Value::written("{{ host_name | lower }}", Some(&Span::new(&file, 3, 10, 1)));
    let shown = error(templar().resolve(&text, &vars)).to_string();
    assert!(shown.contains("'host_name' is undefined"), "{shown}");
    assert!(shown.contains("site.yml:3:14"), "{shown}");
    assert!(shown.contains("^^^^^^^^^"), "{shown}");
    assert!(shown.contains("did you mean `hostname`?"), "{shown}");

    let folded = "a {{ 1 | lowr }}";
    let file = SourceFile::new("site.yml", "x: >-\n  a {{ 1 | lowr }}\n");
    let shown = match templar().check(folded, Some(&Span::new(&file, 1, 4, 1))) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(shown.contains("there is no filter `lowr`"), "{shown}");
    assert!(shown.contains("site.yml:2:12"), "{shown}");
    assert!(shown.contains("did you mean `lower`?"), "{shown}");
}

#[test]
fn checking_finds_what_cannot_be_compiled() {
    let templar = Templar::new(Arc::new(Nowhere));
    for (text, want) in [
        ("{{ x ", "syntax error"),
        ("{% if %}", "syntax error"),
        ("{{ x | uper }}", "no filter `uper`"),
        ("{{ x is definde }}", "no test `definde`"),
        ("{{ lookup('fil', 'x') }}", "no lookup `fil`"),
        ("{{ 'a' | regex_search('\\d') }}", ""),
    ] {
        let found = templar.check(text, None).err().map(|e| e.message());
        assert!(found.unwrap_or_default().contains(want), "{text}");
    }
    assert!(templar.check_condition("x == 1 and", None).is_err());
    assert!(templar.check_condition("x is match('\\d+')", None).is_ok());
}

#[test]
fn what_is_omitted_is_left_out() {
    let args = written(&json!({"a": "{{ nope | default(omit) }}", "b": ["{{ omit }}", 1], "c": 2}));
    let found = templar()
        .resolve(&args, &vars(json!({})))
        .map(|v| v.to_json());
    assert_eq!(found.ok(), Some(json!({"b": [1], "c": 2})));
}

#[test]
fn dig_tells_what_name_servers_say() {
    for (text, want) in [
        (
            "{{ lookup('dig', 'known.example') }}",
            json!("192.0.2.1,192.0.2.2"),
        ),
        (
            "{{ query('community.general.dig', 'known.example.', qtype='mx') }}",
            json!(["10 mail.known.example."]),
        ),
        (
            "{{ query('dig', 'known.example/TXT') }}",
            json!(["v=spf1 -all"]),
        ),
        (
            "{{ query('dig', 'known.example', 'qtype=TXT', '@192.0.2.9') }}",
            json!(["v=spf1 -all"]),
        ),
        ("{{ query('dig', 'nowhere.example') }}", json!(["NXDOMAIN"])),
        (
            "{{ query('dig', 'nowhere.example', real_empty=true) }}",
            json!([]),
        ),
        (
            "{{ query('dig', 'known.example', qtype='AAAA') }}",
            json!([""]),
        ),
        ("{{ query('dig', 'known.example', '@down') }}", json!([""])),
        (
            "{{ query('dig', 'known.example', flat=0) | map(attribute='address') | list }}",
            json!(["192.0.2.1", "192.0.2.2"]),
        ),
        (
            "{{ query('dig', 'known.example', flat=0)[0].ttl }}",
            json!(60),
        ),
    ] {
        let found = resolve(text, &vars(json!({}))).map(|v| v.to_json());
        assert_eq!(found.ok(), Some(want), "{text}");
    }
    for text in [
        "{{ lookup('dig', 'known.example', qtype='AXFR') }}",
        "{{ lookup('dig', 'nowhere.example', fail_on_error=true) }}",
        "{{ lookup('dig', 'known.example', '@down', 'fail_on_error=yes') }}",
    ] {
        assert!(resolve(text, &vars(json!({}))).is_err(), "{text}");
    }
}

#[test]
fn text_of_hosts_is_never_evaluated() {
    let map: Map = [(Key::from("evil"), Value::from("{{ lookup('pipe', 'id') }}"))]
        .into_iter()
        .collect();
    let vars: Arc<dyn Variables> = Arc::new(Names(map));
    let found = resolve("{{ evil }} {{ [evil] | first }}", &vars);
    let text = "{{ lookup('pipe', 'id') }}";
    assert_eq!(found.ok(), Some(Value::from(format!("{text} {text}"))));
    let condition = templar().condition(&Value::written("{{ evil }}", None), None, &vars);
    assert!(condition.is_err());
}

#[test]
fn what_check_mode_cannot_know_stays_unknown_only_where_it_is_used() {
    let result: Map = [
        (Key::from("rc"), Value::Unknown("task `x` would run".into())),
        (Key::from("changed"), Value::Bool(true)),
    ]
    .into_iter()
    .collect();
    let map: Map = [(Key::from("r"), Value::map(result))].into_iter().collect();
    let vars: Arc<dyn Variables> = Arc::new(Names(map));
    for text in [
        "{{ r.rc }}",
        "{{ r.rc == 0 }}",
        "a {{ r.rc }}",
        "{{ r.rc | int }}",
        "{{ r | to_json }}",
        "{{ r.rc | default(1) }}",
    ] {
        assert_eq!(
            error(resolve(text, &vars)).kind(),
            ErrorKind::Unknown,
            "{text}"
        );
    }
    for (text, want) in [
        ("{{ r is defined }}", true),
        ("{{ r.rc is defined }}", true),
        ("{{ r is changed }}", true),
        ("{{ false and r.rc == 0 }}", false),
        ("{{ true or r.rc == 0 }}", true),
        ("{{ r is failed }}", false),
    ] {
        assert_eq!(resolve(text, &vars).ok(), Some(Value::Bool(want)), "{text}");
    }
    let kept = resolve("{{ r }}", &vars).ok();
    assert!(kept.is_some_and(|v| v.unknown_reason().is_some()));
}

#[test]
fn a_variable_that_needs_itself_is_an_error() {
    let vars = vars(json!({
        "a": "{{ b }}", "b": "{{ a }}", "d": {"x": "{{ d.y }}", "y": "{{ d.x }}"},
        "fine": {"x": 1, "y": "{{ fine.x }}"}
    }));
    for text in ["{{ a }}", "{{ d.x }}", "{{ d }}"] {
        let error = error(resolve(text, &vars));
        assert!(
            error.message().contains("recursive loop"),
            "{text}: {error}"
        );
    }
    assert_eq!(resolve("{{ fine.y }}", &vars).ok(), Some(Value::Int(1)));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(3000), ")".repeat(3000));
    assert!(resolve(&deep, &vars(json!({}))).is_err());
    for (one, count) in [
        ("1+", 200),
        ("1+", 3000),
        ("1+", 30_000),
        ("[", 3000),
        ("not ", 3000),
    ] {
        let text = format!("{{{{ {}1 }}}}", one.repeat(count));
        let found = resolve(&text, &vars(json!({})));
        assert_eq!(found.is_ok(), count == 200, "{one} {count}");
    }
    for block in [
        "{% if 1 %}",
        "{% for i in [1] %}",
        "{% filter upper %}",
        "{% set x %}",
    ] {
        assert!(resolve(&block.repeat(1000), &vars(json!({}))).is_err());
    }
    let nested = format!("{}x{}", "{% if 1 %}".repeat(100), "{% endif %}".repeat(100));
    assert_eq!(
        resolve(&nested, &vars(json!({}))).ok(),
        Some(Value::from("x"))
    );
    let map: serde_json::Map<String, serde_json::Value> = (0..50)
        .map(|i| {
            let (open, close) = ("[".repeat(100), "]".repeat(100));
            (
                format!("v{i}"),
                json!(format!("{{{{ {open}v{}{close} }}}}", i + 1)),
            )
        })
        .collect();
    assert!(resolve("{{ v0 }}", &vars(map.into())).is_err());
    let map: serde_json::Map<String, serde_json::Value> = (0..400)
        .map(|i| (format!("v{i}"), json!(format!("{{{{ v{} }}}}", i + 1))))
        .collect();
    assert!(resolve("{{ v0 }}", &vars(map.into())).is_err());
    assert!(
        resolve(
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            &vars(json!({}))
        )
        .is_err()
    );
    assert!(
        resolve(
            "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
            &vars(json!({}))
        )
        .is_err()
    );
}

#[test]
fn a_condition_gives_true_or_false() {
    let vars = vars(json!({"n": 1, "s": "x", "l": [], "t": true, "expr": "{{ n == 1 }}"}));
    let templar = templar();
    let ask = |text: &str| templar.condition(&Value::written(text, None), None, &vars);
    for (text, want) in [
        ("n == 1", true),
        (" t ", true),
        ("s is match('\\w')", true),
        ("'{{ n }}' == 1", true),
        ("{{ t }}", true),
        ("expr", true),
        ("l | length > 0", false),
    ] {
        assert_eq!(ask(text).ok(), Some(want), "{text}");
    }
    for (text, hint) in [
        ("n", "n != 0"),
        ("s", "s | length > 0"),
        ("l", "l | length > 0"),
    ] {
        let shown = ask(text).map_or_else(|e| e.to_string(), |b| b.to_string());
        assert!(shown.contains("must have a boolean result"), "{shown}");
        assert!(shown.contains(hint), "{shown}");
    }
    assert!(ask("").is_err());
    let braces = ask("{{ n }} == 1")
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(braces.contains("without `{{ }}`"), "{braces}");
    assert_eq!(
        ask("nope").err().map(|e| e.kind()),
        Some(ErrorKind::Undefined)
    );
    let lenient = super::templar().with_compat(true);
    let ask = |text: &str| lenient.condition(&Value::written(text, None), None, &vars);
    assert_eq!((ask("n").ok(), ask("l").ok()), (Some(true), Some(false)));
}

fn render(text: &str, options: &FileOptions) -> String {
    let templar = Templar::new(World::with(&[
        (
            "/play/base.j2",
            "<{% block a %}base{% endblock %}|{% block b %}b{% endblock %}>\n",
        ),
        ("/play/inc.j2", "inc {{ x }}\n"),
    ]));
    let file = SourceFile::new("t.j2", text);
    let rendered = templar.render_file(&file, options, &vars(json!({"x": 2, "l": [1, 2]})));
    rendered.unwrap_or_else(|error| format!("error: {error}"))
}

#[test]
fn files_are_rendered_as_the_template_module_does() {
    let plain = FileOptions::default();
    for (text, want) in [
        ("a {{ x }}\n", "a 2\n"),
        ("{% for i in l %}\n- {{ i }}\n{% endfor %}\n", "- 1\n- 2\n"),
        ("{{ l }}", "[1, 2]"),
        ("{{ '\\t' }}|{{ 'a\\d' }}", "\t|a\\d"),
        (
            "#jinja2: variable_start_string:'[%', variable_end_string:'%]', trim_blocks: False\n[% x %]{{ x }}\n",
            "2{{ x }}\n",
        ),
        (
            "#jinja2: lstrip_blocks: True\n  {% if true %}\nx\n  {% endif %}\n",
            "x\n",
        ),
        (
            "{% extends 'base.j2' %}{% block a %}[{{ super() }}]{% endblock %}",
            "<[base]|b>",
        ),
        ("{% include 'inc.j2' %}\nx\n", "inc 2x\n"),
        ("", ""),
    ] {
        assert_eq!(render(text, &plain), want, "{text}");
    }
    let dos = FileOptions {
        newline_sequence: "\r\n".into(),
        ..FileOptions::default()
    };
    assert_eq!(render("a\nb\n", &dos), "a\r\nb\r\n");
    let shown = render("one\ntwo {{ nope }}\n", &plain);
    assert!(shown.contains("t.j2:2:8"), "{shown}");
}

#[test]
fn hostvars_are_evaluated_in_their_own_host() {
    #[derive(Debug)]
    struct Fleet(Arc<dyn Variables>, Option<Arc<dyn Variables>>);
    impl Variables for Fleet {
        fn get(&self, name: &str) -> Option<Value> {
            self.0.get(name)
        }
        fn names(&self) -> Vec<Arc<str>> {
            self.0.names()
        }
        fn of_host(&self, host: &str) -> Option<Arc<dyn Variables>> {
            self.1.clone().filter(|_| host == "web")
        }
        fn hosts(&self) -> Vec<Arc<str>> {
            vec!["web".into()]
        }
    }
    let web = vars(json!({"ip": "10.0.0.1", "url": "http://{{ ip }}/"}));
    let fleet: Arc<dyn Variables> = Arc::new(Fleet(vars(json!({"ip": "mine"})), Some(web)));
    for (text, want) in [
        ("{{ hostvars['web'].url }}", json!("http://10.0.0.1/")),
        ("{{ hostvars.web['url'] }}", json!("http://10.0.0.1/")),
        ("{{ hostvars['web'].get('nope', 'd') }}", json!("d")),
        ("{{ hostvars | list }}", json!(["web"])),
        (
            "{{ ['web'] | map('extract', hostvars, 'ip') | first }}",
            json!("10.0.0.1"),
        ),
        ("{{ 'web' in hostvars }}", json!(true)),
        ("{{ hostvars['db'] is defined }}", json!(false)),
        ("{{ hostvars['web'] | dict2items | length }}", json!(2)),
        (
            "of web: {{ hostvars['web'] }}",
            json!("of web: {'ip': '10.0.0.1', 'url': 'http://10.0.0.1/'}"),
        ),
        (
            "{{ hostvars.values() | map(attribute='ip') | list }}",
            json!(["10.0.0.1"]),
        ),
    ] {
        assert_eq!(
            resolve(text, &fleet).map(|v| v.to_json()).ok(),
            Some(want),
            "{text}"
        );
    }
}

#[test]
fn a_password_is_made_once() {
    let world = World::with(&[]);
    let templar = Templar::new(world.clone());
    let text = Value::written(
        "{{ lookup('password', '/pw length=8 chars=digits') }}",
        None,
    );
    let none = vars(json!({}));
    let first = templar.resolve(&text, &none).ok();
    assert_eq!(first, templar.resolve(&text, &none).ok());
    let kept = world.files().into_values().next().unwrap_or_default();
    assert_eq!(kept.len(), 9);
}

#[test]
fn vaulted_text_is_opened_with_its_secret() {
    let none = vars(json!({}));
    let text = "{{ 'hello' | vault('s3cret') | unvault('s3cret') }}";
    assert_eq!(resolve(text, &none).ok(), Some(Value::from("hello")));
    assert!(resolve("{{ 'hello' | vault('a') | unvault('b') }}", &none).is_err());
}

#[test]
fn a_value_prints_as_python_prints_it() {
    let value = written(&json!({"a": [1, true, null, "{{ x }}"]}));
    assert_eq!(templar().text(&value), "{'a': [1, True, None, '{{ x }}']}");
}

#[test]
fn every_row_of_the_tables_is_documented_once() {
    for docs in [
        crate::template::filter_docs().collect::<Vec<_>>(),
        crate::template::test_docs().collect(),
        crate::template::lookup_docs().collect(),
    ] {
        // Two collections may each have one of the same name; their texts tell them apart.
        let mut names: Vec<_> = docs.iter().map(|d| (d.name, d.text)).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(docs.iter().all(|d| d.text.ends_with(['.', '…'])));
    }
}

#[test]
fn files_are_told_with_all_about_them() {
    let found = resolve(
        "{{ query('community.general.filetree', 'd') }}",
        &vars(json!({})),
    );
    let found = found.map(|v| v.to_json()).unwrap_or_default();
    let first = &found[0];
    assert_eq!(found.as_array().map(Vec::len), Some(3), "{found}");
    assert_eq!(first["path"], "a.txt");
    assert_eq!(first["src"], "/play/d/a.txt");
    assert_eq!(first["root"], "/play/d");
    assert_eq!(first["state"], "file");
    assert_eq!(first["size"], 1);
    assert_eq!(first["owner"], "root");
}
