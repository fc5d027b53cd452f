//! NVIDIA GPUs, as `lks_gpu`: what `nvidia-smi -q -x` says (its DTD is named in its own second line), what
//! the kernel module says of itself, and the cards on the PCI bus, which are there without any driver too.
//!
//! Faults come from the kernel's log, each with what it asks for (`xids`, and `action` for the gravest).
//!
//! NVML itself is out of reach: a static binary loads no libraries. A host without a GPU has `count: 0`.

use super::cx::{Cx, put};
use crate::module::llm::nvidia::{Gpu, Nvidia};
use crate::module::llm::xid;
use crate::module::llm::xml::{inner, number, said};
use crate::value::{Map, Value};

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let nvidia = Nvidia::look(cx.host);
    let mut facts = Map::new();
    for (name, value) in [
        ("module_version", nvidia.module.clone()),
        ("driver_version", nvidia.driver()),
        ("cuda_version", nvidia.cuda()),
        ("problem", nvidia.problem.clone()),
    ] {
        if let Some(text) = value {
            put(&mut facts, name, text);
        }
    }
    let gpus: Vec<Value> = nvidia.gpus().iter().map(gpu).collect();
    put(&mut facts, "count", gpus.len() as i64);
    put(&mut facts, "gpus", Value::list(gpus));
    if nvidia.switches > 0 {
        put(&mut facts, "nvswitches", nvidia.switches as i64);
    }
    if nvidia.is_there() {
        faults(cx, &mut facts);
    }
    put(&mut facts, "pci", nvidia.pci);
    put(out, "lks_gpu", facts);
}

/// What the kernel's log has of faults, and what the gravest asks for.
fn faults(cx: &Cx<'_>, facts: &mut Map) {
    let found = xid::faults(cx.host);
    if let Some(worst) = found.iter().map(|f| f.action).max() {
        put(facts, "action", worst.word());
    }
    let one = |fault: &xid::Fault| {
        let mut map = Map::new();
        put(&mut map, "bus", fault.bus.as_str());
        put(&mut map, "xid", i64::from(fault.xid));
        put(&mut map, "action", fault.action.word());
        put(&mut map, "count", fault.count as i64);
        put(&mut map, "said", fault.said.as_str());
        put(&mut map, "switch", fault.switch);
        Value::from(map)
    };
    put(facts, "xids", Value::list(found.iter().map(one).collect()));
}

fn gpu(gpu: &Gpu<'_>) -> Value {
    let mut facts = Map::new();
    let at = |path: &[&str]| gpu.text(path);
    for (fact, path) in [
        ("name", &["product_name"][..]),
        ("architecture", &["product_architecture"]),
        ("uuid", &["uuid"]),
        ("bus", &["pci", "pci_bus_id"]),
        ("compute_mode", &["compute_mode"]),
        ("mig", &["mig_mode", "current_mig"]),
        ("fabric", &["fabric", "state"]),
        ("ecc", &["ecc_mode", "current_ecc"]),
    ] {
        if let Some(text) = at(path) {
            put(&mut facts, fact, text);
        }
    }
    for (fact, path) in [
        ("minor", &["minor_number"][..]),
        ("memory_total_mib", &["fb_memory_usage", "total"]),
        ("memory_used_mib", &["fb_memory_usage", "used"]),
        ("memory_free_mib", &["fb_memory_usage", "free"]),
        ("temperature_c", &["temperature", "gpu_temp"]),
        ("utilization_percent", &["utilization", "gpu_util"]),
        ("pcie_generation", &["pci", "pcie_gen", "current_link_gen"]),
        ("pcie_generation_max", &["pci", "pcie_gen", "max_link_gen"]),
        ("pcie_width", &["pci", "link_widths", "current_link_width"]),
        ("pcie_width_max", &["pci", "link_widths", "max_link_width"]),
        (
            "remapped_rows_uncorrectable",
            &["remapped_rows", "remapped_row_unc"],
        ),
    ] {
        if let Some(number) = gpu.number(path) {
            put(&mut facts, fact, number as i64);
        }
    }
    if let Some(watts) = gpu.power_limit() {
        put(&mut facts, "power_limit_w", watts);
    }
    if let Some(mode) = at(&["persistence_mode"]) {
        put(&mut facts, "persistence", mode == "Enabled");
    }
    if let Some(pending) = at(&["remapped_rows", "remapped_row_pending"]) {
        put(&mut facts, "needs_reset", pending == "Yes");
    }
    put(&mut facts, "ecc_uncorrectable", uncorrectable(gpu.xml()));
    facts.into()
}

/// Errors since the driver was loaded that ECC could not mend, of all memories.
fn uncorrectable(xml: &str) -> Value {
    let volatile = inner(xml, "ecc_errors").and_then(|e| inner(e, "volatile"));
    let names = [
        "sram_uncorrectable",
        "sram_uncorrectable_parity",
        "sram_uncorrectable_secded",
        "dram_uncorrectable",
    ];
    let counts = volatile.map(|v| {
        let counts = names.iter().filter_map(|n| inner(v, n).and_then(said));
        counts.filter_map(|t| number(&t)).collect::<Vec<f64>>()
    });
    match counts {
        Some(counts) if !counts.is_empty() => Value::Int(counts.iter().sum::<f64>() as i64),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeHost;

    /// The document's form, with the elements that are read among others.
    const TWO: &str = r#"<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <timestamp>Sun Nov 22 12:00:00 2026</timestamp>
  <driver_version>570.172.08</driver_version>
  <cuda_version>12.8</cuda_version>
  <attached_gpus>2</attached_gpus>
  <gpu id="00000000:53:00.0">
    <product_name>NVIDIA H100 80GB HBM3</product_name>
    <product_architecture>Hopper</product_architecture>
    <persistence_mode>Enabled</persistence_mode>
    <mig_mode><current_mig>Disabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
    <uuid>GPU-11111111-2222-3333-4444-555555555555</uuid>
    <minor_number>0</minor_number>
    <fabric><state>Completed</state><status>Success</status></fabric>
    <pci>
      <pci_bus_id>00000000:53:00.0</pci_bus_id>
      <pci_gpu_link_info>
        <pcie_gen><max_link_gen>5</max_link_gen><current_link_gen>4</current_link_gen></pcie_gen>
        <link_widths><max_link_width>16x</max_link_width><current_link_width>8x</current_link_width></link_widths>
      </pci_gpu_link_info>
    </pci>
    <fb_memory_usage><total>81559 MiB</total><reserved>551 MiB</reserved><used>4 MiB</used><free>81004 MiB</free></fb_memory_usage>
    <bar1_memory_usage><total>131072 MiB</total><used>1 MiB</used><free>131071 MiB</free></bar1_memory_usage>
    <compute_mode>Default</compute_mode>
    <utilization><gpu_util>37 %</gpu_util><memory_util>2 %</memory_util></utilization>
    <ecc_mode><current_ecc>Enabled</current_ecc><pending_ecc>Enabled</pending_ecc></ecc_mode>
    <ecc_errors>
      <volatile><sram_correctable>9</sram_correctable><sram_uncorrectable_parity>1</sram_uncorrectable_parity><sram_uncorrectable_secded>0</sram_uncorrectable_secded><dram_correctable>0</dram_correctable><dram_uncorrectable>2</dram_uncorrectable></volatile>
      <aggregate><dram_uncorrectable>77</dram_uncorrectable></aggregate>
    </ecc_errors>
    <remapped_rows><remapped_row_corr>0</remapped_row_corr><remapped_row_unc>1</remapped_row_unc><remapped_row_pending>Yes</remapped_row_pending></remapped_rows>
    <temperature><gpu_temp>31 C</gpu_temp></temperature>
    <gpu_power_readings><power_state>P0</power_state><current_power_limit>700.00 W</current_power_limit></gpu_power_readings>
  </gpu>
  <gpu id="00000000:64:00.0">
    <product_name>Tesla T4 &amp; more</product_name>
    <persistence_mode>Disabled</persistence_mode>
    <mig_mode><current_mig>N/A</current_mig></mig_mode>
    <fb_memory_usage><total>15360 MiB</total></fb_memory_usage>
    <ecc_errors><volatile><sram_uncorrectable>N/A</sram_uncorrectable></volatile></ecc_errors>
    <power_readings><power_limit>70.00 W</power_limit></power_readings>
  </gpu>
</nvidia_smi_log>
"#;

    fn facts(host: &FakeHost) -> serde_json::Value {
        let mut out = Map::new();
        collect(&Cx::new(host, "/none"), &mut out);
        Value::from(out).to_json()["lks_gpu"].clone()
    }

    #[test]
    fn gpus_are_read_in_both_forms_of_the_document() {
        let host = FakeHost::new()
            .with_program("nvidia-smi")
            .with_file(
                "/proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.172.08  Tue Jul  8 18:32:05 UTC 2025\nGCC version:  gcc 13.3.0\n",
            )
            .answering(&["nvidia-smi", "-q", "-x"], TWO);
        let log =
            "NVRM: Xid (PCI:0000:53:00): 63, pid=1, Row Remapper: New row marked for remapping\n";
        let host = host.answering(&["dmesg", "--notime"], log);
        let is = facts(&host);
        assert_eq!(is["action"], "reset");
        assert_eq!(is["xids"][0]["xid"], 63);
        assert_eq!(is["count"], 2);
        assert_eq!(is["driver_version"], "570.172.08");
        assert_eq!(is["module_version"], "570.172.08");
        assert_eq!(is["cuda_version"], "12.8");
        let want = serde_json::json!({
            "name": "NVIDIA H100 80GB HBM3", "architecture": "Hopper",
            "uuid": "GPU-11111111-2222-3333-4444-555555555555", "bus": "00000000:53:00.0",
            "compute_mode": "Default", "mig": "Disabled", "fabric": "Completed", "ecc": "Enabled",
            "minor": 0, "memory_total_mib": 81559, "memory_used_mib": 4, "memory_free_mib": 81004,
            "temperature_c": 31, "utilization_percent": 37, "pcie_generation": 4,
            "pcie_generation_max": 5, "pcie_width": 8, "pcie_width_max": 16,
            "remapped_rows_uncorrectable": 1, "power_limit_w": 700.0, "persistence": true,
            "needs_reset": true, "ecc_uncorrectable": 3,
        });
        assert_eq!(is["gpus"][0], want);
        let want = serde_json::json!({
            "name": "Tesla T4 & more", "memory_total_mib": 15360, "power_limit_w": 70.0,
            "persistence": false, "ecc_uncorrectable": null,
        });
        assert_eq!(is["gpus"][1], want);
    }

    #[test]
    fn a_host_without_a_gpu_has_none_and_no_complaint() {
        let is = facts(&FakeHost::new());
        assert_eq!(is, serde_json::json!({"count": 0, "gpus": [], "pci": []}));
    }

    #[test]
    fn a_card_without_its_driver_and_a_driver_without_its_library_are_told() {
        let device = "/sys/bus/pci/devices/0000:00:1e.0";
        let card = |host: FakeHost| {
            host.with_file(format!("{device}/vendor"), "0x10de\n")
                .with_file(format!("{device}/class"), "0x030200\n")
        };
        let is = facts(&card(FakeHost::new()));
        assert_eq!(is["pci"][0], "0000:00:1e.0");
        assert!(is["problem"].as_str().unwrap().contains("not installed"));
        let broken = card(FakeHost::new().with_program("nvidia-smi")).answering_with(
            &["nvidia-smi", "-q", "-x"],
            18,
            "Failed to initialize NVML: Driver/library version mismatch\n",
            "",
        );
        let is = facts(&broken);
        assert_eq!(is["count"], 0);
        assert!(
            is["problem"]
                .as_str()
                .unwrap()
                .contains("hold its packages")
        );
    }
}
