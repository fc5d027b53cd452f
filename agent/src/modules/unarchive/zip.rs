//! Zip archives, by `unzip`.

use super::{Handler, Unarchive};
use crate::error::{Error, Result};
use crate::host::{Command, HostView};
use crate::module::attrs::shown;
use crate::module::command::complaint;
use crate::pattern::wildcard;
use flate2::Crc;
use std::path::{Path, PathBuf};

pub(super) struct Zip<'a> {
    asked: &'a Unarchive,
    archive: PathBuf,
    dest: PathBuf,
}

/// An entry of the archive.
struct Entry {
    name: String,
    size: u64,
    crc: u32,
}

impl<'a> Zip<'a> {
    pub fn new(
        host: &dyn HostView,
        asked: &'a Unarchive,
        archive: PathBuf,
        dest: &Path,
    ) -> Result<Self> {
        if host.which("unzip")?.is_none() {
            return Err(Error::host(
                "Unable to find required 'unzip' or 'zipinfo' binary in the path.",
            )
            .hint("install the package unzip"));
        }
        Ok(Self {
            asked,
            archive,
            dest: dest.to_owned(),
        })
    }

    fn entries(&self, host: &dyn HostView) -> Result<Vec<Entry>> {
        let archive = shown(&self.archive);
        let command = Command::new(["unzip", "-v", &archive]).env("LC_ALL", "C.UTF-8");
        let output = host.query(&command)?;
        if !output.success() {
            return Err(Error::host(format!(
                "Failed to find handler for \"{}\": unzip cannot list it: {}",
                self.asked.src.0,
                complaint(&output)
            )));
        }
        let entries = output.out();
        let entries = entries.lines().filter_map(entry);
        Ok(entries.filter(|e| self.is_wanted(&e.name)).collect())
    }

    fn is_wanted(&self, name: &str) -> bool {
        let among = |patterns: &[String]| patterns.iter().any(|p| wildcard(p, name));
        let (include, exclude) = (&self.asked.include, &self.asked.exclude);
        !among(exclude) && (include.is_empty() || among(include))
    }
}

/// Reads a line of `unzip -v`: length, method, size, ratio, date, time, CRC-32, name.
fn entry(line: &str) -> Option<Entry> {
    let mut rest = line.trim_start();
    let mut words = Vec::new();
    for _ in 0..7 {
        let (word, behind) = rest.split_once(char::is_whitespace)?;
        words.push(word);
        rest = behind.trim_start();
    }
    if !words[3].ends_with('%') || words[6].len() != 8 {
        return None;
    }
    Some(Entry {
        name: rest.to_owned(),
        size: words[0].parse().ok()?,
        crc: u32::from_str_radix(words[6], 16).ok()?,
    })
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

impl Handler for Zip<'_> {
    fn name(&self) -> &'static str {
        "ZipArchive"
    }

    fn names(&self, host: &dyn HostView) -> Result<Vec<String>> {
        Ok(self.entries(host)?.into_iter().map(|e| e.name).collect())
    }

    fn difference(&self, host: &dyn HostView) -> Result<String> {
        let mut out = String::new();
        for entry in self.entries(host)? {
            let path = self.dest.join(&entry.name);
            let same = match host.stat(&path)? {
                Some(stat) if entry.name.ends_with('/') => stat.is_dir(),
                Some(stat) if stat.is_file() && stat.size == entry.size => {
                    host.read(&path)?.is_some_and(|b| crc(&b) == entry.crc)
                }
                _ => false,
            };
            if !same {
                out += &format!("{}\n", entry.name);
            }
        }
        Ok(out)
    }

    fn unpack(&self) -> Command {
        let asked = self.asked;
        let mut argv = vec!["unzip".to_owned(), "-o".into()];
        argv.extend(asked.keep_newer.then(|| "-u".into()));
        argv.extend(asked.extra_opts.iter().cloned());
        argv.push(shown(&self.archive));
        argv.extend(asked.include.iter().cloned());
        if !asked.exclude.is_empty() {
            argv.push("-x".into());
            argv.extend(asked.exclude.iter().cloned());
        }
        argv.extend(["-d".into(), shown(&self.dest)]);
        Command::new(argv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_unzip_are_entries() {
        let line = "      12  Defl:N       14 -17% 2024-01-02 03:04 af083b2d  a dir/b c.txt";
        let found = entry(line).expect("an entry");
        assert_eq!((found.name.as_str(), found.size), ("a dir/b c.txt", 12));
        assert_eq!(found.crc, 0xaf08_3b2d);
        assert_eq!(crc(b"hello world\n"), 0xaf08_3b2d);
        for other in [
            "Archive:  x.zip",
            " Length   Method    Size  Cmpr    Date    Time   CRC-32   Name",
            "--------  ------  ------- ---- ---------- ----- --------  ----",
            "      12               14 -17%                            1 file",
        ] {
            assert!(entry(other).is_none(), "{other}");
        }
    }
}
