//! Settings of runtimes: what each is called here, what it may be, and how the runtime takes it.

use crate::error::{Error, Result};
use crate::module::Param;
use crate::value::{Map, Value};

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number within bounds.
    Int(i64, i64),
    /// A number within bounds.
    Float(f64, f64),
    /// True or false.
    Bool,
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Seconds, or a number with a unit as Go writes it (`5m`, `1h30m`); -1 is for ever.
    Time,
    /// Several words, or text with commas.
    List,
}

/// How the runtime takes it.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A variable of the environment; truth values are 1 and 0.
    Env(&'static str),
    /// An argument with the value after it.
    Flag(&'static str),
    /// An argument that stands for true; the second, if there is one, for false.
    Switch(&'static str, Option<&'static str>),
    /// An argument that stands for false; the runtime does it without being told.
    Off(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    pub form: Form,
}

/// A row of a runtime's table.
pub const fn row(name: &'static str, kind: Kind, form: Form) -> Setting {
    Setting { name, kind, form }
}

/// What settings come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Variables of the environment.
    pub env: Vec<(String, String)>,
    /// Arguments: a flag and its value are one entry.
    pub args: Vec<Vec<String>>,
}

/// Reads settings by a runtime's table, in the table's order.
///
/// # Errors
/// When one is not known or not what it may be.
pub fn read(runtime: &str, table: &[Setting], given: &Map) -> Result<Given> {
    for key in given.keys() {
        let name = key.to_string();
        if !table.iter().any(|s| s.name == name) {
            return Err(unknown(runtime, table, &name));
        }
    }
    let mut out = Given::default();
    for setting in table {
        match given.get(setting.name) {
            None | Some(Value::Null | Value::Omit) => {}
            Some(value) => setting.put(value, &mut out)?,
        }
    }
    Ok(out)
}

fn unknown(runtime: &str, table: &[Setting], name: &str) -> Error {
    // People write what the runtime's own pages have: `OLLAMA_KEEP_ALIVE`, `--max-model-len`.
    let plain = name
        .trim_start_matches('-')
        .replace('-', "_")
        .to_lowercase();
    let plain = plain.strip_prefix("ollama_").unwrap_or(&plain);
    let error = Error::params(format!("{runtime} has no setting `{name}`"));
    if plain == "config" && runtime == "ollama" {
        return error.context(OLLAMA_CONFIG);
    }
    let by_form = table.iter().find(|s| s.word().is_some_and(|w| w == name));
    let near = by_form
        .map(|s| s.name)
        .or_else(|| crate::error::nearest(plain, table.iter().map(|s| s.name)));
    let list: Vec<&str> = table.iter().map(|s| s.name).collect();
    match near {
        Some(near) => error.context(format!("did you mean `{near}`?")),
        None => error.context(format!(
            "there are {}; `extra_args` and `environment` take what is none of them",
            list.join(", ")
        )),
    }
}

/// What people need to know who set it.
pub const OLLAMA_CONFIG: &str = "Ollama reads no OLLAMA_CONFIG and no file of settings: each has a variable of its own (`settings`)";

impl Setting {
    fn word(&self) -> Option<&'static str> {
        match self.form {
            Form::Env(word) | Form::Flag(word) | Form::Switch(word, _) | Form::Off(word) => {
                Some(word)
            }
        }
    }

    fn put(&self, value: &Value, out: &mut Given) -> Result<()> {
        if let Some(why) = value.unknown_reason() {
            return Err(Error::unknown(&*why));
        }
        let text = self
            .text(value)
            .map_err(|e| e.context(format!("setting `{}`", self.name)))?;
        let yes = text == "1";
        match self.form {
            Form::Env(name) => out.env.push((name.into(), text)),
            Form::Flag(flag) => out.args.push(vec![flag.into(), text]),
            Form::Switch(flag, _) if yes => out.args.push(vec![flag.into()]),
            Form::Switch(_, Some(flag)) => out.args.push(vec![flag.into()]),
            Form::Off(flag) if !yes => out.args.push(vec![flag.into()]),
            Form::Switch(_, None) | Form::Off(_) => {}
        }
        Ok(())
    }

    /// The value as the runtime reads it.
    fn text(&self, value: &Value) -> Result<String> {
        match self.kind {
            Kind::Bool => bool::from_value(value).map(|yes| if yes { "1" } else { "0" }.into()),
            Kind::Int(low, high) => {
                let number = i64::from_value(value)?;
                match (low..=high).contains(&number) {
                    true => Ok(number.to_string()),
                    false if high == i64::MAX => {
                        Err(Error::params(format!("{number} is less than {low}")))
                    }
                    false => Err(Error::params(format!(
                        "{number} is not between {low} and {high}"
                    ))),
                }
            }
            Kind::Float(low, high) => {
                let number = f64::from_value(value)?;
                match (low..=high).contains(&number) {
                    true => Ok(number.to_string()),
                    false => Err(Error::params(format!(
                        "{number} is not between {low} and {high}"
                    ))),
                }
            }
            Kind::Text => one_line(String::from_value(value)?),
            Kind::OneOf(words) => {
                let text = match value {
                    // YAML 1.1 reads `on` and `off` as truth values.
                    Value::Bool(true) if words.contains(&"on") => "on".into(),
                    Value::Bool(false) if words.contains(&"off") => "off".into(),
                    other => String::from_value(other)?,
                };
                crate::module::choose(&text, words)?;
                Ok(text)
            }
            Kind::Time => time(String::from_value(value)?),
            Kind::List => one_line(Vec::<String>::from_value(value)?.join(",")),
        }
    }
}

fn one_line(text: String) -> Result<String> {
    match text.contains(['\n', '\0']) {
        true => Err(Error::params("must be one line")),
        false => Ok(text),
    }
}

fn time(text: String) -> Result<String> {
    let text = text.trim().to_owned();
    let number = text.strip_prefix('-').unwrap_or(&text);
    let units = ["ms", "h", "m", "s"];
    let mut rest = number;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let after = &rest[digits..];
        if digits == 0 {
            break;
        }
        if after.is_empty() && parts == 0 {
            return Ok(text);
        }
        let Some(unit) = units.into_iter().find(|u| after.starts_with(u)) else {
            break;
        };
        rest = &after[unit.len()..];
        parts += 1;
    }
    match rest.is_empty() && parts > 0 {
        true => Ok(text),
        false => Err(Error::params(format!(
            "`{text}` is no time: write seconds, or numbers with units (`90s`, `5m`, `1h30m`); -1 is for ever"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{OLLAMA, VLLM};
    use super::*;
    use crate::playbook::yaml;

    fn of(runtime: &str, table: &[Setting], text: &str) -> Result<Given> {
        let value: Value = yaml::from_str(text).unwrap();
        read(runtime, table, value.as_map().unwrap())
    }

    #[test]
    fn settings_become_variables_and_arguments_in_the_tables_order() {
        let text = "{keep_alive: 30m, num_parallel: '4', flash_attention: yes, origins: [http://a, http://b]}";
        let given = of("ollama", OLLAMA, text).unwrap();
        let want = [
            ("OLLAMA_ORIGINS", "http://a,http://b"),
            ("OLLAMA_KEEP_ALIVE", "30m"),
            ("OLLAMA_NUM_PARALLEL", "4"),
            ("OLLAMA_FLASH_ATTENTION", "1"),
        ];
        for (name, value) in want {
            let pair = (name.to_owned(), value.to_owned());
            assert!(given.env.contains(&pair), "{name}: {given:?}");
        }
        let given = of(
            "vllm",
            VLLM,
            "{enforce_eager: true, prefix_caching: false, max_model_len: 8192}",
        )
        .unwrap();
        let args: Vec<String> = given.args.concat();
        assert_eq!(
            args,
            [
                "--max-model-len",
                "8192",
                "--no-enable-prefix-caching",
                "--enforce-eager"
            ]
        );
    }

    #[test]
    fn what_is_not_known_or_not_allowed_is_refused_with_advice() {
        for (runtime, table, text, want) in [
            (
                "ollama",
                OLLAMA,
                "{keepalive: 5m}",
                "did you mean `keep_alive`?",
            ),
            (
                "ollama",
                OLLAMA,
                "{OLLAMA_NUM_PARALLEL: 2}",
                "did you mean `num_parallel`?",
            ),
            (
                "ollama",
                OLLAMA,
                "{OLLAMA_CONFIG: /x}",
                "reads no OLLAMA_CONFIG",
            ),
            (
                "ollama",
                OLLAMA,
                "{kv_cache_type: q5}",
                "must be one of: f16, q8_0, q4_0",
            ),
            ("ollama", OLLAMA, "{keep_alive: soon}", "`soon` is no time"),
            ("ollama", OLLAMA, "{load_timeout: 5 m}", "is no time"),
            (
                "vllm",
                VLLM,
                "{--max-model-len: 1}",
                "did you mean `max_model_len`?",
            ),
            (
                "vllm",
                VLLM,
                "{gpu_memory_utilization: 1.5}",
                "1.5 is not between 0.05 and 1",
            ),
            (
                "vllm",
                VLLM,
                "{tensor_parallel_size: 0}",
                "setting `tensor_parallel_size`: 0 is",
            ),
            (
                "vllm",
                VLLM,
                "{xyzzy: 0}",
                "`extra_args` and `environment` take",
            ),
        ] {
            let message = of(runtime, table, text).unwrap_err().message();
            assert!(message.contains(want), "{text}: {message}");
        }
        for fine in ["5m", "1h30m", "300", "-1", "0.5s", "-1m"] {
            assert!(time(fine.into()).is_ok(), "{fine}");
        }
    }
}
