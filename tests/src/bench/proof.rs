//! Effects: what must be there after a run.
//!
//! Each proof gives in a few words what it found, for the table, or says what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lks_tests::rig::{Attempt, Result, ensure};

/// What a run left behind.
pub struct Left<'a> {
    /// The folder of effects.
    pub out: &'a Path,
    /// How often the watched program was opened.
    pub opened: usize,
}

/// A shape's proof.
pub type Proof = fn(&Left) -> Result<String>;

/// A play without tasks has no effects: that it ended well is all there is.
pub fn ended_well(_: &Left) -> Result<String> {
    Ok("ended well".into())
}

/// The watched program was executed `N` times; another's use of it in the same moment is not told apart.
pub fn executed<const N: usize>(left: &Left) -> Result<String> {
    ensure(
        left.opened >= N,
        format_args!("{N} executions were asked for, {} happened", left.opened),
    )?;
    Ok(format!("executions counted: {N}"))
}

/// Each of 100 commands appended its line.
pub fn appended(left: &Left) -> Result<String> {
    let text = read(left, "lines")?;
    let lines = text.lines().filter(|&line| line == "x").count();
    ensure(
        lines == 100 && text.len() == 200,
        format_args!("100 lines were to be appended, there are {lines}"),
    )?;
    Ok("100 lines appended".into())
}

/// Each of 100 files has its content.
pub fn copied(left: &Left) -> Result<String> {
    each(left, "file", 100, |number| format!("file {number}\n"))
}

/// Each of 20 pages is its template, filled in.
pub fn rendered(left: &Left) -> Result<String> {
    each(left, "page", 20, |number| {
        format!("# page {number}\nwords: alpha-1 beta-2 end\n")
    })
}

/// The playbook saw this machine's facts.
pub fn gathered(left: &Left) -> Result<String> {
    let kernel = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    let (host, release) = (kernel("hostname")?, kernel("osrelease")?);
    let host = host.trim().split('.').next().unwrap_or_default();
    same(left, "facts", &format!("{host} {} True\n", release.trim()))?;
    Ok("facts are this machine's".into())
}

/// The last task saw the facts that a thousand others had set.
pub fn remembered(left: &Left) -> Result<String> {
    same(left, "facts", "value 1, value 500, value 1000\n")?;
    Ok("1,000 facts set".into())
}

/// The included task ran a thousand times, each after the one before.
pub fn included(left: &Left) -> Result<String> {
    same(left, "count", "included 1000 times\n")?;
    Ok("1,000 inclusions counted".into())
}

/// Each of `HOSTS` hosts did its 10 tasks.
pub fn touched<const HOSTS: usize>(left: &Left) -> Result<String> {
    let names = fs::read_dir(left.out)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<std::collections::BTreeSet<_>>>()?;
    for host in 1..=HOSTS {
        for task in 1..=10 {
            let name = format!("host{host}-{task}");
            ensure(
                names.contains(name.as_ref() as &std::ffi::OsStr),
                format_args!("{name} is missing, of {} that are there", names.len()),
            )?;
        }
    }
    Ok(format!("{} files touched", HOSTS * 10))
}

fn each(left: &Left, stem: &str, count: usize, text: impl Fn(usize) -> String) -> Result<String> {
    for number in 1..=count {
        same(left, &format!("{stem}-{number}"), &text(number))?;
    }
    Ok(format!("{count} files have their content"))
}

fn same(left: &Left, name: &str, wanted: &str) -> Result<()> {
    let found = read(left, name)?;
    ensure(
        found == wanted,
        format_args!("{name} holds {found:?} and not {wanted:?}"),
    )
}

fn read(left: &Left, name: &str) -> Result<String> {
    fs::read_to_string(left.out.join(name)).attempt(format_args!("no effect: {name}"))
}

/// Which file each name is, and when it was last written: the same again means that nobody wrote.
pub fn state(out: &Path) -> Result<BTreeMap<String, (u64, i64, i64)>> {
    let mut state = BTreeMap::new();
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        let data = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        state.insert(name, (data.ino(), data.mtime(), data.mtime_nsec()));
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, text: &str, proof: Proof) -> Result<String> {
        let out = std::env::temp_dir().join(format!("lks-proof-{}-{name}", std::process::id()));
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join(name), text).unwrap();
        let result = proof(&Left {
            out: &out,
            opened: 0,
        });
        fs::remove_dir_all(&out).unwrap();
        result
    }

    #[test]
    fn skipped_work_is_no_work() {
        let left = |opened| Left {
            out: Path::new("/"),
            opened,
        };
        assert!(executed::<100>(&left(100)).is_ok());
        assert!(executed::<100>(&left(99)).is_err());
        assert!(with("lines", &"x\n".repeat(100), appended).is_ok());
        assert!(with("lines", &"x\n".repeat(99), appended).is_err());
        assert!(with("count", "included 999 times\n", included).is_err());
        assert!(with("file-1", "file 1\n", copied).is_err());
    }
}
