//! The end: what was counted for each host, and what the playbook counted itself.

use super::State;
use super::screen::Colour;
use crate::event::Counters;
use crate::value::{Map, Value};
use crate::view::text::{Layout, dump};
use std::io::Write;
use std::sync::Arc;

impl<W: Write, E: Write> State<W, E> {
    pub(super) fn recap(&mut self, stats: &[(Arc<str>, Counters)]) {
        self.screen.banner("PLAY RECAP");
        let mut hosts: Vec<_> = stats.iter().collect();
        hosts.sort_by(|a, b| a.0.cmp(&b.0));
        for (host, counters) in hosts {
            let line = self.recap_line(host, counters);
            self.screen.raw(&line);
        }
        self.screen.raw("");
        if self.options.show_custom_stats && !self.custom.is_empty() {
            self.custom_stats();
        }
    }

    fn recap_line(&self, host: &str, c: &Counters) -> String {
        let colour = match c {
            c if c.failed != 0 || c.unreachable != 0 => Colour::Failed,
            c if c.changed != 0 || c.may_change != 0 => Colour::Changed,
            _ => Colour::Ok,
        };
        // As in Ansible, colours count as text when the column is filled.
        let painted = self.screen.paint(colour, host);
        let width = if painted.len() == host.len() { 26 } else { 37 };
        let mut cells = vec![format!("{painted:width$} :")];
        let mut cell = |name: &str, count: u32, colour| {
            let text = format!("{name}={count:<4}");
            cells.push(match count {
                0 => text,
                _ => self.screen.paint(colour, &text),
            });
        };
        cell("ok", c.ok, Colour::Ok);
        cell("changed", c.changed, Colour::Changed);
        cell("unreachable", c.unreachable, Colour::Unreachable);
        cell("failed", c.failed, Colour::Failed);
        cell("skipped", c.skipped, Colour::Skip);
        cell("rescued", c.rescued, Colour::Ok);
        cell("ignored", c.ignored, Colour::Warning);
        // Ours, and only where there is something to tell: scripts know the seven above.
        if self.check && c.may_change > 0 {
            cell("may-change", c.may_change, Colour::Changed);
        }
        cells.join(" ")
    }

    fn custom_stats(&mut self) {
        self.screen.banner("CUSTOM STATS: ");
        let hosts: Vec<String> = self
            .custom
            .hosts
            .iter()
            .map(|(host, map)| format!("\t{host}: {}", squeezed(map)))
            .collect();
        for line in hosts {
            self.screen.out(Colour::Plain, &line);
        }
        if !self.custom.run.is_empty() {
            self.screen.raw("");
            let line = format!("\tRUN: {}", squeezed(&self.custom.run));
            self.screen.out(Colour::Plain, &line);
        }
        self.screen.raw("");
    }
}

/// JSON with one space a level and the line ends taken out, as Ansible shows it.
fn squeezed(map: &Map) -> String {
    let layout = Layout {
        indent: Some(1),
        ascii: false,
    };
    dump(&Value::map(map.clone()), layout).replace('\n', "")
}
