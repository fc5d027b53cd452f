//! `vars_prompt`: variables that the user types.

use super::context::PlayCx;
use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::host::here;
use crate::playbook::keyword::{Kw, plain_text};
use crate::value::{Key, Map, Value};

/// Asks for the variables of a play that `-e` does not give. Without a terminal the default counts.
///
/// # Errors
/// When an entry has no name, or typing it twice gave two values.
pub(super) fn ask(run: &Run, cx: &PlayCx) -> Result<Map> {
    let mut out = Map::new();
    let Some(setting) = cx.play.scope.keywords.get(Kw::VarsPrompt) else {
        return Ok(out);
    };
    for entry in setting.items() {
        let text = |name: &str| entry.get(name).map(plain_text);
        let flag = |name: &str, default: bool| entry.get(name).map_or(default, Value::is_truthy);
        let name = text("name").ok_or_else(|| {
            Error::new(ErrorKind::Syntax, "an entry of `vars_prompt` has no name").at(&setting.span)
        })?;
        if run.cx.options.extra_vars.contains_key(name.as_str()) {
            continue;
        }
        let default = text("default");
        let mut prompt = text("prompt").unwrap_or_else(|| name.clone());
        if let Some(default) = &default {
            prompt = format!("{prompt} [{default}]");
        }
        let private = flag("private", true);
        let typed = here::ask(&format!("{prompt}: "), !private, None)?;
        if flag("confirm", false) && typed.is_some() {
            let again = here::ask(&format!("confirm {prompt}: "), !private, None)?;
            if again != typed {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the two values for `{name}` differ"),
                ));
            }
        }
        let value = typed
            .filter(|t| !t.is_empty())
            .or(default)
            .unwrap_or_default();
        out.insert(Key::from(name), Value::from(value));
    }
    Ok(out)
}
