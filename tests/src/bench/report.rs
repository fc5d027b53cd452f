//! The machine it was measured on, and the raw figures.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use super::series::Series;
use super::tools::Ready;

/// What ran, and what else it was doing meanwhile.
pub struct Machine {
    cpus: usize,
    model: String,
    kernel: String,
    load_before: String,
    load_after: String,
    start: Ticks,
    /// The share of the machine's CPU time that others used between start and end.
    others: f64,
}

impl Machine {
    /// Looks at the machine before the runs.
    pub fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split(':').nth(1));
        Machine {
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.unwrap_or("unknown processor").trim().to_owned(),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_before: load(),
            load_after: String::new(),
            start: Ticks::now(),
            others: 0.0,
        }
    }

    /// Looks again after them: how busy was it with other things?
    pub fn look_again(&mut self) {
        self.load_after = load();
        let now = Ticks::now();
        let total = (now.total - self.start.total).max(f64::MIN_POSITIVE);
        let busy = now.busy - self.start.busy;
        self.others = ((busy - (now.own - self.start.own)) / total).clamp(0.0, 1.0);
    }

    /// One line about the machine.
    pub fn describe(&self) -> String {
        format!(
            "{} x {}, Linux {}, load average {}",
            self.cpus, self.model, self.kernel, self.load_before
        )
    }

    /// One line about what it was doing.
    pub fn describe_load(&self) -> String {
        format!(
            "\nload average {} before, {} after; others used {:.0} % of the machine's CPU time meanwhile",
            self.load_before,
            self.load_after,
            self.others * 100.0
        )
    }
}

/// CPU time since boot, in seconds: of all CPUs, the part that was not idle, and this program's.
struct Ticks {
    total: f64,
    busy: f64,
    own: f64,
}

impl Ticks {
    fn now() -> Self {
        /// `USER_HZ`, which is 100 on every Linux that lks runs on.
        const HZ: f64 = 100.0;
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = stat.lines().next().unwrap_or_default();
        // user nice system idle iowait irq softirq steal; guest time is part of user's.
        let fields = first.split_whitespace().skip(1).take(8);
        let fields: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        let total = fields.iter().sum::<f64>() / HZ;
        let idle = fields.iter().skip(3).take(2).sum::<f64>() / HZ;
        let own = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
            .into_iter()
            .filter_map(|who| getrusage(who).ok())
            .flat_map(|usage| [usage.user_time(), usage.system_time()])
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
            .sum();
        Ticks {
            total,
            busy: total - idle,
            own,
        }
    }
}

fn load() -> String {
    let load = read("/proc/loadavg");
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The raw figures, for whoever keeps them.
pub fn json(all: &[Series], tools: &[Ready], machine: &Machine) -> String {
    let report = json!({
        "machine": {
            "cpus": machine.cpus,
            "model": machine.model,
            "kernel": machine.kernel,
            "load_before": machine.load_before,
            "load_after": machine.load_after,
            "others_share": machine.others,
        },
        "tools": tools.iter().map(|ready| json!({
            "tool": ready.tool.id(),
            "version": ready.version,
        })).collect::<Vec<_>>(),
        "series": all.iter().map(series).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

fn series(series: &Series) -> Value {
    let runs = series.runs.iter().map(|run| {
        json!({
            "wall_s": run.wall_s,
            "cpu_s": run.cpu_s,
            "peak_kib": run.peak_kib,
            "opened": run.opened,
        })
    });
    json!({
        "shape": series.id(),
        "tool": series.tool.id(),
        "runs": runs.collect::<Vec<_>>(),
        "proof": series.proof,
        "failure": series.failure,
    })
}
