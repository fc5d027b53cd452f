//! `vault`: files and values under a password, with the commands and flags of `ansible-vault`.

mod actions;
mod strings;
#[cfg(test)]
mod tests;

use super::app::{Args, Call, Command, Io};
use super::execute;
use super::exit;
use super::flag::{Complete, Flag, join, pick};
use super::parse::usage;
use super::passwords::VaultSources;
use super::run::RunOptions;
use super::run_flags::RUN_FLAGS;
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::host::here;
use crate::playbook::vault::{Opened, VaultKeys};

const STRINGS: &str = "Of `encrypt_string`";
const REKEY: &str = "Of `rekey`";

static FLAGS: [Flag; 14] = join(
    [
        Flag::one(
            &["encrypt-vault-id"],
            "LABEL",
            "Which of several identities encrypts.",
        ),
        Flag::one(
            &["output"],
            "FILE",
            "Write there; `-` is standard output. (encrypt, decrypt, encrypt_string)",
        )
        .complete(Complete::File),
        Flag::switch(
            &["skip-tty-check"],
            "Open the editor without a terminal, too. (create)",
        ),
        Flag::many(
            &["name"],
            "NAME",
            "The name of the variable; one for each string.",
        )
        .short('n')
        .group(STRINGS),
        Flag::one(
            &["stdin-name"],
            "NAME",
            "Read a string from standard input, for the variable of this name.",
        )
        .group(STRINGS),
        Flag::switch(&["prompt"], "Ask for the string.")
            .short('p')
            .group(STRINGS),
        Flag::switch(&["show-input"], "Show what is typed.").group(STRINGS),
        Flag::one(&["new-vault-id"], "LABEL@SOURCE", "The new identity.")
            .not_with(&["new-vault-password-file"])
            .group(REKEY),
        Flag::one(
            &["new-vault-password-file"],
            "FILE",
            "Read the new password from a file; a program's output counts if it is one.",
        )
        .complete(Complete::File)
        .group(REKEY),
    ],
    pick(
        RUN_FLAGS,
        [
            "vault-id",
            "ask-vault-password",
            "vault-password-file",
            "verbose",
            "version",
        ],
    ),
);

/// The command.
pub const VAULT: Command = Command {
    name: "vault",
    called_as: Some("ansible-vault"),
    summary: "Encrypt, decrypt, view and edit vaults",
    details: "
- `create FILE`: a new vault, written in `$EDITOR`.
- `edit FILE...`: a vault, changed in `$EDITOR`.
- `encrypt [FILE...]`, `decrypt [FILE...]`: in place; without a file, from standard input to standard output.
- `view FILE...`: show what is in it.
- `rekey FILE...`: another password.
- `encrypt_string [TEXT...]`: a value for a variables file.

Formats 1.1 and 1.2, as `ansible-vault` reads and writes them. Files keep their owner and mode, and are \
replaced in one step; no plain text is left behind.
",
    args: Args {
        usage: "ACTION [FILE|TEXT]...",
        complete: Complete::File,
    },
    flags: &FLAGS,
    body: vault,
};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Create,
    Decrypt,
    Edit,
    View,
    Encrypt,
    EncryptString,
    Rekey,
}

/// Each action's name and the flags that it has beside those of all.
const ACTIONS: [(&str, Action, &[&str]); 7] = [
    (
        "create",
        Action::Create,
        &["encrypt-vault-id", "skip-tty-check"],
    ),
    ("decrypt", Action::Decrypt, &["output"]),
    ("edit", Action::Edit, &["encrypt-vault-id"]),
    ("view", Action::View, &[]),
    ("encrypt", Action::Encrypt, &["output", "encrypt-vault-id"]),
    (
        "encrypt_string",
        Action::EncryptString,
        &[
            "output",
            "encrypt-vault-id",
            "name",
            "stdin-name",
            "prompt",
            "show-input",
        ],
    ),
    (
        "rekey",
        Action::Rekey,
        &[
            "encrypt-vault-id",
            "new-vault-id",
            "new-vault-password-file",
        ],
    ),
];

const COMMON: [&str; 6] = [
    "vault-id",
    "ask-vault-password",
    "vault-password-file",
    "verbose",
    "version",
    "help",
];

fn vault(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let settings = execute::read_settings()?;
    let Some((word, rest)) = call.parsed.args.split_first() else {
        return Err(usage("the following arguments are required: ACTION"));
    };
    let names = ACTIONS.map(|(name, ..)| name);
    let Some((name, action, own)) = ACTIONS.iter().find(|(name, ..)| name == word) else {
        return Err(
            usage(format!("argument action: invalid choice: '{word}'")).did_you_mean(word, names)
        );
    };
    for (flag, _) in &call.parsed.flags {
        if !own.contains(&flag.name()) && !COMMON.contains(&flag.name()) {
            return Err(usage(format!(
                "unrecognized arguments: --{} (not for `{name}`)",
                flag.name()
            )));
        }
    }
    here::stop_on_interrupt();
    let work = Work {
        call,
        settings: &settings,
        options: RunOptions::shared(&call.parsed, &settings)?,
        action: *action,
        args: rest,
    };
    match work.run(io) {
        Ok(()) => Ok(exit::OK),
        // Whatever is wrong with a file, a password or an editor, the status is 1, as Ansible's.
        Err(Trouble::Failed(error)) if error.kind() != ErrorKind::Usage => {
            io.complain(&format!("[ERROR]: {error}\n"));
            Ok(exit::ERROR)
        }
        Err(Trouble::Failed(error)) => Err(error),
        Err(Trouble::Options(text)) => {
            io.complain(&format!("[ERROR]: {text}\n"));
            Ok(exit::OPTIONS)
        }
    }
}

/// Why an action was not done.
enum Trouble {
    /// Options contradict each other, or lack something.
    Options(String),
    /// It failed.
    Failed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

type Done<T> = std::result::Result<T, Trouble>;

fn options<T>(text: impl Into<String>) -> Done<T> {
    Err(Trouble::Options(text.into()))
}

/// One call.
struct Work<'a> {
    call: &'a Call<'a>,
    settings: &'a Settings,
    options: RunOptions,
    action: Action,
    args: &'a [String],
}

/// What encrypts: a password under its label.
struct Lock {
    id: String,
    keys: VaultKeys,
}

impl Work<'_> {
    fn flag(&self, name: &str) -> Option<&str> {
        self.call.parsed.value(name)
    }

    fn run(&self, io: &mut Io<'_>) -> Done<()> {
        if let Some(id) = self.options.vault_ids.iter().find(|id| id.contains(';')) {
            return options(format!(
                "'{id}' is not a valid vault id. The character ';' is not allowed in vault ids"
            ));
        }
        if self.flag("output").is_some() && self.args.len() > 1 {
            return options("At most one input file may be used with the --output option");
        }
        match self.action {
            Action::Create => self.create(io),
            Action::Encrypt => self.encrypt(io),
            Action::EncryptString => self.encrypt_string(io),
            Action::Decrypt => self.decrypt(io),
            Action::View => self.view(io),
            Action::Edit => self.edit(io),
            Action::Rekey => self.rekey(io),
        }
    }

    /// The passwords that open.
    fn keys(&self, io: &mut Io<'_>) -> Done<VaultKeys> {
        let sources = VaultSources {
            ask_at_last: true,
            ..VaultSources::of(&self.options)
        };
        Self::read(&sources, io)
    }

    fn read(sources: &VaultSources, io: &mut Io<'_>) -> Done<VaultKeys> {
        let keys = sources.read(&mut |text| io.complain(&format!("[WARNING]: {text}\n")))?;
        if keys.is_empty() {
            return options("A vault password is required to use Ansible's Vault");
        }
        Ok(keys)
    }

    fn wanted_id(&self) -> Option<&str> {
        let setting = self.settings.vault_encrypt_identity.as_deref();
        self.flag("encrypt-vault-id").or(setting)
    }

    /// The password that encrypts what is new.
    fn lock(&self, io: &mut Io<'_>) -> Done<Lock> {
        let sources = VaultSources {
            ask_at_last: true,
            new: true,
            ..VaultSources::of(&self.options)
        };
        let keys = Self::read(&sources, io)?;
        let ids: Vec<&str> = keys.ids().collect();
        if ids.len() > 1 && self.wanted_id().is_none() {
            return options(format!(
                "The vault-ids {} are available to encrypt. Specify the vault-id to encrypt with --encrypt-vault-id",
                ids.join(",")
            ));
        }
        Ok(choose(keys, self.wanted_id())?)
    }

    /// The password that encrypts what is encrypted anew.
    fn new_lock(&self, io: &mut Io<'_>) -> Done<Lock> {
        let mut ids = Vec::new();
        if self.wanted_id().is_some() {
            ids.clone_from(&self.settings.vault_identity_list);
        }
        ids.extend(self.flag("new-vault-id").map(String::from));
        let files = self.flag("new-vault-password-file").map(String::from);
        let sources = VaultSources {
            ids,
            files: files.into_iter().collect(),
            ask_at_last: true,
            new: true,
            ..VaultSources::of(&self.options)
        };
        Ok(choose(Self::read(&sources, io)?, self.wanted_id())?)
    }

    /// A vault of this text.
    fn seal(&self, plain: &[u8], lock: &Lock) -> Result<String> {
        match self.settings.vault_encrypt_salt.as_deref() {
            Some(salt) if !salt.is_empty() => {
                let id = Some(lock.id.as_str());
                lock.keys.encrypt_with_salt(plain, id, salt.as_bytes())
            }
            _ => lock.keys.encrypt(plain, Some(&lock.id)),
        }
    }
}

/// The password of an identity, or the first one.
fn choose(keys: VaultKeys, wanted: Option<&str>) -> Result<Lock> {
    let Some(wanted) = wanted else {
        let id = keys.ids().next().unwrap_or_default().to_owned();
        return Ok(Lock { id, keys });
    };
    let known: Vec<String> = keys.ids().map(|id| format!("'{id}'")).collect();
    let chosen = keys.of_id(wanted);
    if chosen.is_empty() {
        return Err(Error::host(format!(
            "Did not find a match for --encrypt-vault-id={wanted} in the known vault-ids [{}]",
            known.join(", ")
        )));
    }
    Ok(Lock {
        id: wanted.to_owned(),
        keys: chosen,
    })
}

/// What encrypts again what was opened: the same password under the same label.
fn same_lock(opened: &Opened) -> Lock {
    let mut keys = VaultKeys::none();
    keys.add(opened.id.clone(), opened.password.clone());
    Lock {
        id: opened.id.clone(),
        keys,
    }
}
