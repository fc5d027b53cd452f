//! `vault encrypt_string`: values for variables files.

use super::{Done, Work, options};
use crate::cli::app::Io;
use crate::error::Error;
use crate::host::here;

/// A value to encrypt.
struct Text {
    text: String,
    /// Where it came from, in Ansible's words.
    whence: &'static str,
    name: Option<String>,
}

impl Work<'_> {
    pub(super) fn encrypt_string(&self, io: &mut Io<'_>) -> Done<()> {
        let prompt = self.flag("prompt").is_some();
        let dash = self.args.iter().any(|a| a == "-");
        let stdin_name = self.flag("stdin-name");
        let from_stdin = dash || stdin_name.is_some() || (self.args.is_empty() && !prompt);
        if prompt && from_stdin {
            return options(
                "The --prompt option is not supported if also reading input from stdin",
            );
        }
        let lock = self.lock(io)?;
        let mut texts = Vec::new();
        if prompt {
            texts.push(self.asked()?);
        }
        if from_stdin {
            texts.push(Self::from_stdin(stdin_name, io)?);
        }
        texts.extend(self.texts_of_args(io)?);
        let mut out = String::new();
        for (n, text) in texts.iter().enumerate() {
            let sealed = self.seal(text.text.as_bytes(), &lock)?;
            if texts.len() > 1 {
                io.complain(&delimiter(n + 1, text));
            }
            out.push_str(&block(&sealed, text.name.as_deref()));
        }
        match self.flag("output") {
            None | Some("-") => io.print(&out),
            Some(file) => here::rewrite(&here::expand_home(file), out.as_bytes(), 0o600, false)?,
        }
        self.success("Encryption successful", io);
        Ok(())
    }

    fn asked(&self) -> Done<Text> {
        let none = || Error::host("a string is needed, but there is no terminal to ask on");
        let name = here::ask("Variable name (enter for no name): ", true)?.ok_or_else(none)?;
        let text = if self.flag("show-input").is_some() {
            here::ask("String to encrypt:", true)?
        } else {
            here::ask_password("String to encrypt (hidden): ")?
        };
        match text {
            None => Err(none().into()),
            Some(text) if text.is_empty() => {
                options("The plaintext provided from the prompt was empty, not encrypting")
            }
            Some(text) => Ok(Text {
                text,
                whence: "the interactive prompt",
                name: Some(name).filter(|n| !n.is_empty()),
            }),
        }
    }

    fn from_stdin(name: Option<&str>, io: &mut Io<'_>) -> Done<Text> {
        if here::stdout_is_terminal() {
            io.complain("Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have a newline)\n");
        }
        let text = here::read_stdin()?;
        if text.is_empty() {
            return options("stdin was empty, not encrypting");
        }
        if here::stdout_is_terminal() && !text.ends_with('\n') {
            io.complain("\n");
        }
        Ok(Text {
            text,
            whence: "stdin",
            name: name.map(String::from),
        })
    }

    fn texts_of_args(&self, io: &mut Io<'_>) -> Done<Vec<Text>> {
        let args: Vec<&String> = self.args.iter().filter(|a| *a != "-").collect();
        let names = self.call.parsed.values("name");
        if let Some(last) = names.last().filter(|_| args.len() > names.len()) {
            io.complain(&format!(
                "The number of --name options do not match the number of args.\n\
                 The last named variable will be \"{last}\". The rest will not have names.\n"
            ));
        }
        let mut names = names.into_iter();
        let mut texts = Vec::new();
        for text in args {
            if text.is_empty() {
                return options(
                    "The plaintext provided from the command line args was empty, not encrypting",
                );
            }
            texts.push(Text {
                text: text.clone(),
                whence: "the command line args",
                name: names.next(),
            });
        }
        Ok(texts)
    }
}

/// What tells several values apart, for standard error.
fn delimiter(number: usize, text: &Text) -> String {
    let whence = text.whence;
    match &text.name {
        Some(name) => format!(
            "# The encrypted version of variable (\"{name}\", the string #{number} from {whence}).\n"
        ),
        None => format!("# The encrypted version of the string #{number} from {whence}.)\n"),
    }
}

/// A vault as a value of YAML.
fn block(sealed: &str, name: Option<&str>) -> String {
    let head = name.map(|n| format!("{n}: ")).unwrap_or_default();
    let lines = sealed.lines().map(|l| format!("          {l}\n"));
    format!("{head}!vault |\n{}", lines.collect::<String>())
}
