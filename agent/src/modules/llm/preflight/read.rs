//! How fast a share reads: a short read of one file, bounded in bytes and seconds.

use super::Preflight;
use crate::error::Result;
use crate::host::{Command, HostView, MountEntry};
use crate::module::llm::finding::Finding;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// Folders that are looked into for a file, and entries that are looked at in each.
const FOLDERS: usize = 24;
const ENTRIES: usize = 200;

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    pub file: PathBuf,
    pub mib_s: f64,
}

/// Reads; nothing where there is no file that is large enough to tell.
pub fn measure(host: &dyn HostView, ask: &Preflight, share: &Path) -> Result<Option<Measured>> {
    let given = ask.read_file.as_ref().map(|f| f.expand(host)).transpose()?;
    let Some((file, size)) = (match given {
        Some(file) => host.stat(&file)?.map(|s| (file, s.size)),
        None => largest(host, share)?,
    }) else {
        return Ok(None);
    };
    let count = ask.read_mib.min(size / MIB);
    if count == 0 {
        return Ok(None);
    }
    // The file's end: a model that is served has its beginning in memory, where reading measures nothing.
    // What is there of the end is let go first.
    let skip = size / MIB - count;
    let input = format!("if={}", file.display());
    let (skip, count) = (format!("skip={skip}"), format!("count={count}"));
    let dd = |more: &[&str]| {
        let words = [&["dd", &input, "of=/dev/null", "bs=1M", &skip], more].concat();
        let mut command = Command::new(words).env("LC_ALL", "C");
        command.timeout = Some(Duration::from_secs(ask.read_seconds));
        command
    };
    host.query(&dd(&["count=0", "iflag=nocache"]))?;
    let output = host.query(&dd(&[&count, "iflag=fullblock"]))?;
    if output.timed_out {
        // How far it came is not known: less than all of it.
        let mib_s = count_of(&count) / ask.read_seconds.max(1) as f64;
        return Ok(Some(Measured { file, mib_s }));
    }
    Ok(rate(&output.err()).map(|(mib, seconds)| Measured {
        file,
        mib_s: mib / seconds.max(1e-6),
    }))
}

fn count_of(word: &str) -> f64 {
    word.trim_start_matches("count=").parse().unwrap_or(0.0)
}

/// `67108864 bytes (67 MB, 64 MiB) copied, 0.5 s, 134 MB/s`: MiB and seconds.
fn rate(said: &str) -> Option<(f64, f64)> {
    let line = said.lines().find(|l| l.contains(" copied, "))?;
    let bytes: f64 = line.split(' ').next()?.parse().ok()?;
    let after = line.split(" copied, ").nth(1)?;
    let seconds: f64 = after.split(' ').next()?.parse().ok()?;
    Some((bytes / MIB as f64, seconds))
}

/// The largest file of the first folders, breadth first.
fn largest(host: &dyn HostView, share: &Path) -> Result<Option<(PathBuf, u64)>> {
    let mut folders = vec![share.to_path_buf()];
    let mut best: Option<(PathBuf, u64)> = None;
    let mut at = 0;
    while at < folders.len().min(FOLDERS) {
        let folder = folders[at].clone();
        at += 1;
        for name in host
            .list(&folder)?
            .unwrap_or_default()
            .into_iter()
            .take(ENTRIES)
        {
            let path = folder.join(name);
            match host.lstat(&path)? {
                Some(stat) if stat.is_dir() => folders.push(path),
                Some(stat)
                    if stat.is_file()
                        && best.as_ref().is_none_or(|(_, size)| *size < stat.size) =>
                {
                    best = Some((path, stat.size));
                }
                _ => {}
            }
        }
    }
    Ok(best)
}

/// What the figure means.
pub fn finding(measured: &Measured, wanted: Option<f64>, mount: &MountEntry) -> Finding {
    let what = format!(
        "`{}` reads {:.1} MiB/s ({})",
        mount.target,
        measured.mib_s,
        measured.file.display()
    );
    let advice = "raise its read-ahead (lks.llm.efs_mount: 128 KiB over 60 ms is 2 MiB/s), look at the file \
                  system's burst credits, or stage models on a local disk";
    match wanted {
        Some(wanted) if measured.mib_s < wanted => {
            let what = format!("{what}, and {wanted:.1} are wanted");
            Finding::fail("read", what, advice)
        }
        Some(wanted) if measured.mib_s < wanted * 1.5 => Finding::warn("read", what, advice),
        None if measured.mib_s < 10.0 => Finding::warn("read", what, advice),
        _ => Finding::ok("read", what),
    }
}
