//! Which version of a runtime a program is.

use super::Runtime;
use crate::error::Result;
use crate::host::{Command, HostView};
use std::path::Path;
use std::time::Duration;

/// A program that says its version does it at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version of a runtime whose program (or Python interpreter) is `program`; nothing where it cannot
/// be told. Python's packages are looked up and not run: importing one of them takes half a minute.
///
/// # Errors
/// When the host cannot be read.
pub fn of(host: &dyn HostView, runtime: Runtime, program: &str) -> Result<Option<String>> {
    match runtime {
        Runtime::Ollama | Runtime::LlamaCpp => said(host, program),
        Runtime::Vllm => package(host, program, "vllm"),
        Runtime::Sglang => package(host, program, "sglang"),
        Runtime::Tgi | Runtime::OpenAi => Ok(None),
    }
}

/// `ollama version is 0.13.0`, `version: 7123 (4dca015b)`.
fn said(host: &dyn HostView, program: &str) -> Result<Option<String>> {
    let mut command = Command::new([program, "--version"]);
    command.timeout = Some(PATIENCE);
    // A program that has no such flag says nothing of a version.
    let Ok(output) = host.query(&command) else {
        return Ok(None);
    };
    let text = format!("{}\n{}", output.out(), output.err());
    let line = text.lines().rev().find(|l| l.contains("version"));
    let number = |w: &&str| w.starts_with(|c: char| c.is_ascii_digit());
    let word = line.and_then(|l| l.split_whitespace().find(number));
    Ok(word.map(|w| w.trim_end_matches([',', ';']).to_owned()))
}

/// The folder `NAME-VERSION.dist-info` beside the interpreter.
fn package(host: &dyn HostView, program: &str, name: &str) -> Result<Option<String>> {
    let program = Path::new(program);
    let folders = [program.to_path_buf(), host.canonical(program)?];
    for root in folders.iter().filter_map(|p| p.parent()?.parent()) {
        let lib = root.join("lib");
        for python in host.list(&lib)?.unwrap_or_default() {
            for packages in ["site-packages", "dist-packages"] {
                let dir = lib.join(&python).join(packages);
                let names = host.list(&dir)?.unwrap_or_default();
                let versions = names.iter().filter_map(|n| n.strip_suffix(".dist-info"));
                let ours = versions
                    .filter_map(|n| n.rsplit_once('-'))
                    .find(|(n, _)| *n == name);
                if let Some((_, version)) = ours {
                    return Ok(Some(version.to_owned()));
                }
            }
        }
    }
    Ok(None)
}

/// Whether two spellings are one version: `v0.13.0` is `0.13.0`, and a build's mark after `+` is no part.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().trim_start_matches('v');
        text.split('+').next().unwrap_or_default().to_owned()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeHost;

    #[test]
    fn versions_are_read_without_importing_anything() {
        let site = "/opt/vllm/lib/python3.12/site-packages";
        let host = FakeHost::new()
            .with_program("/opt/vllm/bin/vllm")
            .with_dir(format!("{site}/vllm-0.11.0+cu128.dist-info"))
            .with_dir(format!("{site}/vllm"))
            .answering_with(&["/opt/llama-server", "--version"], 0, "", "version: 7123 (4dca015b)\nbuilt with gcc\n")
            .answering(&["/usr/bin/ollama", "--version"], "Warning: could not connect to a running Ollama instance\nWarning: client version is 0.13.0\n");
        let is = |runtime, program| of(&host, runtime, program).unwrap();
        assert_eq!(
            is(Runtime::Vllm, "/opt/vllm/bin/vllm").as_deref(),
            Some("0.11.0+cu128")
        );
        assert_eq!(is(Runtime::Sglang, "/opt/vllm/bin/python3"), None);
        assert_eq!(
            is(Runtime::LlamaCpp, "/opt/llama-server").as_deref(),
            Some("7123")
        );
        assert_eq!(
            is(Runtime::Ollama, "/usr/bin/ollama").as_deref(),
            Some("0.13.0")
        );
        assert!(same("v0.11.0", "0.11.0+cu128") && !same("0.11.0", "0.11.1"));
    }
}
