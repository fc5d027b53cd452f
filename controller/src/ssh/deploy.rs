//! The agent's binary on a host: brought there once, found again by its digest.

use super::exec::{Complaint, Done, Exec};
use super::session::Session;
use super::target::Target;
use lks_agent::engine::seat::{self, Line};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::{Digest, digest_of, here};
use lks_agent::module::shlex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names a file to bring to hosts, for those of another architecture than this machine.
pub const BINARY: &str = "LKS_AGENT_BINARY";

/// The program that hosts run.
pub struct Binary {
    bytes: Vec<u8>,
    digest: String,
    /// As `uname -m` says it.
    machine: &'static str,
    from: PathBuf,
}

impl Binary {
    /// The file that is named by the environment, the agent beside this program, or this program.
    ///
    /// # Errors
    /// When there is none, or it is no program for Linux.
    pub fn find() -> Result<Self> {
        let from = match here::env(BINARY) {
            Some(path) => here::expand_home(&path),
            None => beside()?,
        };
        let refuse = |why: &str| {
            Error::new(ErrorKind::Unreachable, format!("{}: {why}", from.display()))
                .hint(format!("{BINARY} names the program that hosts are to run"))
        };
        let bytes = here::read(&from)?.ok_or_else(|| refuse("there is no such file"))?;
        let machine = machine(&bytes).ok_or_else(|| refuse("this is no program for Linux"))?;
        Ok(Self {
            digest: digest_of(&bytes, Digest::Sha256),
            bytes,
            machine,
            from,
        })
    }
}

fn beside() -> Result<PathBuf> {
    let own = here::program().ok_or_else(|| Error::host("this program does not know its path"))?;
    let agent = own.with_file_name("lks-agent");
    // A program that was replaced while it runs has a path that is none.
    Ok(if here::is_executable(&agent) {
        agent
    } else {
        own
    })
}

/// For which machine a file is, from its ELF header: `e_machine`, elf(5).
fn machine(elf: &[u8]) -> Option<&'static str> {
    let header = elf
        .get(..20)
        .filter(|h| h.starts_with(b"\x7fELF\x02\x01"))?;
    match u16::from_le_bytes([header[18], header[19]]) {
        62 => Some("x86_64"),
        183 => Some("aarch64"),
        243 => Some("riscv64"),
        _ => None,
    }
}

/// What is known of a host once one is logged in.
#[derive(Debug)]
pub struct Found {
    /// Whether the user who logged in is root.
    pub is_root: bool,
    /// The name of that user, there.
    pub user: String,
    /// Where the binary lies, or is to lie.
    pub path: String,
}

/// Looks at a host, by one command. If the binary lies there, the command has become its seat and is given,
/// too: no second one need be started.
///
/// The binary is known by its name, which has its digest and is given to whole files only, and by its size.
/// What has been damaged since does not come up; [`repair`] is for that.
///
/// # Errors
/// Of kind `Unreachable`: another architecture, no shell.
pub fn look(
    session: &Arc<Session>,
    target: &Target,
    binary: &Binary,
) -> Result<(Found, Option<Exec>)> {
    let no_commands = |e| target.unreachable("it starts no commands").caused_by(e);
    let mut exec = session.exec(&probe(binary)).map_err(no_commands)?;
    let mut others = Vec::new();
    // The line may stand among others that a login prints.
    let found = loop {
        match exec.receive()? {
            Some(line) => match answer(&line) {
                Some(found) => break found,
                None => others.push(line),
            },
            None => return Err(no_shell(target, &others, &exec.complaint())),
        }
    };
    if found.machine != binary.machine || found.system != "Linux" {
        return Err(other_machine(target, &found, binary));
    }
    let is_there = found.has_binary;
    let found = Found {
        is_root: found.uid == "0",
        user: found.user,
        path: found.path,
    };
    Ok((found, is_there.then_some(exec)))
}

/// Brings the binary to a host.
///
/// # Errors
/// Of kind `Unreachable`: no space, no right to write.
pub fn bring(
    session: &Arc<Session>,
    target: &Target,
    binary: &Binary,
    found: &Found,
) -> Result<()> {
    let path = &found.path;
    let done = run(session, target, &upload(path, binary)?, &binary.bytes)?;
    if done.status == Some(0) {
        return Ok(());
    }
    Err(target
        .unreachable(format!("cannot write {path}: {}", done.complaint))
        .hint(format!(
            "{} needs some MiB in a home it may write to",
            target.user
        )))
}

/// Brings the binary anew if what lies there is another file; whether it was.
///
/// # Errors
/// As [`bring`].
pub fn repair(
    session: &Arc<Session>,
    target: &Target,
    binary: &Binary,
    found: &Found,
) -> Result<bool> {
    let path = shlex::quote(&found.path);
    let done = run(session, target, &shell(&format!("sha256sum <{path}")), &[])?;
    if done.status != Some(0) || done.output.starts_with(&binary.digest) {
        return Ok(false);
    }
    bring(session, target, binary, found)?;
    Ok(true)
}

/// A copy of the binary where other users can run it, and the folder to remove once it runs.
///
/// # Errors
/// When there is no place for it.
pub fn copy_for_others(
    session: &Arc<Session>,
    target: &Target,
    path: &str,
) -> Result<(String, String)> {
    let script = format!(
        "umask 022; d=$(mktemp -d /tmp/lks-XXXXXXXXXX) || exit 1; \
         cp {} \"$d/lks-agent\" && chmod 755 \"$d\" \"$d/lks-agent\" && echo \"lks-copy $d\" && exit 0; \
         rm -rf \"$d\"; exit 1",
        shlex::quote(path)
    );
    let done = run(session, target, &shell(&script), &[])?;
    let folder = done
        .output
        .lines()
        .find_map(|l| l.strip_prefix("lks-copy "));
    let folder = folder.ok_or_else(|| {
        let text = format!("cannot copy the agent for another user: {}", done.complaint);
        target
            .unreachable(text)
            .hint("is /tmp full or not writable there?")
    })?;
    Ok((format!("{folder}/lks-agent"), folder.to_string()))
}

/// Removes what [`copy_for_others`] made.
pub fn remove_copy(session: &Arc<Session>, folder: &str) {
    // A folder that stays in /tmp does no harm.
    let _ = session.run(&shell(&format!("rm -rf {}", shlex::quote(folder))), &[]);
}

fn run(session: &Arc<Session>, target: &Target, command: &str, input: &[u8]) -> Result<Done> {
    session
        .run(command, input)
        .map_err(|e| target.unreachable("it starts no commands").caused_by(e))
}

/// For `/bin/sh`, whatever shell the user logs in to.
fn shell(script: &str) -> String {
    format!("/bin/sh -c {}", shlex::quote(script))
}

fn probe(binary: &Binary) -> String {
    let (name, size) = (&binary.digest[..16], binary.bytes.len());
    shell(&format!(
        "cd; f=\"$PWD/.cache/lks/lks-agent-{name}\"; have=no; \
         [ -x \"$f\" ] && [ \"$(wc -c <\"$f\")\" -eq {size} ] && have=yes; \
         echo \"lks-probe $(uname -s) $(uname -m) $(id -u) $(id -un) $have $f\"; \
         [ $have = no ] || exec \"$f\" {}",
        seat::COMMAND
    ))
}

/// Written under another name and renamed when it is whole: a connection that breaks leaves no half.
fn upload(path: &str, binary: &Binary) -> Result<String> {
    let random: String = here::random_bytes(4)?
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    let folder = shlex::quote(&folder.display().to_string());
    let (whole, part) = (
        shlex::quote(path),
        shlex::quote(&format!("{path}.{random}")),
    );
    let (digest, size) = (&binary.digest, binary.bytes.len());
    Ok(shell(&format!(
        "umask 077; mkdir -p {folder} && cat >{part} && chmod 700 {part} && \
         if [ \"$(wc -c <{part})\" -eq {size} ] && \
         s=$(sha256sum <{part} 2>/dev/null || echo {digest}) && \
         case $s in {digest}*) true;; *) false;; esac; \
         then mv -f {part} {whole} && exit 0; else echo it came broken >&2; fi; \
         rm -f {part}; exit 1"
    )))
}

/// What a host said of itself.
struct Answer {
    system: String,
    machine: String,
    uid: String,
    user: String,
    has_binary: bool,
    path: String,
}

fn answer(line: &str) -> Option<Answer> {
    let line = line.strip_prefix("lks-probe ")?;
    let mut words = line.splitn(6, ' ').map(String::from);
    Some(Answer {
        system: words.next()?,
        machine: words.next()?,
        uid: words.next()?,
        user: words.next()?,
        has_binary: words.next()? == "yes",
        path: words.next()?,
    })
}

fn no_shell(target: &Target, output: &[String], complaint: &Complaint) -> Error {
    let said = match (complaint.text(), output) {
        (complaint, _) if !complaint.is_empty() => complaint,
        (_, []) => format!("nothing, and ended with status {:?}", complaint.status()),
        (_, output) => output.join("\n"),
    };
    target
        .unreachable(format!(
            "it runs no /bin/sh for {}; it said: {said}",
            target.user
        ))
        .hint("the user needs a login shell that runs commands")
}

fn other_machine(target: &Target, found: &Answer, binary: &Binary) -> Error {
    let (system, machine) = (&found.system, &found.machine);
    target
        .unreachable(format!(
            "it is {system} on {machine}, and {} is for Linux on {}",
            binary.from.display(),
            binary.machine
        ))
        .hint(format!(
            "build lks-agent for {machine} and name it: {BINARY}=/path/to/lks-agent"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_told_from_greetings() {
        let text = "lks-probe Linux x86_64 1000 me no /home/my self/.cache/lks/a";
        let found = answer(text).unwrap();
        assert_eq!((found.user.as_str(), found.has_binary), ("me", false));
        assert_eq!(found.path, "/home/my self/.cache/lks/a");
        assert!(answer("Welcome!").is_none());
    }

    #[test]
    fn machines_are_told_apart() {
        let elf = |machine: u8| {
            [
                b"\x7fELF\x02\x01\x01".as_slice(),
                &[0; 9],
                &[3, 0, machine, 0],
            ]
            .concat()
        };
        assert_eq!(machine(&elf(62)), Some("x86_64"));
        assert_eq!(machine(&elf(183)), Some("aarch64"));
        assert_eq!(machine(b"#!/bin/sh"), None);
    }
}
