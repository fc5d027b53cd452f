//! `config`: the settings, under Ansible's names and in the forms of `ansible-config`.

use super::app::{Args, Call, Command, Io};
use super::exit;
use super::flag::{Complete, Flag};
use super::parse::usage;
use super::settings::file::{SettingsFile, settings_file, settings_file_at};
use super::settings::{Shown, Sources, shown};
use crate::error::{Error, Result};
use crate::host::here;
use crate::playbook::yaml::{Style, to_styled_string};
use crate::value::{Key, Map, Value};
use crate::view::{Layout, dump, py_str};

/// The command.
pub const CONFIG: Command = Command {
    name: "config",
    called_as: Some("ansible-config"),
    summary: "Show the settings, and where each comes from",
    details: "
- `view`: the `ansible.cfg` that counts.
- `dump`: every setting as it is now, and whether the file, the environment or nobody says so.
- `list`: every setting with its meaning, its keys and its default.
- `init`: an `ansible.cfg` with every setting at its default.

These are the settings that lks has; Ansible has more, which are of no use here.
",
    args: Args {
        usage: "ACTION",
        complete: Complete::Words(&ACTIONS),
    },
    flags: &[
        Flag::one(
            &["config"],
            "FILE",
            "This file instead of the one that counts.",
        )
        .short('c')
        .complete(Complete::File),
        Flag::switch(
            &["only-changed", "changed-only"],
            "Only settings that are not at their default. (dump)",
        ),
        Flag::one(
            &["format"],
            "FORM",
            "`display` (dump), `yaml` (list, dump) or `json` (list, dump).",
        )
        .short('f')
        .words(&["display", "json", "yaml", "ini"]),
        Flag::switch(&["disabled"], "Every line as a comment. (init)"),
        Flag::count(
            &["verbose"],
            "Accepted for compatibility: there is no more to say.",
        )
        .short('v'),
        Flag::switch(&["version"], "Print the version."),
    ],
    body: config,
};

const ACTIONS: [&str; 4] = ["view", "dump", "list", "init"];

fn config(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let parsed = &call.parsed;
    let file = match parsed.value("config") {
        None => settings_file(),
        Some(name) => Some(settings_file_at(name).ok_or_else(|| {
            Error::host(format!(
                "The provided configuration file is missing or not accessible: {name}"
            ))
        })?),
    };
    let [action] = parsed.args.as_slice() else {
        return Err(usage(match parsed.args.len() {
            0 => "the following arguments are required: ACTION",
            _ => "one ACTION is enough",
        }));
    };
    let text = match action.as_str() {
        "view" => match file {
            Some(file) => file.text,
            None => return Err(Error::host("Invalid or no config file was supplied")),
        },
        "dump" => {
            let rows = rows(file.as_ref())?;
            let changed = parsed.has("only-changed");
            dumped(&rows, file.as_ref(), changed, parsed.value("format"))
        }
        "list" => listed(&rows(file.as_ref())?, parsed.value("format")),
        "init" => initial(&rows(None)?, parsed.has("disabled")),
        other => {
            return Err(usage(format!("argument action: invalid choice: '{other}'"))
                .did_you_mean(other, ACTIONS));
        }
    };
    io.print(&text);
    Ok(exit::OK)
}

/// The settings by Ansible's names, in their order.
fn rows(file: Option<&SettingsFile>) -> Result<Vec<(String, Shown)>> {
    let rows = shown(&Sources {
        file: file.map(|f| (&*f.text, &*f.dir)),
        env: &|name| here::env(name),
    })?;
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|row| (row.spec.ansible_name(), row))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

/// A setting by Ansible's name for it, for the lookup `config`: its value, and who says it. A switch that
/// nobody set is off.
///
/// # Errors
/// When the settings cannot be read.
pub(super) fn setting(name: &str) -> Result<Option<(Value, String)>> {
    let file = settings_file();
    let rows = rows(file.as_ref())?;
    let found = rows.into_iter().find(|(known, _)| known == name);
    Ok(found.map(|(_, row)| {
        let value = match &row.value {
            Value::Null if row.type_name == "boolean" => Value::Bool(false),
            value => value.clone(),
        };
        (value, origin(&row, file.as_ref()))
    }))
}

/// Who says a setting: the file's path, `env: NAME`, or `default`.
fn origin(row: &Shown, file: Option<&SettingsFile>) -> String {
    match (&row.origin, file) {
        (None, _) => "default".into(),
        (Some(key), Some(file)) if key.starts_with("ansible.cfg") => file.path.clone(),
        (Some(name), _) => format!("env: {name}"),
    }
}

fn dumped(
    rows: &[(String, Shown)],
    file: Option<&SettingsFile>,
    only_changed: bool,
    form: Option<&str>,
) -> String {
    let path = file.map_or(Value::Null, |f| Value::from(f.path.as_str()));
    let wanted = rows
        .iter()
        .filter(|(_, row)| !only_changed || row.origin.is_some());
    let mut entries: Vec<(String, String, Value)> = wanted
        .map(|(name, row)| (name.clone(), origin(row, file), row.value.clone()))
        .collect();
    entries.push(("CONFIG_FILE".into(), String::new(), path));
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    if matches!(form, None | Some("display")) {
        let lines = entries.iter().map(|(name, origin, value)| {
            let value = py_str(value);
            format!("{name}({origin}) = {value}\n")
        });
        return lines.collect();
    }
    let entries = entries.into_iter().map(|(name, origin, value)| {
        let fields = [
            ("name", Value::from(name)),
            ("origin", Value::from(origin)),
            ("value", value),
        ];
        mapping(fields)
    });
    structured(&Value::list(entries.collect()), form)
}

fn listed(rows: &[(String, Shown)], form: Option<&str>) -> String {
    let names = |names: &[&str]| {
        let entries = names.iter().map(|n| mapping([("name", Value::from(*n))]));
        Value::list(entries.collect())
    };
    let rows = rows.iter().map(|(name, row)| {
        let ini = row.spec.ini.iter().map(|(section, key)| {
            mapping([
                ("key", Value::from(*key)),
                ("section", Value::from(*section)),
            ])
        });
        let fields = [
            ("default", row.default.clone()),
            ("description", Value::from(row.spec.doc.trim())),
            ("env", names(row.spec.env)),
            ("ini", Value::list(ini.collect())),
            ("type", Value::from(row.type_name)),
        ];
        (Key::from(name.as_str()), mapping(fields))
    });
    structured(&Value::map(rows.collect()), form.or(Some("yaml")))
}

/// An `ansible.cfg` of defaults, section by section.
fn initial(rows: &[(String, Shown)], disabled: bool) -> String {
    let mark = if disabled { ";" } else { "" };
    let mut sections: indexmap::IndexMap<&str, String> = indexmap::IndexMap::new();
    sections.insert("defaults", String::new());
    for (_, row) in rows {
        let Some((section, key)) = row.spec.ini.first() else {
            continue;
        };
        let value = match &row.default {
            Value::Null => String::new(),
            Value::List(items) => items
                .iter()
                .map(py_str)
                .collect::<Vec<_>>()
                .join(&row.spec.separator.to_string()),
            other => py_str(other),
        };
        // An empty value is not the same as none.
        let mark = if value.is_empty() { ";" } else { mark };
        let text = sections.entry(section).or_default();
        text.push_str(&format!(
            "# ({}) {}\n{mark}{key}={value}\n\n",
            row.type_name,
            row.spec.doc.trim()
        ));
    }
    let parts = sections.into_iter();
    parts
        .map(|(section, text)| format!("[{section}]\n{text}\n"))
        .collect()
}

fn mapping<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let map: Map = fields.into_iter().map(|(k, v)| (Key::from(k), v)).collect();
    Value::map(map)
}

fn structured(value: &Value, form: Option<&str>) -> String {
    if form == Some("json") {
        let layout = Layout {
            indent: Some(4),
            ascii: false,
        };
        return dump(value, layout) + "\n";
    }
    let style = Style {
        default_flow_style: Some(false),
        ..Style::default()
    };
    to_styled_string(value, &style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> (Vec<(String, Shown)>, SettingsFile) {
        let file = SettingsFile {
            path: "/x/ansible.cfg".into(),
            text: text.into(),
            dir: "/x".into(),
        };
        let env = |name: &str| (name == "ANSIBLE_FORKS").then(|| "9".to_owned());
        let rows = shown(&Sources {
            file: Some((text, "/x")),
            env: &env,
        });
        let rows = rows.unwrap().into_iter();
        let mut rows: Vec<_> = rows.map(|r| (r.spec.ansible_name(), r)).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        (rows, file)
    }

    #[test]
    fn what_is_changed_says_by_whom() {
        let (rows, file) =
            with("[defaults]\nforks = 3\ninventory = hosts\n[privilege_escalation]\nbecome=yes\n");
        assert_eq!(
            dumped(&rows, Some(&file), true, None),
            "CONFIG_FILE() = /x/ansible.cfg\n\
             DEFAULT_BECOME(/x/ansible.cfg) = True\n\
             DEFAULT_FORKS(env: ANSIBLE_FORKS) = 9\n\
             DEFAULT_HOST_LIST(/x/ansible.cfg) = ['/x/hosts']\n"
        );
        let all = dumped(&rows, Some(&file), false, None);
        assert!(all.contains("DEFAULT_TIMEOUT(default) = 10\n"), "{all}");
        let json = dumped(&rows, Some(&file), true, Some("json"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json[2]["value"], 9);
    }

    #[test]
    fn an_initial_file_says_what_is_so_anyway() {
        let (rows, _) = with("");
        let text = initial(&rows, false);
        let settings = super::super::Settings::read(&Sources {
            file: Some((&text, "/")),
            env: &|_| None,
        });
        let mut settings = settings.unwrap();
        // The file's name in it is read as a path.
        settings.inventory.clear();
        assert_eq!(settings, super::super::Settings::default());
        let off = initial(&rows, true);
        assert!(
            off.lines()
                .all(|l| l.is_empty() || l.starts_with([';', '#', '[']))
        );
    }

    #[test]
    fn names_are_ansibles_and_differ() {
        let (rows, _) = with("");
        let names: std::collections::HashSet<&String> = rows.iter().map(|(n, _)| n).collect();
        assert_eq!(names.len(), rows.len());
        let list = listed(&rows, None);
        assert!(list.contains("DEFAULT_FORKS:\n  default: 5\n"), "{list}");
    }
}
