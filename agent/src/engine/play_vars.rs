//! The variables of a play: `vars_files`, and what Ansible itself sets (`groups`, `play_hosts`, …).

use super::context::{HostSlot, PlayCx, with_host};
use super::load::HereFiles;
use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::host::here;
use crate::playbook::keyword::{Kw, Setting, plain_text};
use crate::playbook::load::Files;
use crate::playbook::role::RoleUse;
use crate::template::Variables;
use crate::value::{Key, Map, Value};
use crate::vars::{Layer, Stack};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Run {
    /// `vars_files`, read for a host: names may hold its variables. An entry that is a list means
    /// the first file that exists.
    pub(super) fn vars_files(&self, cx: &PlayCx, slot: &HostSlot) -> Result<Map> {
        let mut out = Map::new();
        let Some(setting) = cx.play.scope.keywords.get(Kw::VarsFiles) else {
            return Ok(out);
        };
        for entry in setting.items() {
            let stack = self.host_stack(cx, slot, &out);
            let choices = match &entry {
                Value::List(items) => items.to_vec(),
                single => vec![single.clone()],
            };
            let map = self.first_vars_file(cx, &choices, setting, &stack)?;
            out.extend(map);
        }
        Ok(out)
    }

    fn first_vars_file(
        &self,
        cx: &PlayCx,
        choices: &[Value],
        setting: &Setting,
        vars: &Arc<dyn Variables>,
    ) -> Result<Map> {
        let mut tried = Vec::new();
        for choice in choices {
            let name = plain_text(
                &self
                    .cx
                    .templar
                    .resolve(choice, vars)
                    .map_err(|e| e.at(&setting.span))?,
            );
            let dirs = [cx.play.dir.clone()];
            let Ok(path) = super::files::find_in(&dirs, "vars", &name) else {
                tried.push(name);
                continue;
            };
            let shown = path.display().to_string();
            let text = HereFiles.read(&path)?.unwrap_or_default();
            let mappings = match super::action::load_yaml(&shown, text, &self.cx.vault)? {
                // As `vars` itself, a file may hold a list of mappings.
                Value::List(items) => items.to_vec(),
                single => vec![single],
            };
            let mut all = Map::new();
            for mapping in mappings {
                match mapping {
                    Value::Map(map) => all.extend((*map).clone()),
                    Value::Null => {}
                    other => return Err(super::action::not_a_mapping(&shown, &other)),
                }
            }
            return Ok(all);
        }
        Err(Error::new(
            ErrorKind::Syntax,
            format!(
                "the file of variables `{}` was not found",
                tried.join("` or `")
            ),
        )
        .at(&setting.span))
    }

    fn host_stack(&self, cx: &PlayCx, slot: &HostSlot, files: &Map) -> Arc<dyn Variables> {
        let mut stack = Stack::default();
        let vars = slot.snapshot();
        vars.lower(&mut stack);
        stack.push(Layer::PlayVars, &cx.vars);
        stack.push(Layer::PlayPrompt, &cx.prompted);
        stack.push(Layer::PlayFiles, &Arc::new(files.clone()));
        vars.upper(&mut stack);
        stack.push(Layer::Extra, &self.cx.options.extra_vars);
        stack.push(Layer::Magic, &cx.magic);
        Arc::new(with_host(stack, slot))
    }

    /// Variables that Ansible sets for a play.
    pub(super) fn magic(&self, cx: &PlayCx, all: &[Arc<str>], batch: &[Arc<str>]) -> Arc<Map> {
        let options = &self.cx.options;
        let words = |w: &[String]| Value::list(w.iter().map(Value::from).collect());
        let (direct, depended) = roles_by_use(&cx.play.roles);
        let all_roles: Vec<_> = direct.iter().chain(&depended).copied().collect();
        let dir = here::absolute(&cx.play.dir).display().to_string();
        let tags = if options.tags.is_empty() {
            words(&["all".to_string()])
        } else {
            words(&options.tags)
        };
        let pairs: Vec<(&str, Value)> = vec![
            ("groups", self.groups.as_value()),
            ("ansible_play_hosts_all", name_list(all)),
            ("ansible_play_name", Value::written(cx.play.name(), None)),
            ("ansible_play_role_names", role_names(&direct)),
            ("ansible_dependent_role_names", role_names(&depended)),
            ("ansible_role_names", role_names(&all_roles)),
            ("role_names", role_names(&direct)),
            ("playbook_dir", Value::from(dir)),
            ("ansible_check_mode", Value::Bool(options.check)),
            ("ansible_diff_mode", Value::Bool(options.diff)),
            (
                "ansible_verbosity",
                Value::from(u32::from(options.verbosity)),
            ),
            ("ansible_forks", Value::from(options.forks)),
            ("ansible_run_tags", tags),
            ("ansible_skip_tags", words(&options.skip_tags)),
            ("ansible_limit", Value::from(options.limit.clone())),
            ("ansible_version", version()),
            ("ansible_playbook_python", Value::from(here::python())),
        ];
        let magic = pairs
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (Key::from(k), v))
            .collect();
        self.magic_of_hosts(&Arc::new(magic), batch, &|_| false)
    }

    /// With the hosts of the batch that are left, and those of the play: all but the ones that
    /// failed before, or are out now.
    pub(super) fn magic_of_hosts(
        &self,
        magic: &Map,
        batch: &[Arc<str>],
        out: &dyn Fn(&str) -> bool,
    ) -> Arc<Map> {
        let is_left = |name: &str| {
            !self.failed.contains(name) && !self.unreachable.contains(name) && !out(name)
        };
        let all = magic.get("ansible_play_hosts_all").and_then(Value::as_list);
        let left = all.unwrap_or_default().iter();
        let left = left.filter(|v| v.as_str().is_some_and(is_left)).cloned();
        let mut map = magic.clone();
        map.insert(Key::from("ansible_play_hosts"), Value::list(left.collect()));
        map.insert(Key::from("ansible_play_batch"), name_list(batch));
        map.insert(Key::from("play_hosts"), name_list(batch));
        Arc::new(map)
    }

    pub(super) fn refresh_magic(&self, cx: &PlayCx) -> Arc<Map> {
        let mut map = (*cx.magic).clone();
        map.insert(Key::from("groups"), self.groups.as_value());
        Arc::new(map)
    }
}

/// The roles that a play itself names, and those that they depend on, in order.
fn roles_by_use(uses: &[Arc<RoleUse>]) -> (Vec<&RoleUse>, Vec<&RoleUse>) {
    let depended: Vec<_> = uses.iter().flat_map(|r| r.all_dependencies()).collect();
    uses.iter()
        .map(|role| (role, depended.iter().any(|d| Arc::ptr_eq(d, role))))
        .fold((Vec::new(), Vec::new()), |mut both, (role, is_depended)| {
            let side = if is_depended {
                &mut both.1
            } else {
                &mut both.0
            };
            side.push(role.as_ref());
            both
        })
}

/// Each name once.
fn role_names(roles: &[&RoleUse]) -> Value {
    let mut seen = BTreeSet::new();
    let names = roles.iter().map(|r| r.name.as_str());
    Value::list(names.filter(|n| seen.insert(*n)).map(Value::from).collect())
}

fn name_list(names: &[Arc<str>]) -> Value {
    Value::list(names.iter().map(|n| Value::Str(Arc::clone(n))).collect())
}

/// The Ansible release whose behaviour is followed.
fn version() -> Value {
    let full = crate::ANSIBLE_VERSION;
    let mut parts = full.split('.').map(|p| p.parse::<i64>().unwrap_or(0));
    let mut map = Map::new();
    map.insert(Key::from("full"), Value::from(full));
    map.insert(Key::from("string"), Value::from(full));
    for name in ["major", "minor", "revision"] {
        map.insert(Key::from(name), Value::Int(parts.next().unwrap_or(0)));
    }
    Value::map(map)
}
