//! systemd's units, asked through `systemctl`.

use super::super::memory::unit_name;
use super::*;
use std::time::Duration;

/// systemd answers at once, or its bus hangs.
const PATIENCE: Duration = Duration::from_secs(60);

impl RealHost {
    pub(super) fn show_unit(&self, scope: UnitScope, name: &str) -> Result<Unit> {
        self.refuse_in_folder("asking for a unit")?;
        if self.which("systemctl")?.is_none() {
            return Err(no_systemd("there is no `systemctl`"));
        }
        // `show` knows no `--global`: files are all there is.
        if scope == UnitScope::Global {
            return self.unit_file_state(scope, name);
        }
        let output = self.systemctl(scope, &["show", "--no-pager", "--", name])?;
        if output.success() {
            return Ok(properties(&output.out()));
        }
        let said = output.err();
        if is_offline(&said) {
            return self.unit_file_state(scope, name);
        }
        Err(Error::host(format!(
            "systemctl show {name}: {}",
            said.trim()
        )))
    }

    fn systemctl(&self, scope: UnitScope, arguments: &[&str]) -> Result<Output> {
        let mut argv = vec!["systemctl"];
        argv.extend(match scope {
            UnitScope::System => None,
            UnitScope::User => Some("--user"),
            UnitScope::Global => Some("--global"),
        });
        argv.extend(arguments);
        let mut command = Command::new(argv).env("LC_ALL", "C");
        command.timeout = Some(PATIENCE);
        // The user's bus is found through this; a service or `sudo` session lacks it.
        if scope == UnitScope::User && self.env("XDG_RUNTIME_DIR").is_none() {
            let dir = format!("/run/user/{}", self.current_uid());
            command = command.env("XDG_RUNTIME_DIR", dir);
        }
        self.run(&command, &|_| {})
    }

    /// What the files say of a unit where no systemd runs (a container, a chroot, an image): whether
    /// it exists and is enabled. Whether it is active, nobody knows: `ActiveState` is `unknown`.
    fn unit_file_state(&self, scope: UnitScope, name: &str) -> Result<Unit> {
        let output = self.systemctl(scope, &["is-enabled", "--", name])?;
        let state = output.out();
        let state = state.lines().next().unwrap_or_default().trim();
        // Newer versions print `not-found`, older ones complain.
        let load = match state {
            "" | "not-found" => "not-found",
            "masked" | "masked-runtime" => "masked",
            _ => "loaded",
        };
        let mut unit = Unit::default();
        let mut set = |key: &str, value: &str| {
            unit.properties.insert(key.to_owned(), value.to_owned());
        };
        set("Id", &unit_name(name));
        set("LoadState", load);
        set("ActiveState", "unknown");
        if load != "not-found" {
            set("UnitFileState", state);
        }
        Ok(unit)
    }
}

fn properties(text: &str) -> Unit {
    let lines = text.lines().filter_map(|l| l.split_once('='));
    let mut unit = Unit::default();
    for (key, value) in lines {
        // A property that comes several times (`ExecStart`) is a list.
        unit.properties
            .entry(key.to_owned())
            .and_modify(|v| {
                v.push('\n');
                v.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    unit
}

fn is_offline(said: &str) -> bool {
    [
        "has not been booted with systemd",
        "Failed to connect to bus",
        "Running in chroot",
    ]
    .iter()
    .any(|text| said.contains(text))
}

fn no_systemd(why: &str) -> Error {
    Error::host(format!("this host does not run systemd: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_with_equal_signs_and_repeats_are_kept() {
        let unit = properties("Id=a.service\nEnvironment=A=1\nExecStart={ x }\nExecStart={ y }\n");
        assert_eq!(unit.get("Environment"), "A=1");
        assert_eq!(unit.get("ExecStart"), "{ x }\n{ y }");
    }
}
