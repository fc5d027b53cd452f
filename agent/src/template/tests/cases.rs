//! Expressions and what ansible-core's own templar gives for them.

use super::{templar, vars, written};
use crate::error::ErrorKind;
use crate::value::Value;
use serde::Deserialize;

/// An expression, and the value or the error it gives.
#[derive(Deserialize)]
struct Case {
    expr: String,
    value: Option<serde_json::Value>,
    error: Option<String>,
    #[serde(default)]
    undefined: bool,
}

/// Where we differ, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "{{ 9223372036854775807 + 1 }}",
        "a result beyond 64 bits leaves the template as a fraction, as such a number in JSON does",
    ),
    (
        "{% set l = [] %}{% do l.append(1) %}{{ l }}",
        "`do` works without being switched on",
    ),
    (
        "{{ 'yes' if nope is defined }}",
        "an undefined result is told as such, in our words",
    ),
    (
        "{{ ('x' | escape) is escaped }}{{ 'x' is escaped }}",
        "text bears no mark that it was escaped",
    ),
    (
        "{{ [{'k': 1}, {}] | groupby('k', default=0) | map(attribute='list') | list }}",
        "the default of `groupby` works as Jinja has it; in ansible-core it does not",
    ),
    (
        "{{ '$ANSIBLE_VAULT;1.1;AES256\n61' is vault_encrypted }}{{ 'x' is vault_encrypted }}",
        "vaulted text is told by its header",
    ),
    (
        "{{ lazyself }}",
        "a variable that needs itself is told as such, in our words",
    ),
];

fn differs(case: &Case, vars: &std::sync::Arc<dyn super::Variables>) -> Option<String> {
    let template = written(&serde_json::Value::String(case.expr.clone()));
    let found = templar().resolve(&template, vars);
    match (&case.error, &found) {
        (None, Ok(found)) => {
            let want = case.value.clone().unwrap_or_default();
            let same = found.to_json() == want;
            // `1` and `1.0` are the same JSON, not the same value.
            let float = matches!(found, Value::Float(_));
            let kinds = !want.is_number() || want.is_f64() == float;
            (!same || !kinds).then(|| format!("gave {found:?}, not {want}"))
        }
        (None, Err(error)) => Some(format!("failed: {}", error.message())),
        (Some(_), Ok(Value::Omit)) if case.expr.contains("omit") => None,
        (Some(want), Ok(found)) => Some(format!("gave {found:?}, not the error {want}")),
        (Some(want), Err(error)) => {
            let kind = (error.kind() == ErrorKind::Undefined) == case.undefined;
            let said = error.message().contains(want.as_str());
            (!kind || !said).then(|| {
                format!(
                    "failed with {:?}: {}, not {want}",
                    error.kind(),
                    error.message()
                )
            })
        }
    }
}

fn compare(name: &str, cases: &str) {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap_or_else(|e| panic!("{name}: {e}"));
    let json = include_str!("../testdata/vars.json");
    let mut known: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    known["playbook_dir"] = "/play".into();
    known["ansible_search_path"] = serde_json::json!(["/play"]);
    let vars = vars(known);
    let mut wrong = Vec::new();
    for case in &cases {
        let excepted = EXCEPTIONS.iter().any(|(expr, _)| *expr == case.expr);
        match (differs(case, &vars), excepted) {
            (Some(how), false) => wrong.push(format!("{}\n    {how}", case.expr)),
            (None, true) => wrong.push(format!("{}\n    is an exception no more", case.expr)),
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{name}: {} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn expressions_give_what_ansible_gives() {
    compare("jinja", include_str!("../testdata/jinja.json"));
}

#[test]
fn filters_tests_lookups_and_methods_give_what_ansible_gives() {
    compare("more", include_str!("../testdata/more.json"));
}

#[test]
fn finer_points_are_those_of_ansible() {
    compare("finer", include_str!("../testdata/finer.json"));
}

#[test]
fn plugins_give_what_ansible_gives() {
    compare("plugins", include_str!("../testdata/plugins.json"));
}

#[test]
fn plugins_of_collections_give_what_they_give_in_ansible() {
    compare("collections", include_str!("../testdata/collections.json"));
}

/// Whether a case uses a filter, test or lookup: `| name`, `map('name'`, `is name`, `lookup('name'` …
fn uses(expr: &str, kind: &str, name: &str) -> bool {
    let found = |before: &str| {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        expr.match_indices(before)
            .map(|(at, _)| expr[at + before.len()..].trim_start_matches(['\'', '"', ' ']))
            .any(|rest| {
                let called = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
                let called = called.into_iter().next().unwrap_or_default();
                let short = called.rsplit('.').next().unwrap_or_default();
                short == name && ends(&rest[called.len()..])
            })
    };
    if !name.starts_with(|c: char| c.is_alphabetic()) {
        // `select('>=', 2)`
        return expr.contains(&format!("'{name}'"));
    }
    match kind {
        "filter" => found("|") || found("map("),
        "test" => {
            let by_name = ["is ", "is not ", "select(", "reject("]
                .iter()
                .any(|b| found(b));
            // `selectattr('a', 'test')`
            by_name || expr.contains(&format!(", '{name}'"))
        }
        _ => ["lookup(", "query(", "q("].iter().any(|b| found(b)),
    }
}

/// What no expression can be compared for, and the test that holds it.
const HELD_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("lookup", "filetree", "files_are_told_with_all_about_them"),
    ("lookup", "dig", "dig_tells_what_name_servers_say"),
    // They ask AWS: tests/tests/aws/secrets.rs.
    ("lookup", "ssm_parameter", "aws::secrets"),
    ("lookup", "aws_ssm", "aws::secrets"),
    ("lookup", "secretsmanager_secret", "aws::secrets"),
    ("lookup", "aws_secret", "aws::secrets"),
    ("lookup", "secrets_manager", "aws::secrets"),
];

#[test]
fn every_filter_test_and_lookup_has_a_case() {
    let files = [
        include_str!("../testdata/jinja.json"),
        include_str!("../testdata/more.json"),
        include_str!("../testdata/finer.json"),
        include_str!("../testdata/plugins.json"),
        include_str!("../testdata/collections.json"),
    ];
    let cases: Vec<Case> = files
        .iter()
        .flat_map(|text| serde_json::from_str::<Vec<Case>>(text).unwrap_or_default())
        .collect();
    let names = (super::super::filter_docs().map(|d| ("filter", d.name)))
        .chain(super::super::test_docs().map(|d| ("test", d.name)))
        .chain(super::super::lookup_docs().map(|d| ("lookup", d.name)));
    let missing: Vec<String> = names
        .filter(|(kind, name)| {
            !HELD_ELSEWHERE
                .iter()
                .any(|(k, n, _)| k == kind && n == name)
        })
        .filter(|(kind, name)| !cases.iter().any(|case| uses(&case.expr, kind, name)))
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    assert!(missing.is_empty(), "without a case: {}", missing.join(", "));
}
