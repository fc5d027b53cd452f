//! `ssh_config`: the part of it that says where a host is and how to log in there.

use super::asked::{Asked, split_option};
use lks_agent::error::Result;
use lks_agent::host::here;
use lks_agent::module::shlex;
use std::path::{Path, PathBuf};

/// How deep files may include one another, as in OpenSSH.
const MAX_DEPTH: usize = 16;

/// What the user's file and the machine's say of `host`.
///
/// # Errors
/// When a file cannot be read, or a value does not fit.
pub fn read(host: &str, instead: Option<&Path>) -> Result<Asked> {
    let mut asked = Asked::default();
    let files = match instead {
        Some(file) => vec![file.to_path_buf()],
        None => vec![
            here::expand_home("~/.ssh/config"),
            PathBuf::from("/etc/ssh/ssh_config"),
        ],
    };
    for file in files {
        let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        read_file(&file, &folder, host, &mut asked, 0).map_err(|e| e.context(file.display()))?;
    }
    Ok(asked)
}

fn read_file(
    file: &Path,
    folder: &Path,
    host: &str,
    asked: &mut Asked,
    depth: usize,
) -> Result<()> {
    match here::read_text(file)? {
        Some(text) => {
            let include = |pattern: &str, asked: &mut Asked| -> Result<()> {
                if depth >= MAX_DEPTH {
                    return Ok(());
                }
                for file in included(pattern, folder) {
                    read_file(&file, folder, host, asked, depth + 1)?;
                }
                Ok(())
            };
            apply(&text, host, asked, &include)
        }
        None => Ok(()),
    }
}

/// Takes the lines in that hold for `host`.
fn apply(
    text: &str,
    host: &str,
    asked: &mut Asked,
    include: &dyn Fn(&str, &mut Asked) -> Result<()>,
) -> Result<()> {
    let mut holds = true;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keyword, value) = split_option(line);
        match keyword.to_ascii_lowercase().as_str() {
            "host" => holds = matches_any(&shlex::split(&value)?, host),
            // Of `Match`, only the form that always holds can be judged without running programs.
            "match" => holds = value.eq_ignore_ascii_case("all"),
            "include" if holds => {
                for pattern in shlex::split(&value)? {
                    include(&pattern, asked)?;
                }
            }
            // Other keywords are for other programs: `ssh` itself, `scp`, `git`.
            _ if holds => drop(asked.set(keyword, &value)?),
            _ => {}
        }
    }
    Ok(())
}

/// Whether `host` matches a pattern and none that is negated (`!pattern`).
pub fn matches_any<S: AsRef<str>>(patterns: &[S], host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let mut any = false;
    for pattern in patterns {
        let pattern = pattern.as_ref().to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(not) if matches(not.as_bytes(), host.as_bytes()) => return false,
            Some(_) => {}
            None => any |= matches(pattern.as_bytes(), host.as_bytes()),
        }
    }
    any
}

/// `*` is any text, `?` any character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
        (Some((p, rest)), Some((t, text))) => p == t && matches(rest, text),
        _ => false,
    }
}

/// Files that `Include` names; its last part may be a pattern.
fn included(pattern: &str, folder: &Path) -> Vec<PathBuf> {
    let path = folder.join(here::expand_home(pattern));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    match (name, path.parent()) {
        (Some(name), Some(parent)) if name.contains(['*', '?']) => here::list(parent)
            .unwrap_or_default()
            .iter()
            .filter(|n| matches(name.as_bytes(), n.as_bytes()))
            .map(|n| parent.join(n))
            .collect(),
        _ => vec![path],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
# a comment
User everyone
Host web* !web9
  HostName %h.example.org
  Port=2222
  IdentityFile \"~/.ssh/web key\"
  SendEnv LANG
Host web1
  ProxyJump bastion
  Port 1
Match exec \"true\"
  ProxyJump never
Match all
  StrictHostKeyChecking accept-new
";

    fn read(host: &str) -> Asked {
        let mut asked = Asked::default();
        apply(TEXT, host, &mut asked, &|_, _| Ok(())).unwrap();
        asked
    }

    #[test]
    fn blocks_hold_for_their_hosts_and_the_first_value_counts() {
        let web = read("web1");
        assert_eq!(web.user.as_deref(), Some("everyone"));
        assert_eq!(web.host_name.as_deref(), Some("%h.example.org"));
        assert_eq!(web.port, Some(2222));
        assert_eq!(web.identity_files, ["~/.ssh/web key"]);
        assert_eq!(web.proxy_jump.as_deref(), Some("bastion"));
        assert_eq!(web.strict, Some(super::super::hostkeys::Strict::AcceptNew));
        let other = read("web9");
        assert_eq!((other.port, other.proxy_jump), (None, None));
    }

    #[test]
    fn patterns_match_as_in_ssh() {
        for (pattern, host, want) in [
            ("*", "a", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.org", "x.example.org", true),
            ("192.168.*.1", "192.168.7.1", true),
            ("HOST", "host", true),
        ] {
            assert_eq!(matches_any(&[pattern], host), want, "{pattern} {host}");
        }
    }
}
