//! How much memory a model wants, and how much there is.

use super::finding::Finding;
use super::nvidia::Nvidia;
use crate::error::Result;
use crate::host::HostView;
use std::path::{Path, PathBuf};

/// Name of the check.
pub const CHECK: &str = "memory";
const GIB: f64 = (1_u64 << 30) as f64;
/// Endings of files of weights.
const WEIGHTS: &[&str] = &[".safetensors", ".gguf", ".bin", ".pt", ".pth"];

/// Bytes of a model on disk: a file (all parts of a split GGUF), or the weights in a folder.
/// Nothing where it is no path of this host, or there is nothing.
///
/// # Errors
/// When the host cannot be read.
pub fn size(host: &dyn HostView, model: &str) -> Result<Option<u64>> {
    let path = Path::new(model);
    if !path.is_absolute() {
        return Ok(None);
    }
    match host.stat(path)? {
        None => Ok(None),
        Some(stat) if stat.is_dir() => {
            let sizes = in_folder(host, path)?;
            Ok((!sizes.is_empty()).then(|| sizes.iter().sum()))
        }
        Some(stat) => match split(path) {
            None => Ok(Some(stat.size)),
            Some((folder, stem)) => {
                let names = host.list(&folder)?.unwrap_or_default();
                let mut sum = 0;
                for name in names.iter().filter(|n| n.starts_with(&stem)) {
                    sum += host.stat(&folder.join(name))?.map_or(0, |s| s.size);
                }
                Ok(Some(sum))
            }
        },
    }
}

/// Safetensors if there are some: a folder that also has the same weights in older forms loads those.
fn in_folder(host: &dyn HostView, folder: &Path) -> Result<Vec<u64>> {
    let names = host.list(folder)?.unwrap_or_default();
    for ending in WEIGHTS {
        let mut sizes = Vec::new();
        for name in names.iter().filter(|n| n.ends_with(ending)) {
            sizes.extend(host.stat(&folder.join(name))?.map(|s| s.size));
        }
        if !sizes.is_empty() {
            return Ok(sizes);
        }
    }
    Ok(Vec::new())
}

/// Folder and beginning of the names of a split file: `m-00001-of-00003.gguf`.
fn split(path: &Path) -> Option<(PathBuf, String)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (head, count) = name.rsplit_once("-of-")?;
    let (stem, number) = head.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    (digits(count) && digits(number))
        .then(|| (path.parent().unwrap_or(path).into(), format!("{stem}-")))
}

/// The host's memory in bytes: all of it, and what can be had without swapping.
///
/// # Errors
/// When the host cannot be read.
pub fn memory(host: &dyn HostView) -> Result<Option<(u64, u64)>> {
    let text = host.read(Path::new("/proc/meminfo"))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    };
    Ok(kib("MemTotal").map(|total| {
        let available = kib("MemAvailable").unwrap_or(total);
        (total << 10, available << 10)
    }))
}

/// Whether weights of this many bytes fit.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// What is loaded, for messages.
    pub model: &'a str,
    /// Bytes of its weights.
    pub bytes: u64,
    /// The share of the GPUs' memory that the runtime takes.
    pub share: f64,
}

impl Need<'_> {
    /// In the memory of these GPUs (their MiB).
    #[must_use]
    pub fn in_gpus(&self, mib: &[f64]) -> Finding {
        let room = mib.iter().sum::<f64>() * 1024.0 * 1024.0 * self.share;
        let what = format!(
            "`{}` has {:.1} GiB of weights, and {} GPU{} of this host give{} {:.1} GiB",
            self.model,
            self.bytes as f64 / GIB,
            mib.len(),
            if mib.len() == 1 { "" } else { "s" },
            if mib.len() == 1 { "s" } else { "" },
            room / GIB
        );
        let bytes = self.bytes as f64;
        if bytes > room {
            let advice =
                "take a quantised or smaller model, more GPUs, or a larger share of their memory";
            Finding::fail(CHECK, what, advice)
        } else if bytes > room * 0.85 {
            let advice =
                "little is left for the context's cache: take a shorter context or a smaller model";
            Finding::warn(CHECK, what, advice)
        } else {
            Finding::ok(CHECK, what)
        }
    }

    /// In the host's memory (all of it, and what is available, in bytes).
    #[must_use]
    pub fn in_memory(&self, (total, available): (u64, u64)) -> Finding {
        let what = |of: u64, word: &str| {
            format!(
                "`{}` has {:.1} GiB of weights, and this host {:.1} GiB of memory{word}",
                self.model,
                self.bytes as f64 / GIB,
                of as f64 / GIB
            )
        };
        if self.bytes > total {
            let advice = "take a quantised or smaller model, or a host with more memory";
            Finding::fail(CHECK, what(total, ""), advice)
        } else if self.bytes > available {
            let advice = "other programs have the rest: it will load slowly, or end them";
            Finding::warn(CHECK, what(available, " available"), advice)
        } else {
            Finding::ok(CHECK, what(available, " available"))
        }
    }
}

/// MiB of the GPUs that are used: `all`, or some by their numbers.
#[must_use]
pub fn gpu_memory(nvidia: &Nvidia, chosen: &str) -> Vec<f64> {
    let all = nvidia.gpus();
    let is_used = |at: usize| {
        chosen == "all"
            || chosen
                .split(',')
                .any(|number| number.trim().parse() == Ok(at))
    };
    let used = all.iter().enumerate().filter(|(at, _)| is_used(*at));
    used.filter_map(|(_, gpu)| gpu.number(&["fb_memory_usage", "total"]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::host::FakeHost;

    #[test]
    fn sizes_are_those_of_what_would_be_loaded() {
        let host = FakeHost::new()
            .with_file("/m/one.gguf", "1234")
            .with_file("/m/two-00001-of-00002.gguf", "12")
            .with_file("/m/two-00002-of-00002.gguf", "345")
            .with_file("/hf/model-00001.safetensors", "12345")
            .with_file("/hf/model-00002.safetensors", "1")
            .with_file("/hf/pytorch_model.bin", "123456")
            .with_file("/hf/config.json", "{}");
        let of = |model: &str| size(&host, model).unwrap();
        assert_eq!(of("/m/one.gguf"), Some(4));
        assert_eq!(of("/m/two-00001-of-00002.gguf"), Some(5));
        assert_eq!(of("/hf"), Some(6));
        assert_eq!(of("org/model"), None);
        assert_eq!(of("/none"), None);
    }

    #[test]
    fn what_does_not_fit_is_told_with_figures() {
        let need = Need {
            model: "/m",
            bytes: 16 << 30,
            share: 0.9,
        };
        let found = need.in_gpus(&[15360.0]);
        assert_eq!(found.level, Level::Fail);
        assert_eq!(
            found.message,
            "`/m` has 16.0 GiB of weights, and 1 GPU of this host gives 13.5 GiB"
        );
        assert_eq!(need.in_gpus(&[10240.0, 10240.0]).level, Level::Warn);
        assert_eq!(need.in_gpus(&[81559.0]).level, Level::Ok);
        assert_eq!(need.in_memory((8 << 30, 4 << 30)).level, Level::Fail);
        assert_eq!(need.in_memory((32 << 30, 4 << 30)).level, Level::Warn);
        assert_eq!(need.in_memory((32 << 30, 20 << 30)).level, Level::Ok);
    }
}
