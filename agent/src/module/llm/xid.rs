//! What NVIDIA's driver writes into the kernel's log about faults, and what each asks for.
//!
//! Numbers and actions: NVIDIA, "XID Errors" and its catalogue. The number is reported with a word for
//! what to do, since nobody knows the numbers by heart.

use crate::host::{Command, HostView};
use std::time::Duration;

/// What a fault asks for, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A program did it: look at the program.
    Application,
    /// Nothing yet; many of them are a sign.
    Watch,
    /// The GPU goes on after a reset, once nothing uses it: drain the host first.
    Reset,
    /// The host must be started anew.
    Reboot,
    /// If a reset does not help, the GPU must be replaced: stop and start the instance.
    Replace,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Watch => "watch",
            Self::Reset => "reset",
            Self::Reboot => "reboot",
            Self::Replace => "replace",
        }
    }

    /// What a number asks for. One that is not known is watched.
    #[must_use]
    pub const fn of(xid: u32) -> Self {
        match xid {
            // Exceptions, page faults and channels of a program; its end; memory of one program lost.
            13 | 31 | 43 | 45 | 68 | 69 | 94 => Self::Application,
            // Stopped processing, uncorrectable memory, halted controllers, rows to remap, NVLink,
            // uncontained errors, the GSP's silence.
            46 | 48 | 61 | 62 | 63 | 74 | 95 | 119 | 120 | 121 | 140 => Self::Reset,
            // Fallen off the bus.
            79 => Self::Reboot,
            // Rows that could not be remapped.
            64 => Self::Replace,
            _ => Self::Watch,
        }
    }
}

/// A fault, as often as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Fault {
    /// Address on the PCI bus.
    pub bus: String,
    pub xid: u32,
    pub action: Action,
    pub count: usize,
    /// What the driver said last, cut.
    pub said: String,
    /// Whether an NVSwitch said it.
    pub switch: bool,
}

/// Faults in the kernel's log since the machine started; none where it cannot be read.
pub fn faults(host: &dyn HostView) -> Vec<Fault> {
    let mut command = Command::new(["dmesg", "--notime"]);
    command.timeout = Some(Duration::from_secs(10));
    match host.query(&command) {
        Ok(output) if output.success() => parse(&output.out()),
        _ => Vec::new(),
    }
}

/// `NVRM: Xid (PCI:0000:53:00): 79, pid=1234, name=python, GPU has fallen off the bus.`, and
/// `nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 …`.
#[must_use]
pub fn parse(log: &str) -> Vec<Fault> {
    let mut out: Vec<Fault> = Vec::new();
    for line in log.lines() {
        let Some((head, rest)) = line.split_once("Xid (PCI:") else {
            continue;
        };
        let Some((bus, rest)) = rest.split_once("): ") else {
            continue;
        };
        let (number, said) = rest.split_once(", ").unwrap_or((rest, ""));
        let Ok(xid) = number.trim().parse::<u32>() else {
            continue;
        };
        let switch = head.ends_with('S');
        let action = match switch {
            // A switch says itself how grave it is.
            true if said.starts_with("Fatal") => Action::Reset,
            true => Action::Watch,
            false => Action::of(xid),
        };
        let said: String = said.chars().take(160).collect();
        match out
            .iter_mut()
            .find(|f| f.bus == bus && f.xid == xid && f.switch == switch)
        {
            Some(fault) => {
                fault.count += 1;
                fault.said = said;
            }
            None => out.push(Fault {
                bus: bus.to_owned(),
                xid,
                action,
                count: 1,
                said,
                switch,
            }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_and_say_what_to_do() {
        let log = "usb 1-1: new device\n\
            NVRM: Xid (PCI:0000:53:00): 31, pid=4242, name=python3, Ch 00000008, intr 00000000. MMU Fault\n\
            NVRM: Xid (PCI:0000:53:00): 48, pid='<unknown>', name=<unknown>, DBE (Double Bit Error) ECC Error\n\
            NVRM: Xid (PCI:0000:53:00): 48, pid='<unknown>', name=<unknown>, again\n\
            NVRM: Xid (PCI:0000:64:00): 79, GPU has fallen off the bus.\n\
            nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up\n\
            NVRM: Xid (PCI:broken\n";
        let found = parse(log);
        let short: Vec<(u32, &str, usize, bool)> = found
            .iter()
            .map(|f| (f.xid, f.action.word(), f.count, f.switch))
            .collect();
        assert_eq!(
            short,
            [
                (31, "application", 1, false),
                (48, "reset", 2, false),
                (79, "reboot", 1, false),
                (20034, "reset", 1, true),
            ]
        );
        assert!(found[1].said.ends_with("again"));
        assert!(Action::Reset < Action::Reboot && Action::Watch < Action::Reset);
    }
}
