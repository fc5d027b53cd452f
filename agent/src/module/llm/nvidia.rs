//! NVIDIA's GPUs as a host without NVML sees them: the cards on the PCI bus, what the kernel module says
//! of itself, and what `nvidia-smi -q -x` says (its DTD is named in its own second line).

use super::finding::Finding;
use super::xml::{each, inner, said};
use crate::host::{Command, HostView};
use std::path::Path;
use std::time::Duration;

/// Name of the check.
pub const CHECK: &str = "driver";
/// A driver that hangs must not hang us: `nvidia-smi` takes some seconds on large machines.
const PATIENCE: Duration = Duration::from_secs(30);
/// NVIDIA's number on the PCI bus.
const VENDOR: &str = "0x10de";

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Nvidia {
    /// Addresses of graphics and compute cards.
    pub pci: Vec<String>,
    /// Whether GPUs are joined by NVSwitches, which need the fabric manager.
    pub switches: usize,
    /// Version of the loaded kernel module.
    pub module: Option<String>,
    /// Why nothing is known of cards that are there.
    pub problem: Option<String>,
    xml: String,
}

/// One GPU.
#[derive(Clone, Copy, Debug)]
pub struct Gpu<'x>(&'x str);

impl Gpu<'_> {
    /// A value by the elements that lead to it; nothing if there is none, or it is not known.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<String> {
        let found = path.iter().try_fold(self.0, |xml, name| inner(xml, name));
        found.and_then(said)
    }

    /// The number that a value begins with.
    #[must_use]
    pub fn number(&self, path: &[&str]) -> Option<f64> {
        self.text(path).and_then(|text| super::xml::number(&text))
    }

    /// Its power limit in watts. (The element was renamed with driver 530.)
    #[must_use]
    pub fn power_limit(&self) -> Option<f64> {
        let places = ["gpu_power_readings", "power_readings"];
        let names = ["current_power_limit", "power_limit"];
        names
            .iter()
            .flat_map(|name| places.iter().map(move |place| [*place, *name]))
            .find_map(|path| self.number(&path))
    }

    /// The document's part, for what has no method.
    #[must_use]
    pub fn xml(&self) -> &str {
        self.0
    }
}

impl Nvidia {
    /// Looks at a host. What cannot be read counts as not there.
    pub fn look(host: &dyn HostView) -> Self {
        let mut out = Self::cards(host);
        out.module = read(host, "/proc/driver/nvidia/version").and_then(|t| module_version(&t));
        if matches!(host.which("nvidia-smi"), Ok(Some(_))) {
            out.ask(host);
        } else if !out.pci.is_empty() {
            let why = "there is a GPU, and no nvidia-smi: its driver is not installed";
            out.problem = Some(why.into());
        }
        out
    }

    /// Only the cards on the bus, which no driver is asked for.
    pub fn cards(host: &dyn HostView) -> Self {
        let mut out = Self::default();
        let devices = "/sys/bus/pci/devices";
        for name in host
            .list(Path::new(devices))
            .ok()
            .flatten()
            .unwrap_or_default()
        {
            let word = |file: &str| read(host, &format!("{devices}/{name}/{file}"));
            if word("vendor").as_deref().map(str::trim) != Some(VENDOR) {
                continue;
            }
            let class = word("class").unwrap_or_default();
            // Class 03 is a display or compute card; an NVSwitch is a bridge of another kind (0680).
            if class.starts_with("0x03") {
                out.pci.push(name);
            } else if class.starts_with("0x0680") {
                out.switches += 1;
            }
        }
        out
    }

    fn ask(&mut self, host: &dyn HostView) {
        let mut command = Command::new(["nvidia-smi", "-q", "-x"]);
        command.timeout = Some(PATIENCE);
        match host.query(&command) {
            Ok(output) if output.success() => self.xml = output.out(),
            Ok(output) if output.timed_out => {
                self.problem = Some("nvidia-smi does not answer".into());
            }
            Ok(output) => {
                self.problem = Some(problem(&format!("{}{}", output.out(), output.err())));
            }
            Err(error) => self.problem = Some(error.message()),
        }
    }

    /// Whether the host has a card, whatever its driver does.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !self.pci.is_empty() || !self.gpus().is_empty()
    }

    /// The GPUs that the driver knows.
    #[must_use]
    pub fn gpus(&self) -> Vec<Gpu<'_>> {
        each(&self.xml, "gpu").into_iter().map(Gpu).collect()
    }

    /// Version of the driver's libraries.
    #[must_use]
    pub fn driver(&self) -> Option<String> {
        inner(&self.xml, "driver_version").and_then(said)
    }

    /// The newest CUDA that the driver takes.
    #[must_use]
    pub fn cuda(&self) -> Option<String> {
        inner(&self.xml, "cuda_version").and_then(said)
    }

    /// Whether the driver answers, and its two halves are of one version.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if let Some(problem) = &self.problem {
            let advice = match problem.contains("not installed") {
                true => "install it with lks.llm.gpu",
                false => "mend the driver before anything is started on its GPUs",
            };
            return Some(Finding::fail(CHECK, problem.clone(), advice));
        }
        let driver = self.driver()?;
        match &self.module {
            Some(module) if *module != driver => Some(Finding::fail(
                CHECK,
                format!(
                    "the loaded kernel module is {module}, and the driver's libraries are {driver}"
                ),
                "reboot to load the new module, and hold the driver's packages (lks.llm.gpu)",
            )),
            _ => Some(Finding::ok(
                CHECK,
                format!("driver {driver} with {} GPU(s)", self.gpus().len()),
            )),
        }
    }
}

fn read(host: &dyn HostView, path: &str) -> Option<String> {
    let bytes = host.read(Path::new(path)).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What `nvidia-smi` complains of, and what helps where that is known.
fn problem(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.contains("Driver/library version mismatch") {
        true => format!(
            "{line}; the driver's libraries were upgraded under a loaded module: reboot, and hold its packages"
        ),
        false => line,
    }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.172.08  Tue Jul …`.
fn module_version(text: &str) -> Option<String> {
    let line = text.lines().find(|l| l.starts_with("NVRM version:"))?;
    let number = |w: &&str| w.contains('.') && w.starts_with(|c: char| c.is_ascii_digit());
    line.split_whitespace().find(number).map(str::to_owned)
}
