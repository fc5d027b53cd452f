//! The keywords of plays, roles, blocks and tasks: one table says what exists, where, and of which type.

use crate::error::{Error, ErrorKind, Result};
use crate::source::Span;
use crate::value::Value;

/// Where a keyword may stand (a set).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u8);

/// In a play.
pub const PLAY: Levels = Levels(1);
/// In an entry of `roles:`.
pub const ROLE: Levels = Levels(2);
/// In a block.
pub const BLOCK: Levels = Levels(4);
/// In a task.
pub const TASK: Levels = Levels(8);
/// In a handler.
pub const HANDLER: Levels = Levels(16);

impl Levels {
    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether the keyword may stand at `level`.
    #[must_use]
    pub const fn allows(self, level: Self) -> bool {
        self.0 & level.0 != 0
    }
    /// The level's name in an error.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            1 => "play",
            2 => "role",
            4 => "block",
            16 => "handler",
            _ => "task",
        }
    }
}

impl Levels {
    /// The level's name as Ansible's messages have it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self.0 {
            1 => "Play",
            2 => "RoleInclude",
            4 => "Block",
            16 => "Handler",
            _ => "Task",
        }
    }
}

const EVERYWHERE: Levels = Levels(31);
const TASKS: Levels = TASK.and(HANDLER);
const BELOW_PLAY: Levels = ROLE.and(BLOCK).and(TASKS);

/// What a keyword's value must be. Text with a template is accepted for all but lists and mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A truth value in any spelling.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text (numbers and truth values are taken as text).
    Text,
    /// A list; a single item stands for a list of one.
    List,
    /// A mapping (or a list of mappings).
    Map,
    /// Anything.
    Any,
}

macro_rules! keywords {
    ($( $variant:ident $name:literal $type:ident $levels:expr ),* $(,)?) => {
        /// A keyword.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Kw { $( $variant ),* }

        impl Kw {
            /// Every keyword.
            pub const ALL: &'static [Kw] = &[ $( Kw::$variant ),* ];

            /// As written in a playbook.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name ),* }
            }

            /// The type of its value.
            #[must_use]
            pub const fn value_type(self) -> Type {
                match self { $( Self::$variant => Type::$type ),* }
            }

            /// Where it may stand.
            #[must_use]
            pub const fn levels(self) -> Levels {
                match self { $( Self::$variant => $levels ),* }
            }
        }
    };
}

keywords! {
    // Everywhere.
    Name "name" Text EVERYWHERE,
    When "when" List BELOW_PLAY,
    Tags "tags" List EVERYWHERE,
    Vars "vars" Map EVERYWHERE,
    Become "become" Bool EVERYWHERE,
    BecomeUser "become_user" Text EVERYWHERE,
    BecomeMethod "become_method" Text EVERYWHERE,
    BecomeFlags "become_flags" Text EVERYWHERE,
    BecomeExe "become_exe" Text EVERYWHERE,
    Environment "environment" List EVERYWHERE,
    IgnoreErrors "ignore_errors" Bool EVERYWHERE,
    IgnoreUnreachable "ignore_unreachable" Bool EVERYWHERE,
    AnyErrorsFatal "any_errors_fatal" Bool EVERYWHERE,
    NoLog "no_log" Bool EVERYWHERE,
    CheckMode "check_mode" Bool EVERYWHERE,
    Diff "diff" Bool EVERYWHERE,
    Connection "connection" Text EVERYWHERE,
    Port "port" Int EVERYWHERE,
    RemoteUser "remote_user" Text EVERYWHERE,
    RunOnce "run_once" Bool EVERYWHERE,
    Throttle "throttle" Int EVERYWHERE,
    Timeout "timeout" Int EVERYWHERE,
    ModuleDefaults "module_defaults" List EVERYWHERE,
    Collections "collections" List EVERYWHERE,
    Debugger "debugger" Text EVERYWHERE,
    DelegateTo "delegate_to" Text BELOW_PLAY,
    DelegateFacts "delegate_facts" Bool BELOW_PLAY,
    // Tasks and handlers.
    Action "action" Any TASKS,
    LocalAction "local_action" Any TASKS,
    Args "args" Map TASKS,
    Async "async" Int TASKS,
    Poll "poll" Int TASKS,
    Register "register" Text TASKS,
    Loop "loop" Any TASKS,
    LoopControl "loop_control" Map TASKS,
    Until "until" List TASKS,
    Retries "retries" Int TASKS,
    Delay "delay" Number TASKS,
    ChangedWhen "changed_when" List TASKS,
    FailedWhen "failed_when" List TASKS,
    Notify "notify" List TASKS.and(BLOCK),
    Listen "listen" List HANDLER,
    // Blocks.
    Block "block" List BLOCK,
    Rescue "rescue" List BLOCK,
    Always "always" List BLOCK,
    // Plays.
    Hosts "hosts" List PLAY,
    GatherFacts "gather_facts" Bool PLAY,
    GatherSubset "gather_subset" List PLAY,
    GatherTimeout "gather_timeout" Int PLAY,
    FactPath "fact_path" Text PLAY,
    VarsFiles "vars_files" List PLAY,
    VarsPrompt "vars_prompt" List PLAY,
    Roles "roles" List PLAY,
    Tasks "tasks" List PLAY,
    PreTasks "pre_tasks" List PLAY,
    PostTasks "post_tasks" List PLAY,
    Handlers "handlers" List PLAY,
    Serial "serial" List PLAY,
    Strategy "strategy" Text PLAY,
    MaxFailPercentage "max_fail_percentage" Number PLAY,
    ForceHandlers "force_handlers" Bool PLAY,
    Order "order" Text PLAY,
    ImportPlaybook "import_playbook" Text PLAY,
    // Entries of `roles:`.
    Role "role" Text ROLE,
}

impl Kw {
    /// The keyword of this name at this level.
    #[must_use]
    pub fn find(name: &str, level: Levels) -> Option<Self> {
        let name = match name {
            // Old names that ansible-core still reads.
            "user" if level == PLAY => "remote_user",
            "gather_facts" => "gather_facts",
            other => other,
        };
        Self::ALL
            .iter()
            .copied()
            .find(|kw| kw.name() == name && kw.levels().allows(level))
    }

    /// Names of all keywords at this level.
    pub fn names(level: Levels) -> impl Iterator<Item = &'static str> {
        Self::ALL
            .iter()
            .filter(move |kw| kw.levels().allows(level))
            .map(|kw| kw.name())
    }
}

/// A keyword's value and where it stands. It may still be a template.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value, as written.
    pub value: Value,
    /// Its place.
    pub span: Span,
}

impl Setting {
    /// The place of an item of a list setting: of its first occurrence from the setting on.
    #[must_use]
    pub fn place_of(&self, item: &str) -> Span {
        /// A list that goes on for longer is told of at its beginning.
        const LINES: u32 = 100;
        let span = &self.span;
        let found = (span.line..span.line + LINES).find_map(|number| {
            let line = span.file.line(number);
            let skipped = if number == span.line {
                span.column - 1
            } else {
                0
            };
            let from = line.char_indices().nth(skipped as usize)?.0;
            let at = from + line[from..].find(item)?;
            let column = line[..at].chars().count() + 1;
            let len = item.chars().count();
            Some(Span::new(&span.file, number, column as u32, len as u32))
        });
        found.unwrap_or_else(|| span.clone())
    }

    /// The items of a list setting; a single value is a list of one, null an empty one.
    #[must_use]
    pub fn items(&self) -> Vec<Value> {
        match &self.value {
            Value::List(items) => items.to_vec(),
            Value::Null => Vec::new(),
            single => vec![single.clone()],
        }
    }

    /// Names in a list setting, commas split as Ansible does for `tags`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.items()
            .iter()
            .flat_map(|v| match v {
                Value::Str(s) => s.split(',').map(|p| p.trim().to_string()).collect(),
                other => vec![plain_text(other)],
            })
            .filter(|s| !s.is_empty())
            .collect()
    }
}

/// A scalar as a person would write it.
#[must_use]
pub fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        other => other
            .as_str()
            .map_or_else(|| other.to_json().to_string(), str::to_string),
    }
}

/// Checks a value without templates against its keyword's type.
///
/// # Errors
/// When it is of another type; with its place.
pub fn check_type(kw: Kw, value: &Value, span: &Span) -> Result<()> {
    let wanted = match (kw.value_type(), value) {
        (Type::Any, _) | (_, Value::Null | Value::Template(_)) => return Ok(()),
        (Type::Bool, Value::Bool(_) | Value::Int(0 | 1)) => return Ok(()),
        (Type::Bool, Value::Str(s)) if as_bool(s).is_some() => return Ok(()),
        (Type::Bool, other) => {
            return Err(Error::new(
                ErrorKind::Syntax,
                format!(
                    "The value '{}' could not be converted to 'bool': `{}` must be true or false",
                    plain_text(other),
                    kw.name()
                ),
            )
            .at(span));
        }
        (Type::Int, Value::Int(_)) => return Ok(()),
        (Type::Int, Value::Str(s)) if s.trim().parse::<i64>().is_ok() => return Ok(()),
        (Type::Int, _) => "a whole number",
        (Type::Number, Value::Int(_) | Value::Float(_)) => return Ok(()),
        (Type::Number, Value::Str(s)) if s.trim().trim_end_matches('%').parse::<f64>().is_ok() => {
            return Ok(());
        }
        (Type::Number, _) => "a number",
        (Type::Text, Value::List(_) | Value::Map(_)) => "text",
        (Type::Text, _) | (Type::List, _) => return Ok(()),
        (Type::Map, Value::Map(_) | Value::List(_)) => return Ok(()),
        (Type::Map, _) => "a mapping",
    };
    Err(Error::new(
        ErrorKind::Syntax,
        format!(
            "`{}` must be {wanted}, not the {} `{}`",
            kw.name(),
            match value.type_name() {
                "str" => "text",
                "dict" => "mapping",
                "int" | "float" => "number",
                other => other,
            },
            plain_text(value)
        ),
    )
    .at(span))
}

/// A truth value in any of Ansible's spellings.
#[must_use]
pub fn as_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "on" | "1" | "true" | "t" | "y" => Some(true),
        "no" | "off" | "0" | "false" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_know_their_level() {
        assert_eq!(Kw::find("when", TASK), Some(Kw::When));
        assert_eq!(Kw::find("when", PLAY), None);
        assert_eq!(Kw::find("hosts", PLAY), Some(Kw::Hosts));
        assert_eq!(Kw::find("listen", TASK), None);
        assert_eq!(Kw::find("listen", HANDLER), Some(Kw::Listen));
    }
}
