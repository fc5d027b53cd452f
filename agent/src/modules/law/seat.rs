//! The engine's seat in memory: actions are run on it as the law's cases say.

use super::case::{Case, Play, map_of};
use super::{check_rules, compare_returns};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Paused;
use crate::module::{ActionCx, BoundAction, ModuleDef, Returns};
use crate::value::{Map, Value};
use std::path::{Path, PathBuf};

/// What an action may ask for, answered from the case.
struct FakeSeat<'a> {
    play: &'a Play,
    args: Map,
    facts: Option<Map>,
    included: Option<Map>,
    calls: Option<Value>,
    now: f64,
    /// Files that were written on the playbook's side.
    written: std::collections::BTreeMap<PathBuf, Vec<u8>>,
}

type Bind = fn(&Map) -> Result<Box<dyn BoundAction>>;

/// Runs an action, twice where the law holds: what went wrong.
pub fn run(def: &ModuleDef, bind: Bind, case: &Case) -> Vec<String> {
    let args = map_of(&case.args);
    let mut seat = FakeSeat {
        play: &case.play,
        args: args.clone(),
        facts: None,
        included: None,
        calls: None,
        now: 1_700_000_000.0,
        written: std::collections::BTreeMap::new(),
    };
    let done = check_rules(def, &args)
        .and_then(|()| bind(&args))
        .and_then(|action| action.run(&mut seat))
        .map_err(|e| e.message());
    let done = match done {
        Ok(returns) if returns.failed && case.fails.is_some() => {
            let shown = returns.values.get("msg").map(|m| m.to_json().to_string());
            let mut faults = compare_returns(case, &returns.values);
            faults.extend(message_fault(case, &shown.unwrap_or_default()));
            return faults;
        }
        Err(message) => return message_fault(case, &message).into_iter().collect(),
        Ok(returns) => returns,
    };
    let mut faults = compare_returns(case, &done.values);
    if done.failed || case.fails.is_some() {
        faults.push(format!("failed is {}: {:?}", done.failed, done.values));
    }
    if done.changed.unwrap_or(false) != case.changed {
        faults.push(format!("changed is {:?}", done.changed));
    }
    for wanted in &case.warnings {
        if !done.warnings.iter().any(|w| w.contains(wanted.as_str())) {
            faults.push(format!("does not warn of `{wanted}`: {:?}", done.warnings));
        }
    }
    let same = |what: &str, wanted: &Option<Value>, is: Option<Value>| {
        (wanted.is_some() && *wanted != is).then(|| format!("{what} are {is:?}, not {wanted:?}"))
    };
    faults.extend(same("facts", &case.play.facts, seat.facts.map(Value::from)));
    faults.extend(same(
        "included",
        &case.play.included,
        seat.included.map(Value::from),
    ));
    faults.extend(same("calls", &case.play.calls, seat.calls));
    faults
}

fn message_fault(case: &Case, message: &str) -> Option<String> {
    match &case.fails {
        Some(wanted) if message.contains(wanted.as_str()) => None,
        wanted => Some(format!("fails with `{message}`, and not {wanted:?}")),
    }
}

impl FakeSeat<'_> {
    fn call(&mut self, name: &str, args: Vec<Value>) {
        let mut call = vec![Value::from(name)];
        call.extend(args);
        self.calls = Some(Value::list(call));
    }

    fn file(&self, path: &Path) -> Result<&Value> {
        let name = path.to_string_lossy();
        let name = name.strip_prefix("/play/").unwrap_or(&name);
        self.play
            .files
            .get(name)
            .ok_or_else(|| Error::host(format!("no such file: {name}")))
    }
}

impl ActionCx for FakeSeat<'_> {
    fn args(&self) -> &Map {
        &self.args
    }
    fn variable(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.play.vars.get(name).cloned())
    }
    fn expressions(&self, name: &str) -> Result<Vec<Value>> {
        Ok(match self.args.get(name) {
            Some(Value::List(items)) => items.to_vec(),
            one => one.into_iter().cloned().collect(),
        })
    }
    fn condition(&self, expression: &Value) -> Result<bool> {
        match expression {
            Value::Bool(truth) => Ok(*truth),
            Value::Str(text) => self.play.conditions.get(&**text).copied().ok_or_else(|| {
                Error::new(ErrorKind::Template, format!("cannot evaluate `{text}`"))
            }),
            other => Err(Error::new(
                ErrorKind::Template,
                format!("no condition: {other:?}"),
            )),
        }
    }
    fn expression(&self, expression: &str) -> Result<Value> {
        self.play
            .vars
            .get(expression)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Undefined, format!("'{expression}' is undefined")))
    }
    fn render_file(&self, path: &Path, _: &Map) -> Result<String> {
        let mut text = self.file(path)?.as_str().unwrap_or_default().to_owned();
        for (name, value) in &self.play.vars {
            text = text.replace(
                &format!("{{{{ {name} }}}}"),
                value.as_str().unwrap_or_default(),
            );
        }
        Ok(text)
    }
    fn find(&self, folder: &str, name: &str) -> Result<PathBuf> {
        let inner = format!("{folder}/{}", name.trim_end_matches('/'));
        let below = format!("{inner}/");
        if self
            .play
            .files
            .keys()
            .any(|k| *k == inner || k.starts_with(&below))
        {
            return Ok(Path::new("/play").join(inner));
        }
        Err(Error::host(format!("Could not find or access '{name}'")))
    }
    fn load_yaml(&self, path: &Path) -> Result<Value> {
        self.file(path).cloned()
    }
    fn is_vault(&self, _: &Path) -> bool {
        false
    }
    fn list_dir(&self, path: &Path) -> Result<Option<Vec<String>>> {
        let below = format!("{}/", path.to_string_lossy());
        let below = below.strip_prefix("/play/").unwrap_or(&below);
        let rest = self.play.files.keys().filter_map(|k| k.strip_prefix(below));
        let mut names: Vec<String> = rest
            .map(|r| r.split('/').next().unwrap_or(r).to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok((!names.is_empty()).then_some(names))
    }
    fn run_module(&mut self, name: &str, args: Map) -> Result<Returns> {
        self.call(name, vec![args.into()]);
        Ok(Returns::default())
    }
    fn forget_module(&mut self) {}
    fn read_here(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let given = self.play.files.get(&*path.to_string_lossy());
        let given = given.and_then(Value::as_str).map(|t| t.as_bytes().to_vec());
        Ok(self.written.get(path).cloned().or(given))
    }
    fn write_here(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.written.insert(path.to_path_buf(), bytes.to_vec());
        Ok(())
    }
    fn is_dir_here(&self, _: &Path) -> bool {
        false
    }
    fn say(&self, _: &str) {}
    fn pause(&mut self, _: &str, _: bool, _: Option<f64>) -> Result<Option<Paused>> {
        Ok(self.play.typed.clone().map(Paused::Answer))
    }
    fn sleep(&mut self, seconds: f64) {
        self.now += seconds;
    }
    fn now(&self) -> f64 {
        self.now
    }
    fn verbosity(&self) -> u8 {
        self.play.verbosity
    }
    fn check(&self) -> bool {
        false
    }
    fn set_facts(&mut self, facts: Map, _: bool) {
        self.facts = Some(facts);
    }
    fn include_vars(&mut self, vars: Map) {
        self.included = Some(vars);
    }
    fn file_mode(&self, _: &Path) -> Result<u32> {
        Ok(0o640)
    }
    fn add_host(&mut self, name: &str, groups: &[String], variables: Map) -> Result<bool> {
        self.call(
            "add_host",
            vec![name.into(), groups.to_vec().into(), variables.into()],
        );
        Ok(true)
    }
    fn group_by(&mut self, group: &str, parents: &[String]) -> Result<bool> {
        self.call("group_by", vec![group.into(), parents.to_vec().into()]);
        Ok(true)
    }
}
