//! `vars_prompt`: variables that the user types.

use super::context::PlayCx;
use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Level};
use crate::host::here;
use crate::playbook::keyword::{Kw, Setting, as_bool, plain_text};
use crate::template::Variables;
use crate::value::{Key, Map, Value};
use crate::vars::{Layer, Stack};
use std::sync::Arc;

/// What an entry may say.
const KEYS: &[&str] = &[
    "name",
    "prompt",
    "default",
    "private",
    "confirm",
    "encrypt",
    "salt_size",
    "salt",
    "unsafe",
];

/// Asks for the variables of a play that `-e` does not give. Without a terminal the default counts.
///
/// # Errors
/// When an entry has no name, or what was typed cannot be encrypted as it asks.
pub(super) fn ask(run: &Run, cx: &PlayCx) -> Result<Map> {
    let mut out = Map::new();
    let Some(setting) = cx.play.scope.keywords.get(Kw::VarsPrompt) else {
        return Ok(out);
    };
    for entry in setting.items() {
        let prompt = Prompt::read(run, cx, setting, &entry)?;
        if run.cx.options.extra_vars.contains_key(prompt.name.as_str()) {
            continue;
        }
        let value = prompt.value(run, setting)?;
        out.insert(Key::from(prompt.name), value);
    }
    Ok(out)
}

/// One entry.
struct Prompt {
    name: String,
    /// What is asked, with the default and the colon.
    text: String,
    default: Option<Value>,
    private: bool,
    confirm: bool,
    encrypt: Option<String>,
    salt: Option<String>,
    salt_size: Option<usize>,
    /// Whether braces in what is typed mean nothing.
    inert: bool,
}

impl Prompt {
    fn read(run: &Run, cx: &PlayCx, setting: &Setting, entry: &Value) -> Result<Self> {
        let wrong = |text: String| Error::new(ErrorKind::Syntax, text).at(&setting.span);
        let map = entry.as_map().ok_or_else(|| {
            wrong("Invalid vars_prompt data structure, expected a mapping".into())
        })?;
        if let Some(key) = map.keys().find(|k| !KEYS.contains(&&*k.to_string())) {
            let error =
                format!("Invalid vars_prompt data structure, found unsupported key '{key}'");
            return Err(wrong(error).did_you_mean(&key.to_string(), KEYS.iter().copied()));
        }
        let text = |name: &str| {
            let value = map.get(name).filter(|v| !v.is_null())?;
            Some(run.shown_name(cx, value))
        };
        let flag = |name: &str, default: bool| {
            text(name).map_or(default, |t| as_bool(&t).unwrap_or(!t.is_empty()))
        };
        let name = text("name").ok_or_else(|| {
            wrong("Invalid vars_prompt data structure, missing 'name' key".into())
        })?;
        let default = map.get("default").filter(|v| !v.is_null()).cloned();
        let asked = text("prompt").unwrap_or_else(|| name.clone());
        Ok(Self {
            text: match text("default") {
                Some(default) => format!("{asked} [{default}]: "),
                None => format!("{asked}: "),
            },
            default,
            private: flag("private", true),
            confirm: flag("confirm", false),
            encrypt: text("encrypt"),
            salt: text("salt"),
            salt_size: text("salt_size").and_then(|t| t.parse().ok()),
            inert: flag("unsafe", false),
            name,
        })
    }

    fn value(&self, run: &Run, setting: &Setting) -> Result<Value> {
        let typed = self.typed()?;
        if typed.is_none() {
            run.cx.emit.run(EventKind::Notice {
                level: Level::Warning,
                text: "Not prompting as we are not in interactive mode".into(),
            });
        }
        let value = match (typed.filter(|t| !t.is_empty()), &self.default) {
            (Some(typed), _) if self.inert => Value::from(typed),
            (Some(typed), _) => Value::written(typed, None),
            (None, Some(Value::Template(t))) if self.inert => Value::from(&*t.text),
            (None, Some(default)) => default.clone(),
            (None, None) => Value::from(""),
        };
        match &self.encrypt {
            None => Ok(value),
            Some(scheme) => self
                .encrypted(run, scheme, &value)
                .map_err(|e| e.at(&setting.span)),
        }
    }

    /// What the user types; nothing without a terminal.
    fn typed(&self) -> Result<Option<String>> {
        loop {
            let typed = here::ask(&self.text, !self.private)?;
            if !self.confirm || typed.is_none() {
                return Ok(typed);
            }
            let again = here::ask(&format!("confirm {}", self.text), !self.private)?;
            if again == typed {
                return Ok(typed);
            }
            here::print("***** VALUES ENTERED DO NOT MATCH ****");
        }
    }

    fn encrypted(&self, run: &Run, scheme: &str, value: &Value) -> Result<Value> {
        let salt = match (&self.salt, self.salt_size) {
            (Some(salt), _) => Value::from(salt),
            (None, Some(size)) => Value::from(random_salt(size)?),
            (None, None) => Value::Null,
        };
        let map: Map = [
            (Key::from("typed"), Value::from(plain_text(value))),
            (Key::from("scheme"), Value::from(scheme)),
            (Key::from("salt"), salt),
        ]
        .into_iter()
        .collect();
        let mut stack = Stack::default();
        stack.push(Layer::Loop, &Arc::new(map));
        let vars: Arc<dyn Variables> = Arc::new(stack);
        let call = "typed | password_hash(scheme, salt)";
        run.cx.templar.expression(call, None, &vars)
    }
}

/// Characters of a salt.
fn random_salt(size: usize) -> Result<String> {
    const LETTERS: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let bytes = here::random_bytes(size)?;
    // 256 is a multiple of the 64 letters: each is as likely as any other.
    Ok(bytes
        .iter()
        .map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()]))
        .collect())
}
