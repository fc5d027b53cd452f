//! Persistence, power limit and MIG: set now, and by a unit at every boot.

use super::packages::file;
use super::{Gpu, Mig};
use crate::error::{Error, Result};
use crate::host::{Command, Consequence, HostView, UnitScope};
use crate::module::llm::nvidia::Nvidia;
use crate::module::{Diff, Plan};
use crate::value::Value;
use std::path::Path;

const NAME: &str = "lks-gpu.service";
const UNIT: &str = "/etc/systemd/system/lks-gpu.service";

/// Plans what differs.
pub fn plan(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan, nvidia: &Nvidia) -> Result<()> {
    if gpu.persistence.is_none() && gpu.power_limit.is_none() {
        mig(gpu, plan, nvidia);
        return Ok(());
    }
    let Some(path) = host.which("nvidia-smi")? else {
        return Err(Error::unknown(
            "there is no nvidia-smi yet: the driver brings it",
        ));
    };
    for (at, one) in nvidia.gpus().iter().enumerate() {
        let index = at.to_string();
        if let Some(wanted) = gpu.persistence {
            let is = one.text(&["persistence_mode"]).as_deref() == Some("Enabled");
            if is != wanted {
                set(
                    plan,
                    &format!("GPU {at} persistence"),
                    &is.to_string(),
                    &wanted.to_string(),
                    &index,
                    &["-pm", if wanted { "1" } else { "0" }],
                );
            }
        }
        if let Some(watts) = gpu.power_limit {
            power(plan, at, one, watts)?;
        }
    }
    mig(gpu, plan, nvidia);
    keep(gpu, host, plan, &path.to_string_lossy())
}

fn power(
    plan: &mut Plan,
    at: usize,
    gpu: &crate::module::llm::nvidia::Gpu<'_>,
    watts: u64,
) -> Result<()> {
    let number = |name: &str| {
        let places = ["gpu_power_readings", "power_readings"];
        places.iter().find_map(|p| gpu.number(&[p, name]))
    };
    let Some(is) = gpu.power_limit() else {
        plan.returns
            .warnings
            .push(format!("GPU {at} has no power limit that could be set"));
        return Ok(());
    };
    if let (Some(low), Some(high)) = (number("min_power_limit"), number("max_power_limit"))
        && !(low..=high).contains(&(watts as f64))
    {
        return Err(Error::host(format!(
            "GPU {at} takes a power limit of {low} to {high} W, and not {watts}"
        )));
    }
    if (is - watts as f64).abs() >= 1.0 {
        let (before, after) = (format!("{is:.0} W"), format!("{watts} W"));
        set(
            plan,
            &format!("GPU {at} power limit"),
            &before,
            &after,
            &at.to_string(),
            &["-pl", &watts.to_string()],
        );
    }
    Ok(())
}

fn mig(gpu: &Gpu, plan: &mut Plan, nvidia: &Nvidia) {
    let Some(wanted) = gpu.mig else { return };
    let word = if wanted == Mig::Enabled {
        "Enabled"
    } else {
        "Disabled"
    };
    for (at, one) in nvidia.gpus().iter().enumerate() {
        // What waits for a reset has been asked for already.
        let Some(pending) = one.text(&["mig_mode", "pending_mig"]) else {
            if wanted == Mig::Enabled {
                plan.returns
                    .warnings
                    .push(format!("GPU {at} cannot be divided (MIG)"));
            }
            continue;
        };
        if pending != word {
            let flag = if wanted == Mig::Enabled { "1" } else { "0" };
            set(
                plan,
                &format!("GPU {at} MIG"),
                &pending,
                word,
                &at.to_string(),
                &["-mig", flag],
            );
        }
    }
}

fn set(plan: &mut Plan, what: &str, before: &str, after: &str, index: &str, words: &[&str]) {
    let argv = [&["nvidia-smi", "-i", index], words].concat();
    plan.change(
        Diff::new(what, format!("{before}\n"), format!("{after}\n")),
        Command::new(argv).effect(),
    );
}

/// The driver forgets both at every boot.
fn keep(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan, smi: &str) -> Result<()> {
    let mut lines = String::new();
    if let Some(wanted) = gpu.persistence {
        lines.push_str(&format!("ExecStart={smi} -pm {}\n", u8::from(wanted)));
    }
    if let Some(watts) = gpu.power_limit {
        lines.push_str(&format!("ExecStart={smi} -pl {watts}\n"));
    }
    let text = format!(
        "# Written by lks.llm.gpu.\n[Unit]\nDescription=Settings of NVIDIA's GPUs\n\
         After=nvidia-persistenced.service\nConditionPathExists=/proc/driver/nvidia/version\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=true\n{lines}\n[Install]\nWantedBy=multi-user.target\n"
    );
    let before = host.read(Path::new(UNIT))?;
    if before.as_deref() != Some(text.as_bytes()) {
        let before = before.map_or(Value::Null, |b| {
            String::from_utf8_lossy(&b).into_owned().into()
        });
        plan.change(Diff::new(UNIT, before, text.as_str()), file(UNIT, &text));
        plan.act(Command::new(["systemctl", "daemon-reload"]).effect());
    }
    if host.unit(UnitScope::System, NAME)?.get("UnitFileState") != "enabled" {
        let then = Consequence::Unit {
            scope: UnitScope::System,
            name: NAME.into(),
            active: None,
            enabled: Some(true),
            masked: None,
        };
        plan.change(
            Diff::new(NAME, "disabled\n", "enabled\n"),
            Command::new(["systemctl", "enable", NAME]).then(vec![then]),
        );
    }
    Ok(())
}
