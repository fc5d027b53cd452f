//! `lks.llm.gpu`.

mod packages;
mod settings;
mod toolkit;

use crate::choices;
use crate::error::Result;
use crate::host::Outcome;
use crate::module::llm::nvidia::Nvidia;
use crate::module::{Module, Plan, PlanCx, Returns, apt};
use crate::params;

choices! {
    /// Whether a GPU is divided.
    pub enum Mig { Enabled = "enabled", Disabled = "disabled" }
}

choices! {
    /// Whether the fabric manager is wanted.
    pub enum Fabric { Auto = "auto", Present = "present", Absent = "absent" }
}

params! {
    /// Brings NVIDIA's GPUs into the state that runtimes need: driver, fabric manager, container toolkit,
    /// persistence, power limit, MIG, and a hold on the packages.
    ///
    /// A host without an NVIDIA GPU is left alone, without complaint: one playbook is for all hosts.
    ///
    /// - The driver is a package of the distribution (`driver: 570-server` is `nvidia-driver-570-server`).
    ///   Where GPUs are joined by NVSwitches, the fabric manager of *exactly* the driver's version comes
    ///   with it: another one refuses to start, and without one no GPU can be used.
    /// - What unattended upgrades do to a loaded driver is the classic silent break: its packages are held,
    ///   and kept out of unattended upgrades.
    /// - Power limit, persistence and MIG are set now, and by a unit (`lks-gpu.service`) at every boot.
    /// - The result says whether a reboot or a reset is needed: nothing is rebooted here.
    ///
    /// ```yaml
    /// - name: GPUs for containers
    ///   lks.llm.gpu:
    ///     driver: 570-server
    ///     container_toolkit: true
    ///     persistence: true
    ///   register: gpu
    ///
    /// - name: Less heat
    ///   lks.llm.gpu:
    ///     power_limit: 300
    ///
    /// - name: Divide them
    ///   lks.llm.gpu:
    ///     mig: enabled
    /// ```
    pub struct Gpu {
        /// The driver's packages, by branch and flavour (`570-server`, `570-server-open`, `580`); left as it
        /// is if not given.
        optional driver: Option<String>,
        /// The fabric manager: `auto` where the host has NVSwitches.
        default(Fabric::Auto) fabric_manager: Fabric,
        /// Whether containers can have GPUs: the package `nvidia-container-toolkit` (its archive must be
        /// known to apt, see `playbooks/gpu_base.yml`), and docker's `daemon.json`.
        default(false) container_toolkit: bool,
        /// Whether docker gives GPUs by CDI, so that containers keep them when systemd reads its units anew.
        default(false) cdi: bool,
        /// Whether the driver stays loaded when nobody uses it; left as it is if not given.
        optional persistence: Option<bool>,
        /// Watts that each GPU may take; left as it is if not given.
        optional power_limit: Option<u64>,
        /// Whether GPUs are divided (MIG); left as it is if not given.
        optional mig: Option<Mig>,
        /// Hold the driver's packages, and keep them out of unattended upgrades.
        default(true) hold: bool,
        /// Seconds to wait for apt's lock.
        default(300) lock_timeout: u64,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("present", "Whether the host has an NVIDIA GPU."),
    ("count", "How many GPUs the driver knows."),
    ("driver_version", "Version of the driver's libraries."),
    ("module_version", "Version of the loaded kernel module."),
    ("cuda_version", "The newest CUDA that the driver takes."),
    ("nvswitches", "How many NVSwitches there are."),
    ("held", "Packages that are held."),
    (
        "reboot_required",
        "Whether the loaded driver is not the installed one.",
    ),
    (
        "reset_required",
        "Whether a GPU waits for a reset (MIG, remapped rows).",
    ),
];

/// What the stages do, in order.
const DRIVER: usize = 0;
const FABRIC: usize = 1;
const TOOLKIT: usize = 2;
const HOLD: usize = 3;
const SETTINGS: usize = 4;

impl Module for Gpu {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        if let Some(output) = apt::failed(cx.outcomes) {
            plan.returns.fail(crate::module::command::complaint(output));
            return Ok(plan);
        }
        // The driver's own word is only asked where it matters: at the end, and for settings.
        let nvidia = match cx.stage {
            DRIVER..=HOLD => Nvidia::cards(cx.host),
            _ => Nvidia::look(cx.host),
        };
        // A driver that answers knows of cards that the bus does not show.
        let there = nvidia.is_there()
            || cx.stage == DRIVER && Nvidia::look(cx.host).is_there()
            || cx.stage > DRIVER;
        plan.returns.set("present", there);
        if !there {
            plan.returns.set("count", 0);
            return Ok(plan);
        }
        match cx.stage {
            DRIVER => packages::driver(self, cx.host, &mut plan)?,
            FABRIC => packages::fabric(self, cx.host, &mut plan, nvidia.switches)?,
            TOOLKIT => toolkit::plan(self, cx.host, &mut plan)?,
            HOLD => packages::hold(self, cx.host, &mut plan)?,
            _ => {
                settings::plan(self, cx.host, &mut plan, &nvidia)?;
                self.tell(&mut plan.returns, &nvidia);
                if self.hold && cx.host.which("apt-mark")?.is_some() {
                    plan.returns.set("held", packages::installed(cx.host)?);
                }
            }
        }
        plan.more = cx.stage < SETTINGS;
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(output) = apt::failed(outcomes).filter(|_| !returns.failed) {
            returns.fail(crate::module::command::complaint(output));
        }
        Ok(())
    }
}

impl Gpu {
    fn tell(&self, returns: &mut Returns, nvidia: &Nvidia) {
        let gpus = nvidia.gpus();
        let yes = |path: &[&str]| gpus.iter().any(|g| g.text(path).as_deref() == Some("Yes"));
        let mig = |name: &str| {
            gpus.iter()
                .map(|g| g.text(&["mig_mode", name]))
                .collect::<Vec<_>>()
        };
        let reset = yes(&["remapped_rows", "remapped_row_pending"])
            || mig("current_mig") != mig("pending_mig");
        let stale = match (&nvidia.module, nvidia.driver()) {
            (Some(module), Some(driver)) => *module != driver,
            // Libraries that are newer than the module answer nothing at all.
            (Some(_), None) => nvidia
                .problem
                .as_ref()
                .is_some_and(|p| p.contains("mismatch")),
            (None, _) => true,
        };
        returns
            .set("count", gpus.len())
            .set("nvswitches", nvidia.switches)
            .set("reboot_required", stale)
            .set("reset_required", reset);
        for (name, value) in [
            ("driver_version", nvidia.driver()),
            ("module_version", nvidia.module.clone()),
            ("cuda_version", nvidia.cuda()),
        ] {
            if let Some(text) = value {
                returns.set(name, text);
            }
        }
        if let Some(problem) = &nvidia.problem {
            returns.warnings.push(problem.clone());
        }
        if stale {
            let why = "the loaded driver is not the installed one: reboot before anything is started on the GPUs";
            returns.warnings.push(why.into());
        }
        if reset {
            let why =
                "a GPU waits for a reset: drain the host, then `nvidia-smi --gpu-reset` or reboot";
            returns.warnings.push(why.into());
        }
    }
}
