//! The law of modules: what a module says it does, it does; and once it is done, nothing is left to do.
//!
//! Each file `modules/cases/NAME.yml` holds cases (see [`case::Case`]) of the module `NAME`; a new
//! case needs no Rust. Every case is carried out on a host in memory, then again (nothing to do),
//! predicted in check mode (the same word, and nothing touched), and if it is only about files, done
//! once more on a real file system.

mod case;
mod docs;
mod real;
mod seat;

use crate::engine::{Mode, Performed, perform};
use crate::error::Result;
use crate::host::{FakeHost, Host, HostView, Overlay};
use crate::module::{Args, BoundModule, ModuleDef, Rule, Seat};
use crate::modules::{MODULES, find};
use crate::playbook::yaml;
use crate::value::{Map, Value};
use case::{Again, Case, Check, Details, Entry, map_of};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Modules of which there is no second time, or that are nothing without an engine; and why.
const NO_CASES: &[(&str, &str)] = &[
    ("import_role", "the engine reads it with the playbook"),
    ("import_tasks", "the engine reads it with the playbook"),
    ("include_role", "the engine carries it out"),
    ("include_tasks", "the engine carries it out"),
    ("meta", "the engine carries it out"),
];

fn cases_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules/cases")
}

/// Case files by the name of their module.
fn case_files() -> Vec<(String, Vec<Case>)> {
    let mut out = Vec::new();
    // The test's own data, and not a host's.
    #[allow(clippy::disallowed_methods)]
    let entries = std::fs::read_dir(cases_dir()).expect("modules/cases is there");
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "yml") {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            #[allow(clippy::disallowed_methods)]
            let text = std::fs::read_to_string(&path).expect("a case file");
            let cases = yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            out.push((name, cases));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

#[test]
fn modules_do_what_they_say_and_then_nothing() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, cases) in case_files() {
        let def = find(&name).unwrap_or_else(|| panic!("cases/{name}.yml is of no module"));
        for case in &cases {
            count += 1;
            let found = match &def.seat {
                Seat::Host(bind) => {
                    let mut found = on_fake(def, *bind, case);
                    if real::is_possible(case) {
                        found.extend(real::on_real(def, *bind, case));
                    }
                    found
                }
                Seat::Engine(bind) => seat::run(def, *bind, case),
            };
            faults.extend(
                found
                    .into_iter()
                    .map(|f| format!("{name}: {}: {f}", case.title)),
            );
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults in {count} cases:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

type Bind = fn(&Map) -> Result<Box<dyn BoundModule>>;

/// Carries a case out on a host in memory: what went wrong.
fn on_fake(def: &ModuleDef, bind: Bind, case: &Case) -> Vec<String> {
    let mut faults = Vec::new();
    let mut host = case.host.host();
    let first = run(def, bind, case, &mut host, false);
    faults.extend(judge(case, &first));
    if case.fails.is_none() && first.is_ok() {
        faults.extend(compare_files(case, &host));
        faults.extend(compare_commands(case, &host));
        if case.again != Again::Skip {
            faults.extend(second(def, bind, case, &mut host));
        }
    }
    if case.check != Check::Skip {
        faults.extend(
            foreseen(def, bind, case)
                .into_iter()
                .map(|f| format!("in check mode, {f}")),
        );
    }
    faults
}

/// What check mode says of a case, and whether it is true.
fn foreseen(def: &ModuleDef, bind: Bind, case: &Case) -> Vec<String> {
    let fake = Arc::new(case.host.host());
    let mut overlay = Overlay::over(Arc::clone(&fake) as Arc<dyn HostView>);
    let done = run(def, bind, case, &mut overlay, true);
    let mut faults = Vec::new();
    if !fake.ran().is_empty() {
        faults.push(format!("runs {:?}", fake.ran()));
    }
    let asks = |method: &str| matches!(method, "GET" | "HEAD" | "OPTIONS");
    if let Some(sent) = fake
        .requested()
        .iter()
        .find(|r| !asks(&r.method) && !r.only_reads)
    {
        faults.push(format!("sends {} {}", sent.method, sent.url));
    }
    match (done, &case.fails) {
        (Err(message), Some(wanted)) if message.contains(wanted.as_str()) => {}
        (Err(message), _) => faults.push(format!("fails: {message}")),
        (Ok(_), Some(wanted)) => faults.push(format!("does not fail with `{wanted}`")),
        (Ok(done), None) => {
            let unknown = done.may_change.as_ref().or(done.unknown_values.as_ref());
            match (case.check, unknown) {
                (Check::Unknown, None) => faults.push("claims to know".into()),
                (Check::Same, Some(why)) => faults.push(format!("does not know: {why}")),
                (Check::Same, None) if done.changed != case.changed => {
                    faults.push(format!("changed is {}", done.changed));
                }
                (Check::Same, None) => faults.extend(compare_files(case, &overlay)),
                _ => {}
            }
        }
    }
    faults
}

/// Plans and applies. Both kinds of failure become an error's message.
fn run(
    def: &ModuleDef,
    bind: Bind,
    case: &Case,
    host: &mut dyn Host,
    check: bool,
) -> Result<Performed, String> {
    let args = map_of(&case.args);
    let say = |e: crate::error::Error| e.message();
    check_rules(def, &args).map_err(say)?;
    let module = bind(&args).map_err(say)?;
    let mode = Mode { check, diff: true };
    let done = perform(&*module, host, mode, &|_| {}).map_err(say)?;
    if done.returns.failed {
        return Err(done
            .returns
            .values
            .get("msg")
            .and_then(Value::as_str)
            .unwrap_or("")
            .into());
    }
    Ok(done)
}

/// The rules across parameters, and that each argument is a parameter: the engine's part.
fn check_rules(def: &ModuleDef, args: &Map) -> Result<()> {
    let specs = def.params();
    for key in args.keys() {
        let name = key.to_string();
        if !def.any_name && !specs.iter().any(|spec| spec.is_named(&name)) {
            return Err(crate::error::Error::params(format!(
                "no parameter `{name}`"
            )));
        }
    }
    let given = |name: &str| {
        let spec = specs.iter().find(|spec| spec.name == name)?;
        Args::new(args).get(spec.name, spec.aliases).cloned()
    };
    (def.rules)()
        .iter()
        .try_for_each(|rule: &Rule| rule.check(&given))
}

/// Compares what was said with what is expected.
fn judge(case: &Case, done: &Result<Performed, String>) -> Vec<String> {
    let mut faults = Vec::new();
    match (done, &case.fails) {
        (Err(message), None) => faults.push(format!("fails: {message}")),
        (Ok(_), Some(wanted)) => faults.push(format!("does not fail with `{wanted}`")),
        (Err(message), Some(wanted)) if !message.contains(wanted.as_str()) => {
            faults.push(format!("fails with `{message}` and not `{wanted}`"));
        }
        (Err(_), Some(_)) => {}
        (Ok(done), None) => {
            if done.changed != case.changed {
                faults.push(format!("changed is {}: {:?}", done.changed, done.diffs));
            }
            faults.extend(compare_returns(case, &done.returns.values));
            for wanted in &case.warnings {
                if !done
                    .returns
                    .warnings
                    .iter()
                    .any(|w| w.contains(wanted.as_str()))
                {
                    faults.push(format!(
                        "does not warn of `{wanted}`: {:?}",
                        done.returns.warnings
                    ));
                }
            }
        }
    }
    faults
}

fn compare_returns(case: &Case, values: &Map) -> Vec<String> {
    let differs = |(name, wanted): (&String, &Value)| {
        let is = values.get(name.as_str());
        let fits = match is {
            None => wanted.is_null(),
            Some(is) => contains(is, wanted),
        };
        (!fits).then(|| format!("returns {name} = {is:?} and not {wanted:?}"))
    };
    case.returns.iter().filter_map(differs).collect()
}

/// Whether a value has all that is wanted: of mappings, only the keys named.
fn contains(is: &Value, wanted: &Value) -> bool {
    match (is, wanted) {
        (Value::Map(is), Value::Map(wanted)) => wanted.iter().all(|(key, value)| {
            is.get(key)
                .map_or(value.is_null(), |is| contains(is, value))
        }),
        (Value::List(is), Value::List(wanted)) => {
            is.len() == wanted.len() && is.iter().zip(wanted.iter()).all(|(i, w)| contains(i, w))
        }
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
        _ => is == wanted,
    }
}

/// Compares paths with what they should be.
fn compare_files(case: &Case, host: &dyn HostView) -> Vec<String> {
    let check = |(path, wanted): (&String, &Option<Entry>)| {
        compare_entry(host, Path::new(path), wanted.as_ref())
            .map(|fault| format!("{path}: {fault}"))
    };
    case.files.iter().filter_map(check).collect()
}

fn compare_entry(host: &dyn HostView, path: &Path, wanted: Option<&Entry>) -> Option<String> {
    let stat = host.lstat(path).expect("a host that can be read");
    let (stat, wanted) = match (stat, wanted) {
        (None, None) => return None,
        (None, Some(_)) => return Some("is not there".into()),
        (Some(_), None) => return Some("is there".into()),
        (Some(stat), Some(wanted)) => (stat, wanted),
    };
    let text = Details::default();
    let (content, details) = match wanted {
        Entry::Text(content) => (Some(content), &text),
        Entry::Details(details) => (details.content.as_ref(), details),
    };
    let is = match host.stat(path).expect("a host that can be read") {
        Some(target) if target.is_file() => host.read(path),
        _ => Ok(None),
    };
    let (is, content) = match is {
        // Check mode does not know what will be in it.
        Err(error) if error.is_unknown() => (Vec::new(), None),
        other => (
            other.expect("a host that can be read").unwrap_or_default(),
            content,
        ),
    };
    let is = String::from_utf8_lossy(&is);
    let link = host.read_link(path).expect("a host that can be read");
    let link = link.map(|l| l.to_string_lossy().into_owned());
    let complaint =
        |what: &str, is: String, wanted: String| Some(format!("{what} is {is:?}, not {wanted:?}"));
    match details {
        _ if content.is_some_and(|c| **c != is) => complaint(
            "content",
            is.into_owned(),
            content.cloned().unwrap_or_default(),
        ),
        d if d.link.is_some() && d.link != link => {
            complaint("link", format!("{link:?}"), format!("{:?}", d.link))
        }
        d if d.dir && !stat.is_dir() => Some("is no directory".into()),
        d if d.bits().is_some_and(|b| b != stat.mode) => complaint(
            "mode",
            format!("{:04o}", stat.mode),
            d.mode.clone().unwrap_or_default(),
        ),
        d if d.owner.is_some_and(|o| o != stat.uid) => {
            complaint("owner", stat.uid.to_string(), String::new())
        }
        d if d.group.is_some_and(|g| g != stat.gid) => {
            complaint("group", stat.gid.to_string(), String::new())
        }
        d if d.mtime.is_some_and(|m| m != stat.mtime) => {
            complaint("mtime", stat.mtime.to_string(), String::new())
        }
        _ => None,
    }
}

fn compare_commands(case: &Case, host: &FakeHost) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(wanted) = &case.runs {
        let ran: Vec<Vec<String>> = host.ran().into_iter().map(|c| c.argv).collect();
        let fits =
            ran.len() == wanted.len() && ran.iter().zip(wanted).all(|(r, w)| r.starts_with(w));
        if !fits {
            faults.push(format!("runs {ran:?}, not {wanted:?}"));
        }
    }
    if let Some(wanted) = &case.asks {
        let asked: Vec<String> = host
            .requested()
            .iter()
            .map(|r| format!("{} {}", r.method, r.url))
            .collect();
        if asked != *wanted {
            faults.push(format!("asks {asked:?}, not {wanted:?}"));
        }
    }
    faults
}

/// The law itself.
fn second(def: &ModuleDef, bind: Bind, case: &Case, host: &mut FakeHost) -> Option<String> {
    match run(def, bind, case, host, false) {
        Err(message) => Some(format!("fails the second time: {message}")),
        Ok(done) if done.changed != (case.again == Again::Changed) => Some(format!(
            "the second time, changed is {}: {:?}",
            done.changed, done.diffs
        )),
        Ok(_) => None,
    }
}

#[test]
fn every_module_has_cases_or_a_reason_to_have_none() {
    let files = case_files();
    for def in MODULES {
        let name = def.short_name();
        let has = files
            .iter()
            .any(|(file, cases)| file == name && !cases.is_empty());
        let excused = NO_CASES.iter().any(|(other, _)| *other == name);
        assert!(
            has != excused,
            "`{name}` needs cases/{name}.yml (or a row in NO_CASES, not both)"
        );
    }
}

#[test]
fn the_table_is_sorted_and_has_each_name_once() {
    for pair in MODULES.windows(2) {
        assert!(
            pair[0].name < pair[1].name,
            "{} before {}",
            pair[0].name,
            pair[1].name
        );
    }
}
