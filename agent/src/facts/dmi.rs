//! What the firmware says about the machine.

use super::cx::{Cx, put};
use crate::value::Map;

const NAMES: &[&str] = &[
    "bios_date",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_name",
    "product_serial",
    "product_uuid",
    "product_version",
];

const FORM_FACTORS: &[&str] = &[
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
];

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let read = |name: &str| {
        cx.word(format!("/sys/devices/virtual/dmi/id/{name}"))
            .unwrap_or_else(|| "NA".into())
    };
    for name in NAMES {
        put(out, name, read(name));
    }
    put(out, "system_vendor", read("sys_vendor"));
    let kind = read("chassis_type");
    let factor = kind.parse::<usize>().ok().and_then(|n| FORM_FACTORS.get(n));
    put(
        out,
        "form_factor",
        factor.map_or(kind.clone(), |f| (*f).into()),
    );
}
