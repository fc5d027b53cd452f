//! `ansible.builtin.getent`.

use crate::error::{Error, Result};
use crate::host::Command;
use crate::module::command::lines;
use crate::module::{Module, Plan, PlanCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Asks the host's name services for entries of a database (`passwd`, `hosts`, `services`, …), as
    /// the program `getent` does. They become the fact `getent_DATABASE`.
    ///
    /// ```yaml
    /// - getent:
    ///     database: passwd
    ///     key: ollama
    ///     fail_key: false
    ///
    /// - debug:
    ///     msg: "home: {{ ansible_facts.getent_passwd.ollama[4] }}"
    ///   when: ansible_facts.getent_passwd.ollama
    /// ```
    pub struct Getent {
        /// The database.
        required database: String,
        /// The entry; all entries if not given.
        optional key: Option<String>,
        /// Only this service is asked, such as `files`.
        optional service: Option<String>,
        /// What separates the fields of an entry; `:` for accounts and groups, white space else.
        optional split: Option<String>,
        /// Whether an entry that is not there is a failure.
        default(true) fail_key: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[(
    "ansible_facts",
    "`getent_DATABASE`: entries, each the list of its other fields",
)];

impl Module for Getent {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut argv = vec!["getent".to_string(), self.database.clone()];
        argv.extend(self.key.clone());
        if let Some(service) = &self.service {
            argv.extend(["-s".to_string(), service.clone()]);
        }
        if cx.host.which("getent")?.is_none() {
            return Err(Error::host("Failed to find required executable \"getent\""));
        }
        let output = cx.host.query(&Command::new(argv))?;
        let mut returns = Returns::default();
        let missing = "One or more supplied key could not be found in the database.";
        let found = match output.rc {
            0 => self.entries(&output.out()),
            2 if !self.fail_key => {
                returns.set("msg", missing);
                let key = self.key.as_deref().unwrap_or_default();
                [(Key::from(key), Value::Null)].into_iter().collect()
            }
            rc => {
                returns.fail(match rc {
                    1 => "Missing arguments, or database unknown.",
                    2 => missing,
                    3 => "Enumeration not supported on this database.",
                    _ => "Unexpected failure!",
                });
                return Ok(Plan::returning(returns));
            }
        };
        let fact = Key::from(format!("getent_{}", self.database));
        returns.facts.insert(fact, Value::map(found));
        Ok(Plan::returning(returns))
    }

    fn only_reads(&self) -> bool {
        true
    }
}

impl Getent {
    fn entries(&self, text: &str) -> Map {
        let colons = ["passwd", "shadow", "group", "gshadow"].contains(&self.database.as_str());
        let split = self.split.as_deref().or(colons.then_some(":"));
        let mut found = Map::new();
        let mut several: Vec<Key> = Vec::new();
        for line in lines(text) {
            let fields: Vec<&str> = match split {
                Some(mark) => line.split(mark).collect(),
                None => line.split_whitespace().collect(),
            };
            let Some((name, rest)) = fields.split_first() else {
                continue;
            };
            let (key, rest) = (Key::from(*name), Value::from(rest.to_vec()));
            let value = match found.get(&key) {
                None => rest,
                Some(Value::List(list)) if several.contains(&key) => {
                    Value::list(list.iter().cloned().chain([rest]).collect())
                }
                Some(first) => {
                    several.push(key.clone());
                    Value::list(vec![first.clone(), rest])
                }
            };
            found.insert(key, value);
        }
        found
    }
}
